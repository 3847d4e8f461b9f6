//! The forms of a report, by the real binary from recordings that are made up here.

mod containers;
mod csv;
mod document;
mod filtered;
mod fleet;
mod groups;
mod html;
mod markdown;
mod output;
mod schema;
mod scripts;
mod store;
mod text;
mod window;

use scenes::scene;
use std::process::{Command, Output, Stdio};

fn sockleak(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sockleak"));
    command.stdin(Stdio::null()).env_remove("SOCKLEAK_LOG").args(arguments).output().unwrap()
}

/// What it prints, if it ends well and without complaint.
#[track_caller]
fn printed(arguments: &[&str]) -> String {
    let output = sockleak(arguments);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{arguments:?}");
    assert_eq!(output.status.code(), Some(0), "{arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}
