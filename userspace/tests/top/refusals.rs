//! What cannot be shown is refused in a sentence, before anything is drawn.

use std::process::{Command, Stdio};

use crate::{Tmux, recorded};

fn refused(arguments: &[&str], status: i32, words: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_sockleak"))
        .arg("top")
        .args(arguments)
        .stdin(Stdio::null())
        .env("TERM", "xterm")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(
        (output.status.code(), output.stdout.is_empty()),
        (Some(status), true),
        "{arguments:?}: {said}"
    );
    let sentences = said.lines().filter(|line| line.starts_with("sockleak: ") || line.starts_with("error: "));
    assert_eq!(sentences.count(), 1, "{said}");
    for word in words {
        assert!(said.contains(word), "{word} is not in: {said}");
    }
}

#[test]
fn arguments_that_cannot_be() {
    for (arguments, words) in [
        (&["a.sock", "--service", "http://127.0.0.1:1"][..], &["cannot be used with", "--service"][..]),
        (&["a.sock", "--replay", "x.db"], &["cannot be used with", "--replay"]),
        (&["--service", "http://127.0.0.1:1", "--replay", "x.db"], &["cannot be used with"]),
        (&["--service", "127.0.0.1:1"], &["'127.0.0.1:1'", "http://127.0.0.1:9436"]),
        (&["--service", "http://127.0.0.1:1", "--leak-age", "5s"], &["--leak-age", "cannot be used with"]),
        (&["--every", "0s"], &["--every", "longer than nothing"]),
        (&["--speed", "fast"], &["'fast'", "--speed"]),
        (&["--stacks"], &["--stacks", "TARGET"]),
    ] {
        refused(arguments, 2, words);
    }
}

#[test]
fn no_terminal() {
    for arguments in [&[][..], &["a.sock"], &["--replay", "missing.db"]] {
        refused(arguments, 2, &["standard output is no terminal", "sockleak list"]);
    }
}

#[test]
fn no_use_in_a_terminal() {
    let scratch = recorded();
    let terminal = Tmux::new(&scratch, (120, 40));
    for (line, status, words) in [
        ("TERM=dumb sockleak top --replay leak.db", 2, &["cannot be drawn on", "TERM=xterm"][..]),
        ("sockleak top --replay missing.db", 6, &["missing.db does not exist"]),
        ("sockleak top --replay settings", 6, &["settings"]),
        ("sockleak top --replay leak.db --from 2h", 2, &["lasts for 1 h"]),
        ("sockleak top --speed 5", 2, &["--replay"]),
        (
            "sockleak top --service http://127.0.0.1:1",
            1,
            &["http://127.0.0.1:1: Connection refused", "--service", "TARGET"],
        ),
        ("sockleak top --service unix:/missing.sock", 1, &["unix:/missing.sock: No such file"]),
        ("sockleak top --service http://127.0.0.1:1 --token-file missing", 2, &["missing"]),
    ] {
        terminal.run("clear");
        // What the one before said is not to be taken for this one's.
        terminal.wait("nothing but the shell", |screen| screen.trim() == "$");
        terminal.run(&format!("{line}; echo sta''tus=$?"));
        let screen = terminal
            .wait("its status", |screen| screen.contains("status=") && screen.trim_end().ends_with('$'));
        // Long sentences go over several lines.
        let screen = screen.replace('\n', "");
        assert!(screen.contains(&format!("status={status}$")), "{line}: {screen}");
        for word in words {
            assert!(screen.contains(word), "{word} is not in: {screen}");
        }
        assert_eq!(terminal.property("alternate_on"), "0", "{line}");
    }
}
