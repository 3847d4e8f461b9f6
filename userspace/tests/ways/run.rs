//! `sockleak run`, as far as it does not depend on a kernel that can be traced: the virtual machines have the rest.

use std::process::{Command, Stdio};

use crate::{printed, run, scene::Scratch, text};

#[test]
fn a_command_is_asked_for() {
    for arguments in [&["run"][..], &["run", "--"], &["run", "-s", "a.sock"]] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(text(&output.stderr).contains("<COMMAND>"), "{output:?}");
    }
}

#[test]
fn what_cannot_be_used_is_refused_before_the_command_begins() {
    let scratch = Scratch::new();
    let made = scratch.file("made");
    for (options, word) in [
        (&["-s", "@"][..], "'@'"),
        (&["--allow", "-1"], "--allow"),
        (&["--allow", "many"], "--allow"),
        (&["--fail-on", "lots"], "did you mean 'lost'?"),
        (&["--leak-age", "soon"], "--leak-age"),
        (&["--user=nosuchuser"], "user"),
    ] {
        let command = ["run"].iter().chain(options).chain(&["--", "touch"]).copied();
        let arguments: Vec<&str> = command.chain([made.to_str().unwrap()]).collect();
        let output = run(&arguments);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(text(&output.stderr).contains(word), "{output:?}");
        assert!(!made.exists());
    }
}

/// The command begins if this machine can be traced, as `check` says, and only then.
#[test]
fn the_command_begins_if_it_can_be_watched() {
    let status = run(&["check"]).status.code();
    let scratch = Scratch::new();
    let made = scratch.file("made");
    let output = run(&["run", "--", "touch", made.to_str().unwrap()]);
    assert_eq!(output.status.code(), status, "{output:?}");
    assert_eq!(made.exists(), status == Some(0), "{output:?}");
    assert_eq!(text(&output.stdout), "");
    assert_eq!(text(&output.stderr).is_empty(), status == Some(0), "{output:?}");
}

/// Options behind the command are its own.
#[test]
fn the_command_keeps_its_options() {
    let ours = run(&["run", "--help"]);
    assert_eq!(ours.status.code(), Some(0));
    let theirs = Command::new(env!("CARGO_BIN_EXE_sockleak"))
        .args(["run", "--allow", "2", "ls", "--help", "-s"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(!text(&theirs.stdout).contains("sockleak run"), "{theirs:?}");
}

#[test]
fn the_help_says_what_the_status_means() {
    let help = printed(&["run", "--help"]).split_whitespace().collect::<Vec<_>>().join(" ");
    for part in ["that of the command", "then 7", "126 or 127", "[default: 1]", "healthy, lost, incomplete]"]
    {
        assert!(help.contains(part), "{part} is not in {help}");
    }
}
