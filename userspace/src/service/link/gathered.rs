//! Events on their way to those who listen.

use std::mem;

use serde_json::Value;
use sockleak_core::{session::Seen, time::Clock};
use sockleak_report::json;

/// What happened since it was taken last, while somebody listens: nobody else would take it.
#[derive(Debug)]
pub struct Gathered {
    clock: Clock,
    is_heard: bool,
    events: Vec<Value>,
}

impl Gathered {
    /// Nothing, for nobody. The clock tells the times of day.
    #[must_use]
    pub const fn new(clock: Clock) -> Self {
        Self { clock, is_heard: false, events: Vec::new() }
    }

    /// Takes in what was seen.
    pub fn see(&mut self, seen: &Seen<'_>) {
        if self.is_heard {
            self.events.push(json::event_object(seen, &self.clock));
        }
    }

    /// The events since this was asked last. `is_heard`: somebody listens to further ones.
    pub fn take(&mut self, is_heard: bool) -> Vec<Value> {
        self.is_heard = is_heard;
        mem::take(&mut self.events)
    }

    /// Are there none?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.events.is_empty()
    }
}
