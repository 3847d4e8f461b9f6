//! What is missing from the evidence, as figures that add up.

use std::fmt;

use super::Loss;
use crate::{
    assess::Coverage,
    lifecycle::EndState,
    session::Session,
    text::count::{agreeing, counted, times},
    time::human,
};

/// Something that is missing, and how much of it. It reads as a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// What the kernel side lost.
    Lost(Loss),
    /// Events that did not fit what came before.
    Misfits(u64),
    /// Times in which nothing was watched.
    Unwatched {
        /// How many.
        times: u64,
        /// How long they were in all, in nanoseconds.
        nanoseconds: u64,
    },
    /// Connections with an end that could not be followed.
    Unfollowed(u64),
    /// Records that could not be decoded.
    Undecoded(u64),
    /// Records that could not be stored.
    Unstored(u64),
    /// Segments of the store that are not in its archive, and never will be.
    Unarchived(u64),
}

impl Missing {
    /// How much is missing, in whatever it is counted.
    #[must_use]
    pub const fn amount(&self) -> u64 {
        match self {
            Self::Lost(loss) => loss.count,
            Self::Unwatched { times, .. } => *times,
            Self::Misfits(count)
            | Self::Unfollowed(count)
            | Self::Undecoded(count)
            | Self::Unstored(count)
            | Self::Unarchived(count) => *count,
        }
    }

    /// Is it the same that is missing, whatever the amounts?
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Lost(one), Self::Lost(other)) => (&one.hook, &one.what) == (&other.hook, &other.what),
            (one, other) => std::mem::discriminant(one) == std::mem::discriminant(other),
        }
    }

    /// What is missing more than at an earlier time.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let count = self.amount().saturating_sub(before.amount());
        match (self, before) {
            (Self::Lost(loss), _) => Self::Lost(Loss { count, ..loss.clone() }),
            (Self::Misfits(_), _) => Self::Misfits(count),
            (Self::Unfollowed(_), _) => Self::Unfollowed(count),
            (Self::Undecoded(_), _) => Self::Undecoded(count),
            (Self::Unstored(_), _) => Self::Unstored(count),
            (Self::Unarchived(_), _) => Self::Unarchived(count),
            (Self::Unwatched { nanoseconds, .. }, before) => {
                let less = if let Self::Unwatched { nanoseconds, .. } = before { *nanoseconds } else { 0 };
                Self::Unwatched { times: count, nanoseconds: nanoseconds.saturating_sub(less) }
            }
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost(Loss { hook, what, count }) => {
                write!(f, "{what} of the {hook} hook lost at least {}", times(*count))
            }
            Self::Misfits(count) => write!(f, "{} did not fit what came before", counted(*count, "event")),
            Self::Unwatched { times: often, nanoseconds } => {
                let time = human(*nanoseconds);
                write!(f, "nothing was watched {}, for {time} in all", times(*often))
            }
            Self::Unfollowed(count) => {
                let (connections, have) = (counted(*count, "connection"), agreeing(*count, "has", "have"));
                write!(f, "{connections} {have} an end that could not be followed")
            }
            Self::Undecoded(count) => write!(f, "{} could not be decoded", counted(*count, "record")),
            Self::Unstored(count) => write!(f, "{} could not be stored", counted(*count, "record")),
            Self::Unarchived(count) => {
                let (segments, were) = (counted(*count, "segment"), agreeing(*count, "was", "were"));
                write!(f, "{segments} of the store {were} deleted or damaged before being archived")
            }
        }
    }
}

impl Coverage {
    /// What is missing from the evidence, a sentence each.
    #[must_use]
    pub fn missing(&self, session: &Session) -> Vec<String> {
        let amounts = self.amounts(session).into_iter().map(|missing| missing.to_string());
        self.gaps.iter().cloned().chain(amounts).collect()
    }

    /// What of that adds up, besides [`Coverage::gaps`].
    #[must_use]
    pub fn amounts(&self, session: &Session) -> Vec<Missing> {
        let is_unknown = |end: &EndState| matches!(end, EndState::Unknown);
        let unfollowed =
            session.open().filter(|(_, it)| is_unknown(&it.client) || is_unknown(&it.server)).count();
        let (times, nanoseconds) = session.blind();
        let others = [
            Missing::Misfits(session.misfits()),
            Missing::Unwatched { times, nanoseconds },
            Missing::Unfollowed(unfollowed as u64 + session.forgotten()),
        ];
        let losses = self.losses.iter().cloned().map(Missing::Lost);
        losses.chain(others.into_iter().filter(|missing| missing.amount() > 0)).collect()
    }
}
