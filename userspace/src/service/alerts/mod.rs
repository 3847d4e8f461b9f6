//! Alerts: what holds for long enough is told once, and once more when it is over.
//!
//! [`Facts`] are taken from a snapshot; [`conditions`] says what of them is worth an alert, [`Alerts`] what of that is
//! news. All of that is pure. [`Sinks`] pass the news on, [`Saved`] outlives a restart.

mod condition;
mod engine;
mod facts;
mod notification;
mod sinks;
mod state;

pub use condition::{Condition, Facts, FindingFacts, SocketFacts, conditions};
pub use engine::{Alerts, Moment};
pub use notification::{Key, Kind, Notification, Status};
pub use sinks::{Delivery, SinkCounts, Sinks};
pub use state::{Saved, StateError, Undelivered};

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
