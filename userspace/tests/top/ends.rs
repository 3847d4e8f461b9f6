//! However it ends, the terminal is as it was.

use std::{env, fs, path::Path, thread, time::Duration};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use sockleak::{
    replay::{Choices, Player, Recorded, Speed, Stage},
    top::{self, Show, Watched, source::Local},
};
use sockleak_core::attribution::by::By;
use tokio::sync::watch;

use crate::{Tmux, at_the_end, recorded, scene::Scratch};

/// Waits for the shell, and checks that the terminal is as it was.
#[track_caller]
fn assert_given_back(terminal: &Tmux, settings: &str) -> String {
    let screen = terminal.wait("the shell", |screen| screen.trim_end().ends_with('$'));
    assert_eq!(terminal.property("alternate_on"), "0");
    assert_eq!(terminal.property("cursor_flag"), "1");
    assert_eq!(terminal.property("mouse_any_flag"), "0");
    assert_eq!(terminal.settings(), settings);
    screen
}

/// A terminal, how it is set, and sockleak in it.
fn begun(scratch: &Scratch) -> (Tmux, String) {
    let terminal = Tmux::new(scratch, (80, 24));
    let settings = terminal.settings();
    terminal.run("clear; sockleak top --replay leak.db --speed max; echo status $?");
    terminal.wait_for("cert-renewer opens connections");
    assert_eq!(terminal.property("alternate_on"), "1");
    assert_eq!(terminal.property("cursor_flag"), "0");
    assert_eq!(terminal.property("mouse_any_flag"), "1");
    (terminal, settings)
}

#[test]
fn by_a_key() {
    let scratch = recorded();
    for key in ["q", "C-c"] {
        let (terminal, settings) = begun(&scratch);
        terminal.keys(&[key]);
        let screen = assert_given_back(&terminal, &settings);
        assert!(screen.contains("status 0"), "{key}: {screen}");
    }
}

#[test]
fn by_a_signal() {
    let scratch = recorded();
    for signal in [
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGHUP,
        Signal::SIGQUIT,
        Signal::SIGALRM,
        Signal::SIGUSR1,
        Signal::SIGUSR2,
    ] {
        let (terminal, settings) = begun(&scratch);
        kill(Pid::from_raw(terminal.pid()), signal).unwrap();
        let screen = assert_given_back(&terminal, &settings);
        assert!(screen.contains("status 0"), "{signal}: {screen}");
    }
}

/// The shell has the terminal in between, and sets it its own way.
#[test]
fn by_being_stopped_for_a_while() {
    let scratch = recorded();
    let (terminal, settings) = begun(&scratch);
    let pid = Pid::from_raw(terminal.pid());
    let is_stopped = || fs::read_to_string(format!("/proc/{pid}/stat")).unwrap().contains(") T ");
    let stops: [(&str, &dyn Fn()); 3] = [
        ("Ctrl-Z", &|| terminal.keys(&["C-z"])),
        ("SIGTSTP", &|| kill(pid, Signal::SIGTSTP).unwrap()),
        ("SIGSTOP", &|| kill(pid, Signal::SIGSTOP).unwrap()),
    ];
    for (name, stop) in stops {
        stop();
        terminal.wait("its stop", |screen| is_stopped() && screen.contains("Stopped"));
        if name == "SIGSTOP" {
            // That cannot be heeded: the terminal is as it was left, in which Enter is no end of a line.
            terminal.keys(&["f", "g", "C-j"]);
        } else {
            assert_eq!(terminal.property("alternate_on"), "0", "{name}");
            assert_eq!(terminal.property("cursor_flag"), "1", "{name}");
            assert_eq!(terminal.property("mouse_any_flag"), "0", "{name}");
            terminal.run("fg");
        }
        terminal.expect("80x24/sockets", "[Sockets]");
        assert_eq!(terminal.property("alternate_on"), "1", "{name}");
        assert_eq!(terminal.property("mouse_any_flag"), "1", "{name}");
        // Keys are heeded one by one again.
        terminal.keys(&["Down"]);
        terminal.expect("80x24/second-socket", "STALE-CLIENT");
        terminal.keys(&["Up"]);
        terminal.expect("80x24/sockets", "[Sockets]");
    }
    terminal.keys(&["q"]);
    assert_given_back(&terminal, &settings);
}

/// Where no shell is there to go back to, as with `ssh -t`, Ctrl-Z would be for ever.
#[test]
fn nobody_is_there_to_let_it_go_on() {
    let scratch = recorded();
    let terminal = Tmux::new(&scratch, (80, 24));
    terminal.run("exec sockleak top --replay leak.db --speed max");
    terminal.expect("80x24/sockets", "[Sockets]");
    let pid = Pid::from_raw(terminal.property("pane_pid").parse().unwrap());
    let stops: [&dyn Fn(); 2] = [&|| terminal.keys(&["C-z"]), &|| kill(pid, Signal::SIGTSTP).unwrap()];
    for stop in stops {
        stop();
        terminal.keys(&["Down"]);
        terminal.expect("80x24/second-socket", "STALE-CLIENT");
        terminal.keys(&["Up"]);
        terminal.expect("80x24/sockets", "[Sockets]");
        assert_eq!(terminal.property("alternate_on"), "1");
    }
}

/// What else wrote on the terminal is gone after Ctrl-L.
#[test]
fn what_others_wrote_goes() {
    let scratch = recorded();
    let terminal = at_the_end(&scratch, (80, 24), "");
    let other = fs::OpenOptions::new().write(true).open(terminal.property("pane_tty")).unwrap();
    std::io::Write::write_all(&mut &other, b"\x1b[5;5HSOMEBODY ELSE\x1b[31m").unwrap();
    terminal.wait_for("SOMEBODY ELSE");
    terminal.keys(&["C-l"]);
    terminal.expect("80x24/sockets", "[Sockets]");
}

/// It is there once the picture is.
const PANIC_NOW: &str = "panic-now";

/// Runs within a terminal, for the test below: shows a recording, and panics on purpose in another thread.
#[test]
fn panics_if_asked_to() {
    let Some(file) = env::var_os("SOCKLEAK_TEST_PANIC") else { return };
    let choices = Choices {
        speed: Speed::AtOnce,
        from: Duration::ZERO,
        to: None,
        by: By::Program,
        leak_age: None,
        limits: Vec::new(),
    };
    let player = Player::new(Recorded::open(Path::new(&file)).unwrap(), &choices).unwrap();
    let show =
        Show { name: "a panic".to_owned(), ascii: false, mouse: true, every: Duration::from_millis(100) };
    thread::spawn(|| {
        while !Path::new(PANIC_NOW).exists() {
            thread::sleep(Duration::from_millis(50));
        }
        panic!("on purpose");
    });
    let outcome =
        top::run(Watched::Local(Local::play(player, watch::channel(Stage::default()).0).unwrap()), &show);
    assert!(outcome.is_err_and(|failure| failure.to_string().contains("panicked")));
}

#[test]
fn by_a_panic() {
    let scratch = recorded();
    let terminal = Tmux::new(&scratch, (80, 24));
    let settings = terminal.settings();
    let program = env::current_exe().unwrap();
    let program = program.display();
    terminal
        .run(&format!("SOCKLEAK_TEST_PANIC=leak.db {program} --exact ends::panics_if_asked_to --nocapture"));
    terminal.wait_for("cert-renewer opens connections");
    fs::write(scratch.file(PANIC_NOW), "").unwrap();
    terminal.wait_for("on purpose");
    let screen = assert_given_back(&terminal, &settings);
    assert!(screen.contains("1 passed"), "it ends in order: {screen}");
}
