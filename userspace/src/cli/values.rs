//! Values of arguments, as users write them.

use std::{path::PathBuf, time::Duration};

use sockleak_core::attribution::filter::{Glob, GlobError};
use thiserror::Error;

use super::{Format, ReportFile};

/// A time that cannot be used.
#[derive(Debug, PartialEq, Error)]
pub(crate) enum DurationError {
    #[error("must be longer than nothing")]
    Zero,
    #[error("{0}; write for example 30, 500ms, 90s, 10m or 2h")]
    Unreadable(#[from] humantime::DurationError),
}

/// Reads a time. A bare number is one of seconds, as for sleep(1) and timeout(1).
pub(crate) fn duration(text: &str) -> Result<Duration, DurationError> {
    let seconds = text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    let duration = seconds
        .map_or_else(|| humantime::parse_duration(text), |seconds| Ok(Duration::from_secs(seconds)))?;
    if duration.is_zero() { Err(DurationError::Zero) } else { Ok(duration) }
}

/// A size of the ring buffer that cannot be used.
#[derive(Debug, PartialEq, Error)]
#[error("must be a power of two from 4096 to 1073741824, for example 33554432")]
pub(super) struct RingSizeError;

/// Reads the size of the ring buffer, in bytes.
pub(super) fn ring_size(text: &str) -> Result<u32, RingSizeError> {
    let is_usable = |size: &u32| size.is_power_of_two() && (4096..=1 << 30).contains(size);
    text.parse().ok().filter(is_usable).ok_or(RingSizeError)
}

/// A pod that cannot be meant.
#[derive(Debug, PartialEq, Error)]
pub(super) enum PodError {
    #[error(transparent)]
    Glob(#[from] GlobError),
    #[error("write NAMESPACE/POD or POD; a container of it is chosen by --container")]
    Levels,
}

/// Reads which pods are wanted.
pub(super) fn pod(text: &str) -> Result<Glob, PodError> {
    let glob = Glob::parse(text)?;
    if text.matches('/').count() > 1 { Err(PodError::Levels) } else { Ok(glob) }
}

/// Takes the form of a report from the name of its file.
pub(super) fn report_file(path: PathBuf) -> Result<ReportFile, &'static str> {
    let format = Format::of_file(&path).ok_or("its name must end with .txt, .json, .csv, .md or .html")?;
    Ok(ReportFile { path, format })
}

/// Takes the path of a recording that is to be written.
pub(super) fn recording(path: PathBuf) -> Result<PathBuf, &'static str> {
    if path.as_os_str() == "-" {
        return Err(
            "a recording is a database, which needs a file; write for example trace.db, or ./- for a file of that name",
        );
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_are_checked() {
        assert_eq!(duration("1m 30s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("30"), Ok(Duration::from_secs(30)));
        for bad in ["", "0", "0s", "-3s", "-3", "+3", "1.5", "99999999999999999999", "soon"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
        assert_eq!(ring_size("4096"), Ok(4096));
        for bad in ["", "4095", "12288", "2048", "99999999999"] {
            assert!(ring_size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_told_with_the_remedy() {
        let told = |text| duration(text).map_err(|error| error.to_string());
        assert_eq!(told("0"), Err("must be longer than nothing".to_owned()));
        let soon = "expected number at 0; write for example 30, 500ms, 90s, 10m or 2h";
        assert_eq!(told("soon"), Err(soon.to_owned()));
        let told = |text| ring_size(text).map_err(|error| error.to_string());
        let size = "must be a power of two from 4096 to 1073741824, for example 33554432";
        assert_eq!(told("12288"), Err(size.to_owned()));
        assert_eq!(told("x"), Err(size.to_owned()));
        assert!(pod("shop/web-*").is_ok() && pod("web").is_ok());
        assert_eq!(pod("a/b/c"), Err(PodError::Levels));
        assert!(matches!(pod(""), Err(PodError::Glob(_))));
    }
}
