//! `sockleak export`: a recording as rows for other tools.

use std::io::{self, IsTerminal as _};

use sockleak_core::event::Window;
use sockleak_recording::{
    Trace,
    export::{Format, Style, export},
};
use sockleak_report::document;

use super::{
    destination::{Destination, is_stdout},
    part,
    report::note_end,
};
use crate::{cli, console::Progress, failure::Failure};

/// Runs it.
///
/// # Errors
/// If the recording cannot be read, or the output cannot be written. A reader that left is no error.
pub fn run(arguments: &cli::Export) -> Result<(), Failure> {
    let (format, what) = (form(arguments)?, arguments.what);
    let to_file = arguments.output.as_deref().is_some_and(|path| !is_stdout(path));
    let is_terminal = !to_file && io::stdout().is_terminal();
    if is_terminal && format == Format::Parquet {
        let message = "Parquet is not for a terminal; name a file with --output, or pipe it somewhere";
        return Err(Failure::Usage(message.to_owned()));
    }
    let trace = Trace::open(&arguments.trace)?;
    let name = arguments.trace.display().to_string();
    let window = part::window(arguments.part, trace.header(), trace.progress(), &name)?;
    note_end(&trace, &arguments.trace, "the rows are");
    let mut destination =
        Destination::open(arguments.output.as_deref(), std::slice::from_ref(&arguments.trace))?;
    let style = Style { format, is_terminal };
    let window = window.unwrap_or(Window::ALWAYS);
    // Between rows on the same terminal, a line that is rewritten would be a nuisance.
    let shown = (!is_terminal).then(|| Progress::reading(&name, trace.records_read()));
    let outcome = export(&trace, what, window, style, destination.writer())
        .map_err(|error| destination.name(error.into()));
    drop(shown);
    match outcome.and_then(|()| destination.finish()) {
        Err(Failure::Output(cause) | Failure::OutputFile { cause, .. })
            if cause.kind() == io::ErrorKind::BrokenPipe =>
        {
            Ok(())
        }
        outcome => outcome,
    }
}

/// The format that was asked for, else the one that the file's name ends with.
fn form(arguments: &cli::Export) -> Result<Format, Failure> {
    match (arguments.format, arguments.output.as_deref()) {
        (Some(format), _) => Ok(format),
        (None, None) => Ok(Format::default()),
        (None, Some(path)) => match Format::of_file(path) {
            None if document::Format::of_file(path)
                .is_some_and(|format| format != document::Format::Text) =>
            {
                Err(Failure::Usage(format!(
                    "{} ends like a file of sockleak report; end it with .csv, .jsonl or .parquet, or add --format",
                    path.display()
                )))
            }
            format => Ok(format.unwrap_or_default()),
        },
    }
}
