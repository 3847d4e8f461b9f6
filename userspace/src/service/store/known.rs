//! Descriptions of processes and listeners, so that each segment has those that its records name: the kernel side describes
//! each once.

use std::sync::Arc;

use sockleak_core::{
    event::{Listener, Process, ProcessId, Record},
    recent::Recent,
};

/// Processes that are remembered, at least: as many as a session does.
const PROCESSES: usize = 2048;
/// Listeners, likewise.
const LISTENERS: usize = 4096;

/// What was described, and whether in the present segment.
#[derive(Debug)]
pub(super) struct Known {
    processes: Recent<ProcessId, (Arc<Process>, u64)>,
    listeners: Recent<u64, (Arc<Listener>, u64)>,
    /// Counts segments.
    segment: u64,
}

impl Known {
    pub(super) fn new() -> Self {
        Self { processes: Recent::new(PROCESSES), listeners: Recent::new(LISTENERS), segment: 0 }
    }

    /// From now on nothing is described.
    pub(super) const fn begin_segment(&mut self) {
        self.segment += 1;
    }

    /// Takes in a record that is in the segment.
    pub(super) fn learn(&mut self, record: &Record) {
        match record {
            Record::Process(process) => self.processes.put(process.id, (Arc::clone(process), self.segment)),
            Record::Listener(listener) => {
                self.listeners.put(listener.id, (Arc::clone(listener), self.segment));
            }
            _ => {}
        }
    }

    /// What a record names and the segment lacks. It counts as described from now on.
    pub(super) fn missing(&mut self, record: &Record) -> [Option<Record>; 2] {
        let (process, listener) = match record {
            Record::Event(event) => (event.actor.id, event.what.listener()),
            Record::Held(held) => (held.holder.id, Some(held.listener)),
            _ => return [None, None],
        };
        let segment = self.segment;
        let process = self.processes.get(&process).filter(|(_, described)| *described != segment);
        let listener = listener.and_then(|listener| self.listeners.get(&listener));
        let listener = listener.filter(|(_, described)| *described != segment);
        let missing = [
            process.map(|(process, _)| Record::Process(process)),
            listener.map(|(listener, _)| Record::Listener(listener)),
        ];
        missing.iter().flatten().for_each(|record| self.learn(record));
        missing
    }
}
