//! What the user chose.

use crate::{
    attribution::{by::By, limits::GivenLimit},
    verdict,
};

/// What the user chose, and when the session began.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// When observation began: nanoseconds since boot.
    pub started: u64,
    /// Age from which a connection counts as old, in nanoseconds.
    pub leak_age: u64,
    /// Slots of sockets.
    pub limits: Vec<GivenLimit>,
    /// What figures and findings are grouped by.
    pub by: By,
}

impl Settings {
    /// Those of them that verdicts depend on.
    #[must_use]
    pub const fn verdict(&self) -> verdict::Settings {
        verdict::Settings { leak_age: self.leak_age }
    }
}
