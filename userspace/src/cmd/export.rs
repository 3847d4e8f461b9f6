//! `sockleak export`: a recording as rows for other tools.

use std::io::{self, IsTerminal as _};

use super::{destination::Destination, report::note_end};
use crate::{
    cli,
    export::{Format, Style, export},
    failure::Failure,
    trace_file::Trace,
};

/// Runs it.
///
/// # Errors
/// If the trace cannot be read, or the output cannot be written. A reader that left is no error.
pub fn run(arguments: &cli::Export) -> Result<(), Failure> {
    let &cli::Export { format, what, .. } = arguments;
    let is_terminal = arguments.output.is_none() && io::stdout().is_terminal();
    if is_terminal && format == Format::Parquet {
        let message = "Parquet is not for a terminal; name a file with --output, or pipe it somewhere";
        return Err(Failure::Usage(message.to_owned()));
    }
    let trace = Trace::open(&arguments.trace)?;
    note_end(&trace, &arguments.trace, "the rows are");
    let mut destination =
        Destination::open(arguments.output.as_deref(), std::slice::from_ref(&arguments.trace))?;
    let style = Style { format, is_terminal };
    let outcome = export(&trace, what, style, destination.writer()).map_err(|error| destination.name(error));
    match outcome.and_then(|()| destination.finish()) {
        Err(Failure::Output(cause) | Failure::OutputFile { cause, .. })
            if cause.kind() == io::ErrorKind::BrokenPipe =>
        {
            Ok(())
        }
        outcome => outcome,
    }
}
