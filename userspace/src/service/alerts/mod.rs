//! Alerts: what holds for long enough is told once, and once more when it is over.
//!
//! [`conditions`] says what holds now, [`Alerts`] what of that is news; both are pure. [`Sinks`] pass the news on.

mod condition;
mod engine;
mod notification;
mod sinks;
mod state;

pub use condition::{Condition, Facts, FindingFacts, SocketFacts, conditions};
pub use engine::{Alerts, Moment};
pub use notification::{Key, Kind, Notification, Status};
pub use sinks::{Delivery, SinkCounts, SinkError, Sinks};
pub use state::{Saved, StateError};

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
