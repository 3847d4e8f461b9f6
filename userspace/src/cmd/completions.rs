//! `sockleak completions`: a script that has a shell complete sockleak's commands and options.

use super::output::Output;
use crate::{
    cli::{Completions, complete},
    failure::Failure,
};

/// Runs it.
///
/// # Errors
/// If it cannot be written.
pub fn run(arguments: &Completions) -> Result<(), Failure> {
    let mut out = Output::default();
    complete(arguments.shell, &mut out.buffer);
    out.flush()
}
