//! What a capture says and records while it goes on.

use serde_json::{Value, json};
use sockleak_core::{
    assess::Loss,
    event::{Listener, Record},
    session::{FoundConnection, Seen},
    time::Clock,
};
use sockleak_recording::Writer;
use sockleak_report::{
    json,
    live::{HEADINGS, Lines},
};

use crate::{cli::Capture, clock, cmd::output::Output, console::say, failure::Failure, tracer::Audience};

/// Prints lines or JSON, and records.
pub(super) struct Teller {
    pub(super) out: Output,
    pub(super) recording: Option<Writer>,
    is_json: bool,
    is_quiet: bool,
    /// So many events are enough.
    count: Option<u64>,
    lines: Lines,
    clock: Clock,
    events: u64,
    last_event: u64,
    /// Connections that rounds found.
    found: u64,
}

impl Teller {
    pub(super) fn new(arguments: &Capture, clock: Clock, recording: Option<Writer>) -> Self {
        Self {
            out: Output::default(),
            recording,
            is_json: arguments.json,
            is_quiet: arguments.quiet,
            count: arguments.count,
            lines: Lines::new(clock.clone()),
            clock,
            events: 0,
            last_event: 0,
            found: 0,
        }
    }

    /// Says that tracing has begun. `session` describes it in JSON.
    pub(super) fn begin(&mut self, session: &Value) -> Result<(), Failure> {
        if self.is_json {
            self.out.json(session);
        } else if !self.is_quiet {
            say("tracing; Ctrl-C ends it with the report");
            self.out.buffer.extend_from_slice(HEADINGS.as_bytes());
            self.out.buffer.push(b'\n');
        }
        self.out.flush()
    }

    /// Says that what was there is found.
    pub(super) fn watching(&mut self) -> Result<(), Failure> {
        if self.is_json && !self.is_quiet {
            self.out.json(&json!({"type": "watching", "boot_ns": clock::now(), "found": self.found}));
        }
        self.out.flush()
    }

    /// Is there nobody to tell more, or enough told?
    pub(super) fn is_done(&mut self) -> bool {
        self.is_enough() || self.out.is_closed()
    }

    /// With a count that is reached, the moment of the last event: nanoseconds since boot.
    pub(super) fn moment(&self) -> Option<u64> {
        self.is_enough().then_some(self.last_event)
    }
}

impl Audience for Teller {
    fn is_enough(&self) -> bool {
        self.count.is_some_and(|count| self.events >= count)
    }

    fn keeps(&self) -> bool {
        self.recording.is_some()
    }

    fn keep(&mut self, record: Record, place: Option<&[u8]>) {
        if let Some(writer) = &mut self.recording {
            writer.record(record, place);
        }
    }

    fn listener(&mut self, listener: &Listener) {
        if self.is_json && !self.is_quiet {
            self.out.json(&json::listener(listener));
        }
    }

    fn seen(&mut self, seen: &Seen<'_>) {
        self.events += 1;
        self.last_event = seen.at;
        match (self.is_quiet, self.is_json) {
            (true, _) => {}
            (false, true) => self.out.json(&json::event(seen, &self.clock)),
            (false, false) => self.lines.write(seen, &mut self.out.buffer),
        }
    }

    fn found(&mut self, found: &FoundConnection<'_>) {
        self.found += 1;
        match (self.is_quiet, self.is_json) {
            (true, _) => {}
            (false, true) => self.out.json(&json::found(found, &self.clock)),
            (false, false) => self.lines.found(found, &mut self.out.buffer),
        }
    }

    fn lost(&mut self, losses: &[Loss]) {
        if self.is_json {
            self.out.json(&json::losses(losses));
            return;
        }
        for Loss { hook, what, count } in losses {
            say(format_args!("{what} lost at hook {hook}, {count} so far"));
        }
    }

    fn relieve(&mut self) -> Result<(), Failure> {
        self.out.relieve()
    }
}
