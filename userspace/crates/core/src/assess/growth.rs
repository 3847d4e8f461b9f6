//! The growth of a finding, where it goes on.

use super::findings::FindingReport;
use crate::verdict::Verdict;

impl FindingReport {
    /// By how many an hour the connections of a leak, or of what looks like one, become more. None if they do not, if that is not
    /// known, and of a full socket: it takes no more. For other verdicts the figure is what chance leaves.
    #[must_use]
    pub fn growth(&self) -> Option<f64> {
        let grows = matches!(self.verdict, Verdict::ClientLeak | Verdict::ServerLeak | Verdict::Suspect);
        let is_full = self.slots_limit.is_some_and(|limit| self.slots_used >= limit);
        self.growth_per_hour.filter(|&growth| grows && growth > 0.0 && !is_full)
    }
}
