//! `sockleak archive`: the process that puts a segment of the service's store into its archive.

use std::os::unix::net::UnixStream;

use anyhow::Context as _;

use crate::{
    child::{self, Limits},
    cli::Archive,
    failure::Failure,
    service::archive::worker,
};

/// Address space, beside the segment: its own program, the rows that are gathered, and the session.
const BESIDES: u64 = 1 << 30;

/// Runs it for one segment.
///
/// # Errors
/// If it was not started by `sockleak serve`, or that has gone.
pub fn run(arguments: &Archive) -> Result<(), Failure> {
    let by_hand =
        || Failure::Usage("`sockleak archive` is started by `sockleak serve`, not by hand".to_owned());
    let &Archive { link, segment } = arguments;
    if link == segment {
        return Err(by_hand());
    }
    child::easily_killed();
    // What traces needs the processor more.
    child::give_way();
    let file = child::inherited_file(segment).ok_or_else(by_hand)?;
    let size = file.metadata().context("the segment cannot be read")?.len();
    let limits = Limits { descriptors: 256, memory: Some(size.saturating_add(BESIDES)), processor: None };
    child::confine("archive", &[link, segment], limits).map_err(|error| Failure::Usage(error.to_string()))?;
    let link = child::inherited(link).ok_or_else(by_hand)?;
    worker::serve(&UnixStream::from(link), &file).context("the process that archives ends")?;
    Ok(())
}
