//! How each hook came out, and how often the kernel skipped its programs.

use std::{
    borrow::Cow,
    fs,
    os::fd::{AsRawFd as _, BorrowedFd},
    path::PathBuf,
};

use serde::{Deserialize, Serialize};

use super::plan::{Hook, Kind};

/// How a hook came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Its programs run, or wait until they are needed.
    Attached,
    /// The kernel lacks what it needs.
    Unsupported,
    /// The kernel has it, and refused.
    Refused,
}

/// A hook's status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookStatus {
    /// Which.
    pub hook: Hook,
    /// The function that it watches.
    pub function: Cow<'static, str>,
    /// By what kind of program.
    pub kind: Option<Kind>,
    /// How it came out.
    pub status: Outcome,
    /// Why, or a warning.
    pub reason: Option<String>,
}

/// How often the kernel skipped a program because it was running already; None where the kernel does not count that
/// (before 5.12).
#[must_use]
pub fn recursion_misses(program: BorrowedFd<'_>) -> Option<u64> {
    let path = PathBuf::from(format!("/proc/self/fdinfo/{}", program.as_raw_fd()));
    parse_misses(&fs::read_to_string(path).ok()?)
}

fn parse_misses(text: &str) -> Option<u64> {
    text.lines()
        .find_map(|line| line.strip_prefix("recursion_misses:"))
        .and_then(|count| count.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misses_are_read_where_the_kernel_counts_them() {
        assert_eq!(parse_misses("prog_type:\t26\nrecursion_misses:\t12\n"), Some(12));
        assert_eq!(parse_misses("prog_type:\t26\n"), None);
    }
}
