//! Over a service's API: one that answers, one that stops to, and one that comes back.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{Tmux, recorded, scene::Scratch};

/// A replay that answers as a service does.
struct Service {
    child: Child,
    address: String,
}

impl Service {
    fn start(scratch: &Scratch, listen: &str, more: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sockleak"))
            .args(["replay", "leak.db", "--speed", "max", "--listen", listen])
            .args(more)
            .current_dir(scratch.file(""))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.split("at once, at ").nth(1).and_then(|it| it.split([';', ',']).next());
        let address = address.unwrap_or_else(|| panic!("it does not say where it is: {line}"));
        Self { child, address: address.trim_end_matches('/').to_owned() }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_service_that_goes_is_told_and_found_again() {
    let scratch = recorded();
    let service = Service::start(&scratch, "127.0.0.1:0", &[]);
    let address = service.address.clone();
    let terminal = Tmux::new(&scratch, (120, 40));
    terminal.run(&format!("sockleak top --every 200ms --service {address}"));
    terminal.wait_for("cert-renewer opens connections");
    // It stops to answer.
    service.signal(Signal::SIGSTOP);
    terminal.wait_for("no answer within 5 s");
    terminal.wait_for("STALE");
    terminal.keys(&["Down"]);
    terminal.wait_for("STALE-CLIENT");
    terminal.keys(&["Up"]);
    service.signal(Signal::SIGCONT);
    terminal.wait("an answer", |screen| !screen.contains("STALE\n"));
    // It is killed.
    drop(service);
    let screen = terminal.wait_for("Connection refused");
    let said = screen.lines().find(|line| line.starts_with("! No answer for "));
    assert!(said.is_some_and(|line| line.contains(&format!("s: {address}: Connection refused"))), "{screen}");
    terminal.keys(&["Enter"]);
    terminal.wait_for("[Programs]");
    // Another one is there.
    let again = Service::start(&scratch, address.trim_start_matches("http://"), &[]);
    terminal.wait("an answer", |screen| !screen.contains("Connection refused"));
    terminal.keys(&["Enter"]);
    terminal.wait_for("haproxy 107");
    drop(again);
    terminal.wait_for("Connection refused");
    terminal.keys(&["q"]);
    terminal.wait("the shell", |screen| screen.trim_end().ends_with('$'));
    assert_eq!(terminal.property("alternate_on"), "0");
}

#[test]
fn command_lines_are_shown_to_those_who_have_the_token() {
    let scratch = recorded();
    fs::write(scratch.file("token"), "correct-horse\n").unwrap();
    fs::write(scratch.file("other"), "wrong\n").unwrap();
    for file in ["token", "other"] {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(scratch.file(file), mode).unwrap();
    }
    let socket = format!("unix:{}", scratch.file("http.sock").display());
    let service = Service::start(&scratch, &socket, &["--token-file", "token"]);
    for (more, shown) in
        [("", "not shown without a token"), ("--token-file token", "--watch /etc/ssl/private")]
    {
        let terminal = Tmux::new(&scratch, (120, 40));
        terminal.run(&format!("sockleak top --service {} {more}", service.address));
        terminal.wait_for("cert-renewer opens connections");
        terminal.keys(&["Enter", "Enter"]);
        terminal.wait_for(shown);
    }
    let terminal = Tmux::new(&scratch, (120, 40));
    terminal.run(&format!("sockleak top --service {} --token-file other; echo status $?", service.address));
    let screen = terminal.wait_for("status 1");
    assert!(screen.contains("that token is not valid here"), "{screen}");
}

/// What happens is shown as it does.
#[test]
fn events_come_as_they_happen() {
    let scratch = recorded();
    let terminal = Tmux::new(&scratch, (120, 40));
    terminal.run("sockleak top --replay leak.db --speed 20 --from 10m");
    terminal.wait_for("[Sockets]");
    terminal.keys(&["BTab"]);
    terminal.wait_for("[Events]");
    let connects =
        |line: &str| line.contains("metrics-exporter") && line.split(' ').any(|it| it == "connect");
    terminal.wait("the exporter's events", |screen| {
        screen.contains("client end: close") && screen.lines().any(connects)
    });
    terminal.keys(&["/"]);
    terminal.keys(&["e", "x", "p", "o", "r", "t", "Enter"]);
    terminal.wait("the exporter's alone", |screen| {
        screen.contains("with \"export\"") && !screen.contains("/usr/sbin/haproxy  ")
    });
    terminal.keys(&["Enter"]);
    terminal.wait_for("What happened");
}
