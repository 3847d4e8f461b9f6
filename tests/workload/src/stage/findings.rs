//! What the report must conclude from everything that happened.

use super::{Door, Stage, Who};
use crate::truth::Finding;

impl Stage {
    /// The report must find this, and nothing that is not due; `who` is the program as it is now.
    pub fn due(&mut self, verdict: &str, who: Who, door: Door, count: u64) -> &mut Finding {
        let process = self.process(who);
        self.due_of(verdict, process, door, count)
    }

    /// The same of a process of the truth.
    pub fn due_of(&mut self, verdict: &str, process: usize, door: Door, count: u64) -> &mut Finding {
        let finding = Finding {
            path: self.truth.listeners[door.index].path.clone(),
            program: self.truth.processes[process].program.clone(),
            verdict: verdict.to_owned(),
            count,
            is_from_before: false,
            holders: Vec::new(),
        };
        let findings = self.truth.findings.get_or_insert_default();
        findings.push(finding);
        let last = findings.len() - 1;
        &mut findings[last]
    }

    /// Program of an actor, as a report names it.
    #[must_use]
    pub fn program(&self, who: Who) -> String {
        self.truth.processes[self.process(who)].program.clone()
    }
}
