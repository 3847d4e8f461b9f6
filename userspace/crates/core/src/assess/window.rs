//! A report of a part of a recording.
//!
//! Verdicts rest on everything up to the part's end: without what a program did earlier, a pool that is used once an hour would
//! look like a leak in ten minutes. Figures count the part alone.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{Program, Report, findings::HardshipReport};
use crate::{event::Window, verdict::Verdict};

/// What was known when a window began.
#[derive(Clone, Debug, Default)]
pub struct Earlier {
    /// Figures by socket and group.
    programs: HashMap<(String, String), Program>,
    /// What groups had suffered by then.
    hardships: HashMap<(String, String), HardshipReport>,
}

impl Earlier {
    /// Takes it from the report of that moment.
    #[must_use]
    pub fn new(report: Report<'_>) -> Self {
        let programs = report.programs.into_iter().map(|it| ((it.path.clone(), it.program.clone()), it));
        let hardships =
            report.findings.into_iter().filter_map(|it| Some(((it.path, it.program), it.hardship?)));
        Self { programs: programs.collect(), hardships: hardships.collect() }
    }
}

impl Report<'_> {
    /// Restricts a report that was drawn up at the window's end: figures count the window alone, and findings that nothing in it
    /// belongs to go.
    pub fn restrict(&mut self, window: Window, earlier: &Earlier) {
        for program in &mut self.programs {
            let key = (program.path.clone(), program.program.clone());
            if let Some(earlier) = earlier.programs.get(&key) {
                program.subtract(earlier);
            }
        }
        self.programs.retain(Program::is_any);
        let active: HashSet<(&str, &str)> =
            self.programs.iter().map(|it| (it.path.as_str(), it.program.as_str())).collect();
        self.findings.retain(|finding| match finding.verdict {
            // They are about ends that are open at the window's end.
            Verdict::ClientLeak
            | Verdict::ServerLeak
            | Verdict::StaleClient
            | Verdict::Suspect
            | Verdict::Inherited
            | Verdict::Pool => true,
            Verdict::Starved if finding.is_over() => {
                let key = (finding.path.clone(), finding.program.clone());
                let before = earlier.hardships.get(&key);
                before.is_none_or(|before| {
                    Some(before.sufferings()) != finding.hardship.as_ref().map(HardshipReport::sufferings)
                })
            }
            Verdict::Starved
            | Verdict::Saturated
            | Verdict::ExitOnly
            | Verdict::Undecided
            | Verdict::Healthy => active.contains(&(finding.path.as_str(), finding.program.as_str())),
        });
        self.seconds = window.until.saturating_sub(window.since) as f64 / 1e9;
        self.window = Some(window);
    }
}

impl Program {
    /// Counts only what came after `earlier`. Connections that were open then were there before.
    fn subtract(&mut self, earlier: &Self) {
        let open = (earlier.opened + earlier.before_trace).saturating_sub(earlier.closed);
        self.opened = self.opened.saturating_sub(earlier.opened);
        self.closed = self.closed.saturating_sub(earlier.closed);
        self.before_trace = self.before_trace.saturating_sub(earlier.before_trace) + open;
        let failed = std::mem::take(&mut self.failed).into_iter().map(|(error, count)| {
            let before = earlier.failed.get(&error).copied().unwrap_or(0);
            (error, count.saturating_sub(before))
        });
        self.failed = failed.filter(|&(_, count)| count > 0).collect::<BTreeMap<_, _>>();
    }

    /// Did it anything, or has it anything open?
    fn is_any(&self) -> bool {
        let counts = [self.opened, self.before_trace, self.closed, self.open_client, self.open_server];
        counts.iter().any(|&count| count > 0) || !self.failed.is_empty()
    }
}

impl HardshipReport {
    /// How often it suffered: these only grow.
    const fn sufferings(&self) -> [u64; 3] {
        [self.refused, self.abandoned, self.turned_away]
    }
}

#[cfg(test)]
mod tests;
