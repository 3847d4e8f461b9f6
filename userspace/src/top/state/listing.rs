//! The rows of a list: which there are, in which order, and what stands for each.

use super::{
    State,
    data::Hearing,
    pages::{FindingKey, Key, Page, Pane, Scope, What},
    rates::Rate,
    sorting::{Figure, Sorted},
};
use crate::service::{
    link::question::ConnectionFilter,
    model::{Event, FindingReport, Open, ProgramSnapshot, SocketSnapshot, Verdict},
};

/// A row.
#[derive(Clone, Copy, Debug)]
pub(in crate::top) enum Item<'a> {
    Socket { socket: &'a SocketSnapshot, worst: Option<&'a FindingReport>, rate: Option<Rate> },
    Program { path: &'a str, program: &'a ProgramSnapshot, worst: Option<&'a FindingReport> },
    Connection(&'a Open),
    Finding(&'a FindingReport),
    Event { number: u64, event: &'a Event },
}

/// The rows of a list, or those of them that are there.
#[derive(Clone, Debug, Default)]
pub(in crate::top) struct Listing<'a> {
    /// How many rows there are.
    pub(in crate::top) total: usize,
    /// How many there were before the filter, where that is known.
    pub(in crate::top) unfiltered: Option<usize>,
    /// The first that is there.
    pub(in crate::top) first: usize,
    pub(in crate::top) rows: Vec<Item<'a>>,
    /// What was asked last is not answered yet.
    pub(in crate::top) is_asked: bool,
}

impl<'a> Listing<'a> {
    /// The row of this number, if it is there.
    pub(in crate::top) fn row(&self, number: usize) -> Option<&Item<'a>> {
        self.rows.get(number.checked_sub(self.first)?)
    }

    /// Nothing is known of its rows, not even how many there are.
    pub(super) const fn is_unknown(&self) -> bool {
        self.is_asked && self.total == 0
    }

    pub(super) fn key(&self, number: usize) -> Option<Key> {
        self.row(number).map(Item::key)
    }

    /// Where a page's cursor is: where that is which it is on, or else where it was.
    pub(super) fn place(&self, page: &Page) -> usize {
        let is_meant = |key: &Key| self.rows.iter().position(|row| row.is(key));
        page.key.as_ref().and_then(is_meant).map_or(page.cursor, |place| place + self.first)
    }
}

impl State {
    /// The rows of the page, if it is a list.
    pub(in crate::top) fn listing(&self) -> Listing<'_> {
        match &self.page().what {
            What::List(_, Pane::Connections) => self.connections(),
            What::List(scope, pane) => self.local(scope, *pane),
            What::Story(_) | What::Finding(_) => Listing::default(),
        }
    }

    /// Of a list all of whose rows are here.
    fn local(&self, scope: &Scope, pane: Pane) -> Listing<'_> {
        let mut rows = match pane {
            Pane::Sockets => self.sockets(),
            Pane::Programs => self.programs(scope),
            Pane::Findings => self.findings(scope),
            Pane::Events => self.events(scope),
            Pane::Connections => Vec::new(),
        };
        let unfiltered = rows.len();
        let filter = self.page().filter.to_lowercase();
        if !filter.is_empty() {
            rows.retain(|row| row.contains(&filter));
        }
        if pane != Pane::Events {
            self.order(pane).sort(&mut rows, Item::figure);
        }
        let is_asked = match pane {
            Pane::Events => self.data.hearing == Hearing::NotYet,
            _ => self.data.snapshot.is_none(),
        };
        Listing { total: rows.len(), unfiltered: Some(unfiltered), first: 0, rows, is_asked }
    }

    /// Those that were answered, if they are of what is looked at now.
    fn connections(&self) -> Listing<'_> {
        let Some((asked, page)) = &self.data.page else {
            return Listing { is_asked: true, ..Listing::default() };
        };
        let Some(super::Detail::Page(wanted)) = self.wants().detail else { return Listing::default() };
        let all = |filter: &ConnectionFilter| ConnectionFilter { limit: 0, offset: 0, ..filter.clone() };
        if all(asked) != all(&wanted) {
            return Listing { is_asked: true, ..Listing::default() };
        }
        Listing {
            total: page.total,
            unfiltered: None,
            first: page.offset as usize,
            rows: page.connections.iter().map(Item::Connection).collect(),
            is_asked: asked.offset != wanted.offset,
        }
    }

    fn sockets(&self) -> Vec<Item<'_>> {
        let sockets = self.data.snapshot.iter().flat_map(|snapshot| &snapshot.sockets);
        let row =
            |socket: &'_ SocketSnapshot| (self.data.worst(&socket.path, None), self.data.rate(&socket.path));
        sockets
            .map(|socket| {
                let (worst, rate) = row(socket);
                Item::Socket { socket, worst, rate }
            })
            .collect()
    }

    fn programs(&self, scope: &Scope) -> Vec<Item<'_>> {
        let sockets = self.data.snapshot.iter().flat_map(|snapshot| &snapshot.sockets);
        let programs =
            sockets.flat_map(|socket| socket.programs.iter().map(move |it| (socket.path.as_str(), it)));
        programs
            .filter(|(path, program)| scope.has(path, &program.program))
            .map(|(path, program)| {
                let worst = self.data.worst(path, Some(&program.program));
                Item::Program { path, program, worst }
            })
            .collect()
    }

    fn findings(&self, scope: &Scope) -> Vec<Item<'_>> {
        let findings = self.data.findings().filter(|it| scope.has(&it.path, &it.program));
        findings.map(Item::Finding).collect()
    }

    fn events(&self, scope: &Scope) -> Vec<Item<'_>> {
        let events = self.data.events.iter();
        events
            .filter(|(_, event)| {
                // A group of another kind than programs is not told with events.
                scope.has(&event.path, event.who.program.as_deref().unwrap_or_default())
            })
            .map(|(number, event)| Item::Event { number: *number, event })
            .collect()
    }
}

impl<'a> Item<'a> {
    pub(in crate::top) fn key(&self) -> Key {
        match self {
            Self::Socket { socket, .. } => Key::Socket(socket.path.clone()),
            Self::Program { path, program, .. } => Key::Program((*path).to_owned(), program.program.clone()),
            Self::Connection(open) => Key::Connection(open.connection),
            Self::Finding(finding) => Key::Finding(FindingKey::of(finding)),
            Self::Event { number, .. } => Key::Event(*number),
        }
    }

    /// Does it stand for that?
    fn is(&self, key: &Key) -> bool {
        match (self, key) {
            (Self::Socket { socket, .. }, Key::Socket(path)) => socket.path == *path,
            (Self::Program { path, program, .. }, Key::Program(its_path, its)) => {
                path == its_path && program.program == *its
            }
            (Self::Connection(open), Key::Connection(id)) => open.connection == *id,
            (Self::Finding(finding), Key::Finding(key)) => key.means(finding),
            (Self::Event { number, .. }, Key::Event(its)) => number == its,
            _ => false,
        }
    }

    /// Is this in one of its names? It is in small letters.
    fn contains(&self, part: &str) -> bool {
        let has = |text: &str| text.to_lowercase().contains(part);
        let worst = |finding: &Option<&FindingReport>| finding.is_some_and(|it| has(it.verdict.name()));
        match self {
            Self::Socket { socket, worst: finding, .. } => has(&socket.path) || worst(finding),
            Self::Program { path, program, worst: finding } => {
                has(&program.program) || has(path) || worst(finding)
            }
            Self::Connection(_) => true,
            Self::Finding(finding) => {
                has(&finding.program) || has(&finding.path) || has(finding.verdict.name())
            }
            Self::Event { event, .. } => {
                has(&event.path)
                    || event.who.program.as_deref().is_some_and(has)
                    || event.who.comm.as_deref().is_some_and(has)
                    || event.who.pid.is_some_and(|pid| pid.to_string().contains(part))
            }
        }
    }

    /// What it is put in order by; None if that is not known.
    pub(super) fn figure(&self, by: Sorted) -> Option<Figure<'a>> {
        let number = |value: u64| Some(Figure::Number(value));
        match *self {
            Self::Socket { socket, worst, rate } => match by {
                Sorted::Name => Some(Figure::Text(&socket.path)),
                Sorted::Slots => number(socket.slots),
                Sorted::Queue => socket.queue.map(|queue| Figure::Number(queue.length.into())),
                Sorted::Open => number(sum(socket.states.values())),
                Sorted::OpenedRate => rate.map(|rate| Figure::Part(rate.opened)),
                Sorted::ClosedRate => rate.map(|rate| Figure::Part(rate.closed)),
                Sorted::FullIn => socket.seconds_until_full.map(Figure::Number),
                Sorted::Oldest => socket.oldest_ns.map(Figure::Number),
                Sorted::Worst => number(severity(worst)),
                _ => None,
            },
            Self::Program { path, program, worst } => match by {
                Sorted::Name => Some(Figure::Text(&program.program)),
                Sorted::State => Some(Figure::Text(path)),
                Sorted::Opened => number(program.opened),
                Sorted::Closed => number(program.closed),
                Sorted::Open => number(program.open_client),
                Sorted::ServerOpen => number(program.open_server),
                Sorted::Old => number(program.old_client),
                Sorted::Failed => number(sum(program.failed.values())),
                Sorted::Worst => number(severity(worst)),
                _ => None,
            },
            Self::Finding(finding) => match by {
                Sorted::Name => Some(Figure::Text(&finding.program)),
                Sorted::State => Some(Figure::Text(&finding.path)),
                Sorted::Worst => number(finding.verdict as u64),
                Sorted::Count => number(finding.count),
                Sorted::Oldest => finding.oldest_ns.map(Figure::Number),
                Sorted::Growth => finding.growth().map(Figure::Part),
                Sorted::FullIn => finding.seconds_until_full.map(Figure::Number),
                _ => None,
            },
            // Those are in order as they come.
            Self::Connection(_) | Self::Event { .. } => None,
        }
    }
}

/// Whoever answers may count as he likes.
pub(in crate::top) fn sum<'a>(counts: impl IntoIterator<Item = &'a u64>) -> u64 {
    counts.into_iter().fold(0, |sum, count| sum.saturating_add(*count))
}

fn severity(worst: Option<&FindingReport>) -> u64 {
    worst.map_or(Verdict::Healthy as u64, |finding| finding.verdict as u64)
}

impl FindingKey {
    pub(super) fn of(finding: &FindingReport) -> Self {
        let FindingReport { path, program, verdict, .. } = finding;
        Self { path: path.clone(), program: program.clone(), verdict: *verdict }
    }

    /// Is it this one?
    pub(in crate::top) fn means(&self, finding: &FindingReport) -> bool {
        self.path == finding.path && self.program == finding.program && self.verdict == finding.verdict
    }
}
