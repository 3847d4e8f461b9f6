//! The command line tool.

use std::process::ExitCode;

use clap::{
    CommandFactory as _, Error, Parser as _,
    error::{ContextKind, ContextValue},
};
use sockleak::{
    cli::{Cli, Command},
    cmd, console,
};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let cli = Cli::try_parse().unwrap_or_else(|error| without_hidden(error).exit());
    // aya's own remarks on the way to an error are no news to a user: the error is told in a sentence.
    let default = || EnvFilter::new("warn,aya=error,aya_obj=error");
    let filter = EnvFilter::try_from_env("SOCKLEAK_LOG").unwrap_or_else(|_| default());
    // Without colours: a journal has no use for them.
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(|| console::Log).init();
    let result = match cli.command {
        Command::Capture(arguments) => cmd::capture::run(&arguments),
        Command::Report(arguments) => cmd::report::run(&arguments),
        Command::Replay(arguments) => cmd::replay::run(&arguments),
        Command::Top(arguments) => cmd::top::run(&arguments),
        Command::Compare(arguments) => cmd::compare::run(&arguments),
        Command::Run(arguments) => match cmd::run::run(&arguments) {
            // The command's own.
            Ok(status) => return status,
            Err(failure) => Err(failure),
        },
        Command::Export(arguments) => cmd::export::run(&arguments),
        Command::List(arguments) => cmd::list::run(&arguments),
        Command::Explain(arguments) => cmd::explain::run(&arguments),
        Command::Check(arguments) => cmd::check::run(&arguments),
        Command::Serve(arguments) => cmd::serve::run(&arguments),
        Command::Detach => cmd::serve::detach(),
        Command::Completions(arguments) => cmd::completions::run(&arguments),
        Command::Stacks(arguments) => cmd::stacks::run(&arguments),
        Command::Archive(arguments) => cmd::archive::run(&arguments),
        Command::Web(arguments) => cmd::web::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let message = match &failure {
                sockleak::failure::Failure::Other(error) => format!("{error:#}"),
                known => known.to_string(),
            };
            console::say(message);
            failure.exit_code()
        }
    }
}

/// Without the hint at a command that sockleak starts for itself: clap suggests hidden ones too.
fn without_hidden(mut error: Error) -> Error {
    if let Some(ContextValue::Strings(names)) = error.get(ContextKind::SuggestedSubcommand) {
        let is_hidden =
            |name: &String| Cli::command().find_subcommand(name).is_some_and(clap::Command::is_hide_set);
        let shown: Vec<String> = names.iter().filter(|name| !is_hidden(name)).cloned().collect();
        if shown.is_empty() {
            error.remove(ContextKind::SuggestedSubcommand);
        } else {
            error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(shown));
        }
    }
    error
}
