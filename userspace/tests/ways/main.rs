//! Commands that explain, complete and compare: the real binary, on every machine.

mod compare;
mod completions;
mod explain;
mod flags;
mod list;
mod run;

use scenes::scene;
use std::process::{Command, Output, Stdio};

/// Runs sockleak; standard output is no terminal.
pub(crate) fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sockleak"));
    command.args(arguments).stdin(Stdio::null()).env_remove("SOCKLEAK_LOG").output().unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What it prints, if it ends well.
#[track_caller]
pub(crate) fn printed(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()), "{arguments:?}");
    text(&output.stdout)
}
