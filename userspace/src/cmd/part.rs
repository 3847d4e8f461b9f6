//! The part of a recording that `--since` and `--until` mean.

use sockleak_core::{event::Window, time::nanoseconds};
use sockleak_recording::{Header, Progress};

use crate::{
    cli::{Moment, Part},
    clock,
    failure::Failure,
};

/// The part of a recording that is wanted, within its bounds; None if all of it is.
///
/// # Errors
/// If nothing of it is wanted.
pub(super) fn window(
    part: Part,
    header: &Header,
    progress: &Progress,
    name: &str,
) -> Result<Option<Window>, Failure> {
    if part.since.is_none() && part.until.is_none() {
        return Ok(None);
    }
    let (first, last) = (i128::from(header.started), i128::from(progress.now));
    // Since boot, as the recording's own times are.
    let moment = |moment| match moment {
        Moment::BeforeEnd(duration) => last - i128::from(nanoseconds(duration)),
        Moment::At(time) => time.as_nanosecond() - i128::from(header.boot_time),
    };
    let (since, until) = (part.since.map_or(first, moment), part.until.map_or(last, moment));
    if since > until && part.since.is_some() && part.until.is_some() {
        return Err(Failure::Usage(format!("--since is after --until in {name}; exchange them")));
    }
    if since > last || until < first {
        let clock = clock::booted_at(header.boot_time);
        return Err(Failure::Outside(format!(
            "{name} goes from {} to {}: nothing of it is within --since and --until; choose a time in between",
            clock.local(header.started),
            clock.local_with_zone(progress.now)
        )));
    }
    let within = |moment: i128| u64::try_from(moment.clamp(first, last)).unwrap_or(header.started);
    Ok(Some(Window { since: within(since), until: within(until) }))
}
