//! What the user chose.

use super::Session;
use crate::{
    attribution::{
        by::By,
        files::Files,
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
    /// Takes another look at what the targets mean: sockets and links come and go.
    pub fn look(&mut self, files: &impl Files) {
        self.selection.look(files);
    }

    /// Looks for something else from now on, with other limits. What is tracked stays tracked until it is closed; a listener
    /// that was turned down is judged when it is described again, and until then what happens on it is nobody's.
    pub fn reconfigure(&mut self, selection: Selection, limits: Vec<GivenLimit>) {
        self.selection = selection;
        self.books.settings.limits = limits;
        for socket in &mut self.books.sockets {
            let given = self.books.settings.given_limit(&socket.path);
            // What was found out of the server stays.
            let found = socket.limit.filter(|limit| limit.source != limits::Source::Given);
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{
        attribution::{files::Unseen, targets::Target},
        event::End,
        testing::{connect, event, feed, listener, process, release, session},
    };

    /// Events that the kernel side took in before it was told of a listener may still come: they are no gap.
    #[test]
    fn what_was_turned_down_stays_known() {
        let mut session = session(&["a.sock"]);
        feed(
            &mut session,
            [process(7, Some("/bin/x")), listener(5, "/run/b.sock"), event(1, 7, connect(1, 5))],
        );
        let target = Target::parse("b.sock", Path::new("/")).expect("it is one");
        session.reconfigure(Selection::new(vec![target], &Unseen { namespace: 10 }), Vec::new());
        feed(&mut session, [event(2, 7, release(1, 5, End::Client))]);
        assert_eq!(session.open().count(), 0);
        // It is described again, under a new number or under the old one.
        for (number, connection) in [(6, 2), (5, 3)] {
            feed(&mut session, [listener(number, "/run/b.sock"), event(3, 7, connect(connection, number))]);
        }
        assert_eq!(session.open().count(), 2);
    }
}
