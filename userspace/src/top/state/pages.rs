//! Where one stands: pages, one below the other, each with its cursor.

use crate::service::model::Verdict;

/// What a page is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::top) enum What {
    /// A list.
    List(Scope, Pane),
    /// One connection.
    Story(u64),
    /// One finding.
    Finding(FindingKey),
}

/// What a list is restricted to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::top) struct Scope {
    pub(in crate::top) socket: Option<String>,
    /// Or another group that programs are told apart by.
    pub(in crate::top) program: Option<String>,
}

/// A kind of list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::top) enum Pane {
    Sockets,
    Programs,
    Connections,
    Findings,
    Events,
}

/// What a row stands for, whatever its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::top) enum Key {
    Socket(String),
    /// On a socket.
    Program(String, String),
    Connection(u64),
    Finding(FindingKey),
    Event(u64),
}

/// A finding, whatever its figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::top) struct FindingKey {
    pub(in crate::top) path: String,
    pub(in crate::top) program: String,
    pub(in crate::top) verdict: Verdict,
}

/// A page.
#[derive(Clone, Debug)]
pub(in crate::top) struct Page {
    pub(in crate::top) what: What,
    /// The row of the cursor; of a text, the first line that is shown.
    pub(in crate::top) cursor: usize,
    /// The first row that is shown.
    pub(in crate::top) top: usize,
    /// What the cursor is on; None while it has just been moved.
    pub(in crate::top) key: Option<Key>,
    /// Rows with this in their names alone are shown.
    pub(in crate::top) filter: String,
}

impl Page {
    pub(super) const fn new(what: What) -> Self {
        Self { what, cursor: 0, top: 0, key: None, filter: String::new() }
    }
}

impl Scope {
    /// The lists that there are of it.
    pub(in crate::top) const fn panes(&self) -> &'static [Pane] {
        use Pane::{Connections, Events, Findings, Programs, Sockets};

        match (&self.socket, &self.program) {
            (None, _) => &[Sockets, Programs, Connections, Findings, Events],
            (Some(_), None) => &[Programs, Connections, Findings, Events],
            (Some(_), Some(_)) => &[Connections, Findings, Events],
        }
    }

    /// Does something on this socket, of this program, belong to it?
    pub(in crate::top) fn has(&self, path: &str, program: &str) -> bool {
        self.socket.as_deref().is_none_or(|its| its == path)
            && self.program.as_deref().is_none_or(|its| its == program)
    }
}

impl Pane {
    /// Its name.
    pub(in crate::top) const fn name(self) -> &'static str {
        match self {
            Self::Sockets => "Sockets",
            Self::Programs => "Programs",
            Self::Connections => "Connections",
            Self::Findings => "Findings",
            Self::Events => "Events",
        }
    }
}
