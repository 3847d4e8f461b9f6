//! What was heard, in bounded room.

use std::collections::{HashMap, VecDeque};

use super::rates::{Rate, Rates};
use crate::{
    client::Told,
    service::{
        link::question::ConnectionFilter,
        model::{Event, FindingReport, Page, Snapshot, Story, Verdict},
    },
};

/// Events that are remembered.
const MOST_EVENTS: usize = 500;

/// What was heard.
#[derive(Clone, Debug, Default)]
pub(in crate::top) struct Data {
    pub(in crate::top) snapshot: Option<Snapshot>,
    worst: HashMap<String, Worst>,
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
    pub(in crate::top) hearing: Hearing,
    /// How often nobody listened for a while after they had been listened to.
    pub(in crate::top) gaps: u64,
}

/// The places of the worst findings of a socket among those of a snapshot.
#[derive(Clone, Debug)]
struct Worst {
    /// Of all.
    all: usize,
    /// By program.
    programs: HashMap<String, usize>,
}

/// Are events listened to?
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::top) enum Hearing {
    /// Not yet.
    #[default]
    NotYet,
    /// Yes.
    Listening,
    /// Not now, for this reason. `before`: they were.
    Deaf { because: String, before: bool },
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
        self.worst = worst_of(&snapshot);
        self.snapshot = Some(snapshot);
    }

    /// Events are listened to from now on.
    pub(super) fn begin_to_hear(&mut self) {
        if matches!(self.hearing, Hearing::Deaf { before: true, .. }) {
            self.gaps = self.gaps.saturating_add(1);
        }
        self.hearing = Hearing::Listening;
    }

    /// They are not any more, or cannot be.
    pub(super) fn go_deaf(&mut self, because: String) {
        let before = matches!(self.hearing, Hearing::Listening | Hearing::Deaf { before: true, .. });
        self.hearing = Hearing::Deaf { because, before };
    }

    pub(super) fn take_story(&mut self, id: u64, story: Option<Story>) {
        let before = self.story.take().filter(|(known, _)| *known == id).and_then(|(_, story)| story);
        let is_gone = story.is_none();
        self.story = Some((id, story.or(before)));
        self.is_gone = is_gone;
    }

    pub(super) fn take_told(&mut self, told: Told, frozen: bool) {
        match told {
            Told::Missed(count) => self.missed = self.missed.saturating_add(count),
            Told::Event(_) if frozen => self.missed = self.missed.saturating_add(1),
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
        let worst = self.worst.get(path)?;
        let place = match program {
            Some(program) => *worst.programs.get(program)?,
            None => worst.all,
        };
        self.snapshot.as_ref()?.findings.get(place)
    }
}

/// What is worst where: it is asked for each row of a list, and there may be many of both.
fn worst_of(snapshot: &Snapshot) -> HashMap<String, Worst> {
    let mut all: HashMap<String, Worst> = HashMap::new();
    for (place, finding) in snapshot.findings.iter().enumerate() {
        if finding.verdict == Verdict::Healthy {
            continue;
        }
        // The most severe come first.
        let of_socket = all.entry(finding.path.clone());
        let of_socket = of_socket.or_insert_with(|| Worst { all: place, programs: HashMap::new() });
        of_socket.programs.entry(finding.program.clone()).or_insert(place);
    }
    all
}
