//! Several segments as one recording.

use std::{ops::ControlFlow, path::Path};

use sockleak_core::event::{Carried, Record};
use sockleak_recording::{Header, Progress, Segment, Trace, TraceError, segment};

use super::{StoreError, directory};

/// Segments that go on where the one before ends: nothing is missing in between. Another boot of the host, another start of
/// the kernel side and a time in which nothing could be stored begin another recording.
#[derive(Debug)]
pub struct Recording {
    traces: Vec<Trace>,
    header: Header,
    progress: Progress,
    segment: Segment,
    /// Number of the last segment.
    last: u64,
}

/// All that a store has.
#[derive(Debug)]
pub struct Recordings {
    /// The oldest first.
    pub recordings: Vec<Recording>,
    /// Files that cannot be read, each a sentence. They end a recording.
    pub damaged: Vec<TraceError>,
}

impl Recording {
    /// Opens all that a store has, as it is now: it may be written to meanwhile.
    ///
    /// # Errors
    /// If the directory cannot be read, or something in it was written by a newer version.
    pub fn all(directory: &Path) -> Result<Recordings, StoreError> {
        let mut found = Recordings { recordings: Vec::new(), damaged: Vec::new() };
        for entry in directory::entries(directory)?.into_iter().filter(directory::Entry::is_segment) {
            let trace = match Trace::open(&entry.path) {
                Ok(trace) => trace,
                // Deleted just now, or about to become one.
                Err(TraceError::Missing(_)) => continue,
                Err(TraceError::NotATrace(path)) if segment::is_blank(&path, false) => continue,
                Err(error) if error.is_of_the_file() => {
                    found.damaged.push(error);
                    continue;
                }
                Err(error) => return Err(StoreError::reading(error)),
            };
            // A recording of its own is no part of a store, whatever it is called.
            let Some(segment) = trace.segment().cloned() else { continue };
            match found.recordings.last_mut().filter(|it| it.goes_on(entry.number, &segment)) {
                Some(recording) => recording.append(trace, entry.number, segment),
                None => found.recordings.push(Self {
                    header: trace.header().clone(),
                    progress: trace.progress().clone(),
                    traces: vec![trace],
                    last: entry.number,
                    segment,
                }),
            }
        }
        Ok(found)
    }

    /// Is a file called as segments of a store are?
    #[must_use]
    pub fn is_segment(path: &Path) -> bool {
        directory::number(path).is_some()
    }

    fn goes_on(&self, number: u64, segment: &Segment) -> bool {
        segment.follows && segment.source == self.segment.source && self.last + 1 == number
    }

    fn append(&mut self, trace: Trace, number: u64, segment: Segment) {
        // What was chosen last counts; it began when the first did.
        self.header = Header { started: self.header.started, ..trace.header().clone() };
        self.progress = trace.progress().clone();
        self.traces.push(trace);
        (self.last, self.segment) = (number, segment);
    }

    /// What was known when it began, and what was chosen in the end.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// How far it got.
    #[must_use]
    pub const fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Did it end in order? If not, it still goes on or was broken off.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.traces.last().is_some_and(Trace::is_ended)
    }

    /// What it came from, and up to where in the ring buffer it goes.
    #[must_use]
    pub const fn segment(&self) -> &Segment {
        &self.segment
    }

    /// Its first file, and the last one's name.
    #[must_use]
    pub fn name(&self) -> String {
        let mut paths = self.paths();
        let first = paths.next().map(|path| path.display().to_string()).unwrap_or_default();
        let last = paths.last().and_then(Path::file_name);
        last.map_or(first.clone(), |last| format!("{first} to {}", last.display()))
    }

    /// Its files, the oldest first.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.traces.iter().map(Trace::path)
    }

    /// Feeds all records in their order, until `feed` breaks off. What a segment carries over comes from the first one alone:
    /// the others begin where the one before ends.
    ///
    /// # Errors
    /// If a file is damaged or cannot be read any more. What was fed until then was right.
    pub fn replay(&self, mut feed: impl FnMut(Record) -> ControlFlow<()>) -> Result<(), TraceError> {
        let mut flow = ControlFlow::Continue(());
        for (index, trace) in self.traces.iter().enumerate() {
            let mut is_carried = false;
            trace.replay(|record| {
                let ends = matches!(record, Record::Carried(Carried::Ends { .. }));
                is_carried |= matches!(record, Record::Carried(Carried::Begins));
                if index == 0 || !is_carried {
                    flow = feed(record);
                }
                is_carried &= !ends;
                flow
            })?;
            if flow.is_break() {
                break;
            }
        }
        Ok(())
    }
}
