//! A finding in a sentence of its own, outside of a report.

use super::{findings::FindingReport, words};

impl FindingReport {
    /// What was found, as reports state it; `leak_age` in nanoseconds. Names are as they are: escape it for where it is
    /// shown.
    #[must_use]
    pub fn sentence(&self, leak_age: u64) -> String {
        words::statement(self, leak_age, str::to_owned)
    }
}
