//! `sockleak serve` and `sockleak detach`.

use anyhow::Context as _;

use crate::{
    cli::Serve,
    console::say,
    failure::Failure,
    probe::pins::Root,
    service::{config::Config, run},
};

/// Runs the service.
///
/// # Errors
/// See [`Failure`].
pub fn run(arguments: &Serve) -> Result<(), Failure> {
    let config = Config::load(&arguments.config)?;
    if arguments.check_config {
        say(format_args!("{} can be used", arguments.config.display()));
        return Ok(());
    }
    run::run(config)
}

/// Takes out of the kernel what a service left there.
///
/// # Errors
/// If a service runs, or there is no right to.
pub fn detach() -> Result<(), Failure> {
    let root = Root::lock().map_err(|error| Failure::Other(error.into()))?;
    let removed = root.clear().context("what a service left cannot be removed")?;
    say(match removed {
        0 => "no service left anything in the kernel",
        _ => "the kernel has stopped tracing",
    });
    Ok(())
}
