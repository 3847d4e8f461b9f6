//! The command line as users are to know it: manual pages and completions are made of this.

use std::io::Write;

use clap::{Command, CommandFactory as _};
use clap_complete::Shell;

use super::Cli;

/// Name of the program.
pub const PROGRAM: &str = "sockleak";

/// Every command, without those that sockleak starts itself.
#[must_use]
pub fn command() -> Command {
    let whole = Cli::command().disable_help_subcommand(true);
    let shown = whole.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    let shown: Vec<_> = shown.collect();
    let mut command = Command::new(PROGRAM)
        .version(env!("CARGO_PKG_VERSION"))
        .propagate_version(true)
        .disable_help_subcommand(true)
        .subcommands(shown);
    if let Some(about) = whole.get_about() {
        command = command.about(about.clone());
    }
    if let Some(after) = whole.get_after_help() {
        command = command.after_help(after.clone());
    }
    command.build();
    command
}

/// Writes the completions for a shell.
pub fn complete(shell: Shell, out: &mut dyn Write) {
    clap_complete::generate(shell, &mut command(), PROGRAM, out);
}
