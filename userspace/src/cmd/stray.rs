//! The value of an option that became a target: where targets may follow, a value that can be left out needs a `=`.

use std::ffi::OsString;

use sockleak_core::choice::Choice as _;

use crate::{failure::Failure, probe::options::StackPolicy};

/// Refuses a target that is a value of the option before it, as in `--watch 2` and `--stacks off`.
///
/// # Errors
/// If there is one.
pub(super) fn refuse(
    targets: &[OsString],
    option: &str,
    is_value: impl Fn(&str) -> bool,
) -> Result<(), Failure> {
    let stray = targets.iter().filter_map(|target| target.to_str()).find(|text| is_value(text));
    let Some(stray) = stray else { return Ok(()) };
    Err(Failure::Usage(format!(
        "{stray} is read as a socket; write {option}={stray}, or ./{stray} for a socket of that name"
    )))
}

/// The same for `--stacks`.
///
/// # Errors
/// See [`refuse`].
pub(super) fn refuse_policy(targets: &[OsString], stacks: Option<StackPolicy>) -> Result<(), Failure> {
    // What the option alone means.
    if stacks != Some(StackPolicy::On) {
        return Ok(());
    }
    refuse(targets, "--stacks", |text| StackPolicy::named(text).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_became_a_target_is_refused() {
        let on = Some(StackPolicy::On);
        for (targets, stacks, is_refused) in [
            (&["ma.sock", "off"][..], on, true),
            (&["auto"], on, true),
            (&["./off", "offline.sock"], on, false),
            // `--stacks=auto off`, or no such option.
            (&["off"], Some(StackPolicy::Auto), false),
            (&["off"], None, false),
        ] {
            let targets: Vec<OsString> = targets.iter().map(OsString::from).collect();
            assert_eq!(refuse_policy(&targets, stacks).is_err(), is_refused, "{targets:?}");
        }
    }
}
