//! `sockleak stacks`: the process that reads other programs' files for stacks.

use anyhow::Context as _;

use crate::{
    child::{self, Limits},
    cli::Stacks,
    failure::Failure,
    stacks::worker,
};

/// Runs it until the tracer closes the link.
///
/// # Errors
/// If it was not started by sockleak, or the link fails.
pub fn run(arguments: &Stacks) -> Result<(), Failure> {
    /// Address space besides that of files: its own program, and what names them takes.
    const BESIDES: u64 = 256 << 20;
    let memory = arguments.room.saturating_add(arguments.room / 2).saturating_add(BESIDES);
    let limits = Limits { descriptors: 1024, memory: Some(memory), processor: Some(600) };
    // Afterwards its own /proc is closed to it.
    child::easily_killed();
    child::confine("stacks", &[arguments.link], limits).map_err(|error| Failure::Usage(error.to_string()))?;
    let link = child::inherited(arguments.link).ok_or_else(|| {
        Failure::Usage("`sockleak stacks` is started by sockleak itself, not by hand".to_owned())
    })?;
    worker::serve(&link, arguments.room).context("the process that reads programs ends")?;
    Ok(())
}
