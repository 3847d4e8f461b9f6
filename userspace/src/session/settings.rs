//! What the user chose.

use super::Session;
use crate::{
    attribution::{
        by::By,
        limits::{self, GivenLimit, Limit},
        selection::Selection,
    },
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
    /// The number of slots of a socket, if it was given; the last one that means it counts.
    pub(super) fn given_limit(&self, path: &str) -> Option<Limit> {
        self.limits.iter().rev().find(|limit| limit.means(path)).map(GivenLimit::limit)
    }

    /// Those of them that verdicts depend on.
    #[must_use]
    pub const fn verdict(&self) -> verdict::Settings {
        verdict::Settings { leak_age: self.leak_age }
    }
}

impl Session {
    /// Looks for something else from now on, with other limits. What is tracked stays tracked until it is closed; a listener
    /// that was turned down is judged when it is described again.
    pub fn reconfigure(&mut self, selection: Selection, limits: Vec<GivenLimit>) {
        self.selection = selection;
        self.books.settings.limits = limits;
        self.books.ignored.clear();
        for socket in &mut self.books.sockets {
            let given = self.books.settings.given_limit(&socket.path);
            // What was found out of the server stays.
            let found = socket.limit.filter(|limit| limit.source == limits::Source::Assumed);
            socket.limit = given.or(found);
            socket.is_retired = true;
        }
        for followed in self.books.listeners.values() {
            if self.selection.selects(&followed.listener) {
                self.books.sockets[followed.socket.0].is_retired = false;
            }
        }
    }
}
