//! What makes a report end with a status of its own.

use std::str::FromStr;

use sockleak_core::verdict::{UnknownVerdict, Verdict};

use super::Names;

/// Something that may be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailOn {
    /// Something is known to be missing.
    Incomplete,
    /// A verdict.
    Verdict(Verdict),
}

impl FailOn {
    /// Parses it; the help lists all.
    #[must_use]
    pub fn names() -> Names<Self> {
        Names::verdicts_and(&["incomplete"])
    }

    /// Its name in arguments.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Incomplete => "incomplete",
            Self::Verdict(verdict) => verdict.name(),
        }
    }
}

impl FromStr for FailOn {
    type Err = UnknownVerdict;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        if name == Self::Incomplete.name() { Ok(Self::Incomplete) } else { name.parse().map(Self::Verdict) }
    }
}
