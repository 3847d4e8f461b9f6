//! What can be looked at, and which questions that takes.

use serde::de::DeserializeOwned;
use sockleak_core::{lifecycle::State, verdict::Verdict};
use sockleak_report::html::lanes::LANES;

use super::{
    cells::encoded,
    range::{RANGES, Range, RangeError},
};
use crate::service::{
    link::{
        Answer, Question,
        question::{ConnectionFilter, SeriesRange, Sort},
    },
    model::{Page, Refused, SeriesOf, Snapshot, Story},
};

/// Connections of a page of their table.
pub(super) const ROWS: u32 = 50;
/// Connections that are drawn which were closed a short time ago.
const CLOSED: u32 = 12;

/// The place of the history among the answers for a socket, which is the last.
const SERIES: usize = 4;

/// A view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum View {
    /// All sockets, after so many.
    Overview { offset: usize },
    /// One socket.
    Socket(SocketView),
    /// The lanes of one socket alone.
    Lanes(SocketView),
    /// One connection.
    Connection { id: u64 },
    /// What a verdict means.
    Explain { verdict: Verdict },
}

/// One socket, in a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SocketView {
    pub(super) path: String,
    pub(super) range: Range,
    /// Connections of the table come after so many.
    pub(super) offset: u32,
    pub(super) listing: Listing,
    pub(super) series: SeriesRange,
    /// When it was asked for: milliseconds since 1970.
    pub(super) now: i64,
    pub(super) with_argv: bool,
}

/// Which connections the table lists, and in which order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listing {
    /// Opened by this program or group.
    pub(crate) program: Option<String>,
    /// With this in a name or in the process's number, as the API takes it.
    pub(crate) contains: Option<String>,
    /// None: the oldest first.
    pub(crate) sort: Option<Sort>,
}

impl Listing {
    /// As parameters of an address.
    pub(super) fn parameters(&self) -> String {
        let text = |name: &str, value: &Option<String>| {
            value.as_deref().map_or_else(String::new, |value| format!("&{name}={}", encoded(value)))
        };
        let sort = self.sort.map_or_else(String::new, |sort| format!("&sort={}", sort.name()));
        format!("{}{}{sort}", text("program", &self.program), text("contains", &self.contains))
    }

    /// Does it leave some out?
    pub(super) const fn is_filter(&self) -> bool {
        self.program.is_some() || self.contains.is_some()
    }
}

impl SocketView {
    /// `now` is milliseconds since 1970; so are both ends of a time that is `chosen`. Else `range` is named as in [`RANGES`], the
    /// second unless one is named.
    pub(crate) fn new(
        path: String,
        (range, chosen): (Option<&str>, Option<(i64, i64)>),
        offset: u32,
        now: i64,
        with_argv: bool,
    ) -> Result<Self, RangeError> {
        let range = match (chosen, range) {
            (Some(_), Some(_)) => return Err(RangeError::Both),
            (Some((from, to)), None) => Range::chosen(from, to)?,
            (None, Some(name)) => Range::named(name)?,
            (None, None) => RANGES[1],
        };
        let series = range.series(&path, now);
        Ok(Self { path, range, offset, listing: Listing::default(), series, now, with_argv })
    }

    /// For how long back from now the lanes reach, in milliseconds.
    pub(super) fn reach(&self) -> i64 {
        match self.range.begin {
            Some(begin) => self.now.saturating_sub(begin).max(self.range.step),
            None => self.range.length(),
        }
    }

    /// The same with another listing.
    pub(crate) fn listing(self, listing: Listing) -> Self {
        Self { listing, ..self }
    }

    /// The address of the same socket in the same time, with this listing.
    pub(super) fn address(&self, listing: &Listing) -> String {
        self.address_in(&self.range.parameters(), listing)
    }

    /// The same in another time, which is given as parameters.
    pub(super) fn address_in(&self, time: &str, listing: &Listing) -> String {
        format!("/socket?path={}&{time}{}", encoded(&self.path), listing.parameters())
    }

    /// Those of the table.
    pub(super) fn table(&self) -> ConnectionFilter {
        let Listing { program, contains, sort } = self.listing.clone();
        ConnectionFilter { program, contains, sort, limit: ROWS, offset: self.offset, ..self.oldest() }
    }

    /// Those that are drawn.
    pub(super) fn oldest(&self) -> ConnectionFilter {
        ConnectionFilter {
            socket: Some(self.path.clone()),
            limit: LANES as u32 - CLOSED,
            with_argv: self.with_argv,
            ..ConnectionFilter::default()
        }
    }

    /// Those that are drawn, too, and were closed a short time ago.
    pub(super) fn closed(&self) -> ConnectionFilter {
        ConnectionFilter { state: Some(State::Closed.name().to_owned()), limit: CLOSED, ..self.oldest() }
    }
}

/// The address where the API answers with the same connections.
pub(super) fn address(filter: &ConnectionFilter) -> String {
    let socket = encoded(filter.socket.as_deref().unwrap_or_default());
    let state = filter.state.as_deref().map_or_else(String::new, |state| format!("&state={state}"));
    let listing =
        Listing { program: filter.program.clone(), contains: filter.contains.clone(), sort: filter.sort };
    let listing = listing.parameters();
    format!(
        "/api/v1/connections?socket={socket}{state}{listing}&limit={}&offset={}",
        filter.limit, filter.offset
    )
}

impl View {
    /// The questions whose answers it is made of, in the order in which [`Sources`] takes them.
    pub(crate) fn questions(&self, with_argv: bool) -> Vec<Question> {
        match self {
            Self::Overview { .. } => vec![Question::Snapshot],
            Self::Socket(view) => vec![
                Question::Snapshot,
                Question::Connections(view.oldest()),
                Question::Connections(view.closed()),
                Question::Connections(view.table()),
                Question::Series(view.series.clone()),
            ],
            Self::Lanes(view) => {
                vec![Question::Connections(view.oldest()), Question::Connections(view.closed())]
            }
            Self::Explain { .. } => Vec::new(),
            Self::Connection { id } => vec![Question::Connection { id: *id, with_argv }],
        }
    }
}

/// What was answered, in the order of the questions.
pub(crate) struct Sources(pub(crate) Vec<Answer>);

/// There is nothing to show.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ViewError {
    #[error("no socket {0:?} is watched")]
    NoSocket(String),
    #[error("an answer is missing")]
    Missing,
    /// The tracer says why it does not answer.
    #[error("{0}")]
    Refused(String),
    #[error("the tracer's answer cannot be read: {0}")]
    Unreadable(#[source] serde_json::Error),
}

impl Sources {
    fn read<T: DeserializeOwned>(&self, nth: usize) -> Result<T, ViewError> {
        let answer = self.0.get(nth).ok_or(ViewError::Missing)?;
        if answer.status != 200 {
            let refused = serde_json::from_slice::<Refused>(&answer.body);
            return Err(ViewError::Refused(refused.map_or_else(|error| error.to_string(), |it| it.error)));
        }
        serde_json::from_slice(&answer.body).map_err(ViewError::Unreadable)
    }

    pub(super) fn snapshot(&self) -> Result<Snapshot, ViewError> {
        self.read(0)
    }

    pub(super) fn story(&self) -> Result<Story, ViewError> {
        self.read(0)
    }

    /// A page of connections, which is the answer of this number.
    pub(super) fn connections(&self, nth: usize) -> Result<Page, ViewError> {
        self.read(nth)
    }

    /// How full the socket was; a sentence, if there is no history.
    pub(super) fn series(&self) -> Result<SeriesOf, ViewError> {
        self.read(SERIES)
    }

    /// The worst of the statuses, of those answers without which there is nothing to show: a history need not be there.
    pub(crate) fn status(&self) -> u16 {
        self.0.iter().take(SERIES).map(|answer| answer.status).max().unwrap_or(200)
    }
}
