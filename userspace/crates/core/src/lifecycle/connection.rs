//! One connection: a client end and a server end, each followed until it is released.

use std::sync::Arc;

use crate::{
    attribution::{stacks::StackId, who::Who},
    event::{End, Reason},
};

/// What is known of one end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndState {
    /// Somebody refers to it.
    Open,
    /// Nobody does any more.
    Released {
        /// When: nanoseconds since boot.
        at: u64,
        /// Who dropped the last reference.
        by: Arc<Who>,
        /// Why.
        reason: Reason,
    },
    /// Nobody does any more, and that was not seen.
    ReleasedUnseen {
        /// Since when that is known: nanoseconds since boot. None if it was so at first sight.
        known: Option<u64>,
    },
    /// The kernel's map of ends was full: nothing will be heard of it.
    Unknown,
}

impl EndState {
    /// Is it known to be open?
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self, Self::Open)
    }

    /// Is it known to be released?
    #[must_use]
    pub const fn is_released(&self) -> bool {
        matches!(self, Self::Released { .. } | Self::ReleasedUnseen { .. })
    }
}

/// The state of a connection, from its two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Waiting to be accepted.
    Queued,
    /// Waiting to be accepted, but the client has gone: it takes up the queue all the same.
    Abandoned,
    /// Open at both ends.
    Open,
    /// The client has gone, the server still holds its end.
    ClientClosed,
    /// The server has gone, the client still holds its end.
    ServerClosed,
    /// Released at both ends.
    Closed,
}

impl State {
    /// Its name in text and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Abandoned => "abandoned",
            Self::Open => "open",
            Self::ClientClosed => "client-closed",
            Self::ServerClosed => "server-closed",
            Self::Closed => "closed",
        }
    }
}

/// A connection. There may be millions: who did something is shared with others who did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Its number.
    pub id: u64,
    /// Its listener's number.
    pub listener: u64,
    /// When it was made, or if that was not seen, when it was first met: nanoseconds since boot.
    pub opened: u64,
    /// How it came to be known.
    pub origin: Origin,
    /// Who called connect; of a connection whose start was not seen, as far as that is known.
    pub opener: Arc<Who>,
    /// Inode of the client's socket.
    pub client_inode: u64,
    /// Who accepted it, when, and the inode of the accepted socket.
    pub accepted: Option<Accepted>,
    /// The end that called connect.
    pub client: EndState,
    /// The other.
    pub server: EndState,
    /// The opener's stack when it connected, where that was taken.
    pub stack: Option<StackId>,
    /// Which ends the kernel side follows, as far as they are open: the client's, the server's.
    pub followed: [bool; 2],
}

/// How a connection came to be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Its start was seen.
    Seen,
    /// It was there before tracing started.
    BeforeTrace,
    /// The record of its start was lost.
    StartLost,
}

/// How a connection was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// When: nanoseconds since boot. None if that was not seen.
    pub at: Option<u64>,
    /// By whom; if that was not seen, who was found to hold the end.
    pub by: Option<Arc<Who>>,
    /// Inode of the accepted socket.
    pub inode: u64,
}

impl Connection {
    /// One of the ends.
    #[must_use]
    pub const fn end(&self, end: End) -> &EndState {
        match end {
            End::Client => &self.client,
            End::Server => &self.server,
        }
    }

    /// Does the kernel side follow an end, as far as it is open?
    #[must_use]
    pub const fn is_followed(&self, end: End) -> bool {
        self.followed[end as usize]
    }

    pub(super) const fn follow(&mut self, end: End) {
        self.followed[end as usize] = true;
    }

    /// Does the kernel side not know an end that may be open, under this number?
    #[must_use]
    pub const fn is_untracked(&self, end: End) -> bool {
        match self.end(end) {
            EndState::Unknown => true,
            EndState::Open => !self.is_followed(end),
            EndState::Released { .. } | EndState::ReleasedUnseen { .. } => false,
        }
    }

    pub(super) const fn end_mut(&mut self, end: End) -> &mut EndState {
        match end {
            End::Client => &mut self.client,
            End::Server => &mut self.server,
        }
    }

    /// Are both ends released?
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.client.is_released() && self.server.is_released()
    }

    /// Where it stands. An end of which nothing is heard counts as open: it is not known to be released.
    #[must_use]
    pub const fn state(&self) -> State {
        let waiting = self.accepted.is_none() && self.server.is_open();
        match (self.client.is_released(), self.server.is_released()) {
            (true, true) => State::Closed,
            (false, true) => State::ServerClosed,
            (true, false) if waiting => State::Abandoned,
            (true, false) => State::ClientClosed,
            (false, false) if waiting => State::Queued,
            (false, false) => State::Open,
        }
    }

    /// Nanoseconds from its start to `now`.
    #[must_use]
    pub const fn age(&self, now: u64) -> u64 {
        now.saturating_sub(self.opened)
    }
}
