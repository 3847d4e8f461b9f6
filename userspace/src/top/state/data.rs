//! What was heard, in bounded room.

use std::collections::VecDeque;

use super::rates::{Rate, Rates};
use crate::service::{
    link::question::ConnectionFilter,
    model::{Event, FindingReport, Page, Snapshot, Story, Verdict},
};

/// Events that are remembered.
const MOST_EVENTS: usize = 500;

/// Something from the stream of events.
#[derive(Clone, Debug)]
pub(in crate::top) enum Told {
    Event(Box<Event>),
    /// So many were missed.
    Missed(u64),
}

/// What was heard.
#[derive(Clone, Debug, Default)]
pub(in crate::top) struct Data {
    pub(in crate::top) snapshot: Option<Snapshot>,
    rates: Rates,
    /// Some connections, and what was asked.
    pub(in crate::top) page: Option<(ConnectionFilter, Page)>,
    story: Option<(u64, Option<Story>)>,
    /// That connection is not known any more.
    is_gone: bool,
    /// The last one first, each with its number.
    pub(in crate::top) events: VecDeque<(u64, Event)>,
    told: u64,
    /// Events that are not among those: a reader was too slow, or nothing new was to be shown.
    pub(in crate::top) missed: u64,
}

/// What is known of a connection.
#[derive(Clone, Copy, Debug)]
pub(in crate::top) enum Known<'a> {
    /// It was not heard of yet.
    Asked,
    /// It is not known to who was asked, or not any more; what was known last.
    Gone(Option<&'a Story>),
    Told(&'a Story),
}

impl<'a> Known<'a> {
    /// What is or was known.
    pub(in crate::top) const fn story(self) -> Option<&'a Story> {
        match self {
            Self::Asked => None,
            Self::Gone(story) => story,
            Self::Told(story) => Some(story),
        }
    }
}

impl Data {
    pub(super) fn take_snapshot(&mut self, snapshot: Snapshot) {
        self.rates.observe(&snapshot);
        self.snapshot = Some(snapshot);
    }

    pub(super) fn take_story(&mut self, id: u64, story: Option<Story>) {
        let before = self.story.take().filter(|(known, _)| *known == id).and_then(|(_, story)| story);
        let is_gone = story.is_none();
        self.story = Some((id, story.or(before)));
        self.is_gone = is_gone;
    }

    pub(super) fn take_told(&mut self, told: Told, frozen: bool) {
        match told {
            Told::Missed(count) => self.missed += count,
            Told::Event(_) if frozen => self.missed += 1,
            Told::Event(event) => {
                self.told += 1;
                self.events.push_front((self.told, *event));
                self.events.truncate(MOST_EVENTS);
            }
        }
    }

    /// What is known of a connection.
    pub(in crate::top) fn story(&self, id: u64) -> Known<'_> {
        match &self.story {
            Some((known, story)) if *known == id => match story {
                Some(story) if !self.is_gone => Known::Told(story),
                story => Known::Gone(story.as_ref()),
            },
            _ => Known::Asked,
        }
    }

    /// How many connections are made and closed a second on a socket.
    pub(in crate::top) fn rate(&self, path: &str) -> Option<Rate> {
        self.rates.of(path)
    }

    /// Findings that say something is wrong, the most severe first.
    pub(in crate::top) fn findings(&self) -> impl Iterator<Item = &FindingReport> {
        let findings = self.snapshot.iter().flat_map(|snapshot| &snapshot.findings);
        findings.filter(|finding| finding.verdict != Verdict::Healthy)
    }

    /// The worst finding on a socket, or of a program there.
    pub(in crate::top) fn worst(&self, path: &str, program: Option<&str>) -> Option<&FindingReport> {
        let is_meant =
            |it: &&FindingReport| it.path == path && program.is_none_or(|program| it.program == program);
        self.findings().find(is_meant)
    }
}
