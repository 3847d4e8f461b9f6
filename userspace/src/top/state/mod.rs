//! What is shown and where one stands in it. Everything here is free of I/O: a key, an answer or a new size leads from one state to
//! the next, and what has to be asked follows from the state.

mod data;
mod keys;
mod listing;
mod measure;
mod pages;
#[cfg(test)]
mod properties;
mod rates;
mod sorting;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub(super) use data::{Data, Hearing, Known};
pub(super) use keys::{Effect, Input};
pub(super) use listing::{Item, Listing, sum};
pub(super) use measure::{Hit, Measure};
#[cfg(test)]
use pages::Key;
pub(super) use pages::{FindingKey, Page, Pane, Scope, What};
pub(super) use rates::Rate;
pub(super) use sorting::{Order, Sorted};

use crate::client::Told;
use crate::{
    service::{
        link::question::ConnectionFilter,
        model::{self, Snapshot, Story},
    },
    top::theme::Theme,
};

/// Columns and rows of the smallest terminal in which everything has its place.
pub(super) const LEAST: (u16, u16) = (60, 20);

/// What is shown, and where one stands in it.
#[derive(Debug)]
pub(super) struct State {
    pub(super) data: Data,
    /// What is looked at, and what one came from. Never empty.
    pages: Vec<Page>,
    /// Columns and rows of the terminal.
    pub(super) size: (u16, u16),
    /// Nothing new is shown.
    pub(super) frozen: bool,
    pub(super) overlay: Overlay,
    orders: sorting::Orders,
    /// What is watched, in words.
    pub(super) source: String,
    /// What went wrong last, and since when, until it is well again.
    pub(super) trouble: Option<(Duration, String)>,
    /// What was said last beside, and when.
    note: Option<(Duration, String)>,
    /// Whoever is asked has just begun, and does not know yet what was there before.
    pub(super) is_starting: bool,
    /// Events are wanted: they have been looked at once.
    listens: bool,
    /// Time since the start.
    pub(super) now: Duration,
    pub(super) theme: Theme,
    measure: &'static dyn Measure,
}

/// What lies over a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Overlay {
    /// Nothing.
    #[default]
    None,
    /// What the keys do, from this line on.
    Help(usize),
    /// The filter is being written.
    Filter,
}

/// What has to be asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wants {
    /// Beside the snapshot.
    pub(super) detail: Option<Detail>,
    pub(super) events: bool,
    /// Nothing new.
    pub(super) frozen: bool,
}

/// What is asked beside the snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    /// Some connections.
    Page(ConnectionFilter),
    /// One.
    Story(u64),
}

/// What was heard.
#[derive(Debug)]
pub(super) enum Heard {
    Snapshot(Box<Snapshot>),
    Page(ConnectionFilter, model::Page),
    /// None: it is not known, or not any more.
    Story(u64, Option<Box<Story>>),
    Told(Told),
    /// Events are listened to from now on.
    Listening,
    /// They are not any more, or cannot be, for this reason.
    Deaf(String),
    /// There was no answer, for this reason.
    Trouble(String),
    /// Something to be said.
    Note(String),
    /// There is no answer yet, since whoever is asked has just begun.
    Starting,
}

/// What can happen.
#[derive(Debug)]
pub(super) enum Message {
    Input(Input),
    Resized(u16, u16),
    Heard(Heard),
    /// Time since the start.
    Tick(Duration),
}

impl State {
    /// Before anything was heard.
    pub(super) fn new(source: String, theme: Theme, size: (u16, u16), measure: &'static dyn Measure) -> Self {
        Self {
            data: Data::default(),
            pages: vec![Page::new(What::List(Scope::default(), Pane::Sockets))],
            size,
            frozen: false,
            overlay: Overlay::None,
            orders: sorting::Orders::default(),
            source,
            trouble: None,
            note: None,
            is_starting: false,
            listens: false,
            now: Duration::ZERO,
            theme,
            measure,
        }
    }

    /// What is looked at.
    pub(super) fn page(&self) -> &Page {
        // There is always one.
        &self.pages[self.pages.len() - 1]
    }

    fn page_mut(&mut self) -> &mut Page {
        let last = self.pages.len() - 1;
        &mut self.pages[last]
    }

    /// What was said beside, as long as it is news.
    pub(super) fn note(&self) -> Option<&str> {
        const NEWS: Duration = Duration::from_secs(10);

        let (since, sentence) = self.note.as_ref()?;
        (self.now.saturating_sub(*since) < NEWS).then_some(sentence)
    }

    /// In which order a list is.
    pub(super) fn order(&self, pane: Pane) -> Order {
        self.orders.of(pane)
    }

    /// Is the terminal too small?
    pub(super) fn is_cramped(&self) -> bool {
        self.size.0 < LEAST.0 || self.size.1 < LEAST.1
    }

    /// Does it change what is on the screen? Events may come by the thousand, and few look at them.
    pub(super) fn is_shown(&self, message: &Message) -> bool {
        !matches!(message, Message::Heard(Heard::Told(_))) || self.pane() == Some(Pane::Events)
    }

    /// Takes in what happens.
    pub(super) fn update(&mut self, message: Message) -> Effect {
        let is_shown = self.is_shown(&message);
        let effect = match message {
            Message::Input(input) => self.press(input),
            Message::Resized(columns, rows) => {
                self.size = (columns, rows);
                Effect::None
            }
            Message::Heard(heard) => {
                self.hear(heard);
                Effect::None
            }
            Message::Tick(now) => {
                self.now = now;
                Effect::None
            }
        };
        if is_shown {
            self.settle();
        }
        effect
    }

    fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::Snapshot(snapshot) => {
                self.trouble = None;
                self.is_starting = false;
                if !self.frozen || self.data.snapshot.is_none() {
                    self.data.take_snapshot(*snapshot);
                }
            }
            Heard::Page(filter, page) => {
                self.trouble = None;
                self.data.page = Some((filter, page));
            }
            Heard::Story(id, story) => {
                self.trouble = None;
                self.data.take_story(id, story.map(|story| *story));
            }
            Heard::Told(told) => self.data.take_told(told, self.frozen),
            Heard::Listening => self.data.begin_to_hear(),
            Heard::Deaf(because) => self.data.go_deaf(because),
            Heard::Trouble(sentence) => {
                self.is_starting = false;
                let since = self.trouble.take().map_or(self.now, |(since, _)| since);
                self.trouble = Some((since, sentence));
            }
            Heard::Note(sentence) => self.note = Some((self.now, sentence)),
            Heard::Starting => self.is_starting = true,
        }
    }

    /// The cursor stays with what it is on, wherever that has moved, and within the window.
    fn settle(&mut self) {
        let height = self.measure.rows(self).max(1);
        let place = match &self.page().what {
            What::List(..) => {
                let listing = self.listing();
                if listing.is_unknown() {
                    // It may be there again in the answer.
                    Some((self.page().cursor, None, None))
                } else {
                    let cursor = listing.place(self.page()).min(listing.total.saturating_sub(1));
                    Some((cursor, Some(listing.total), listing.key(cursor)))
                }
            }
            What::Story(_) | What::Finding(_) => None,
        };
        let last_line = self.measure.lines(self).saturating_sub(self.measure.text_rows(self));
        let page = self.page_mut();
        match place {
            Some((cursor, total, key)) => {
                page.cursor = cursor;
                // Whoever looks at the first row, and has not gone there with another, looks at whatever comes first.
                let is_first = page.key.is_none() && cursor == 0;
                // Of rows that are not there yet it is not known.
                page.key = key.or(page.key.take()).filter(|_| total != Some(0) && !is_first);
                page.top = page.top.clamp((cursor + 1).saturating_sub(height), cursor);
                page.top = page.top.min(total.map_or(page.top, |total| total.saturating_sub(height)));
            }
            None => page.cursor = page.cursor.min(last_line),
        }
    }

    /// What has to be asked for that.
    pub(super) fn wants(&self) -> Wants {
        let detail = match &self.page().what {
            What::List(scope, Pane::Connections) => Some(Detail::Page(self.filter(scope))),
            What::Story(id) => Some(Detail::Story(*id)),
            What::List(..) | What::Finding(_) => None,
        };
        Wants { detail, events: self.listens, frozen: self.frozen }
    }

    /// Those connections that are looked at, and some around them, so that a step does not ask anew.
    fn filter(&self, scope: &Scope) -> ConnectionFilter {
        /// Pages begin at multiples of this.
        const CHUNK: usize = 100;

        let page = self.page();
        let height = self.measure.rows(self).max(1);
        let first = page.top / CHUNK * CHUNK;
        let limit = (page.top - first + height).div_ceil(CHUNK) * CHUNK;
        let order = self.order(Pane::Connections);
        ConnectionFilter {
            socket: scope.socket.clone(),
            program: scope.program.clone(),
            contains: Some(page.filter.clone()).filter(|filter| !filter.is_empty()),
            sort: order.remote(),
            limit: limit as u32,
            offset: first as u32,
            with_argv: true,
            ..ConnectionFilter::default()
        }
    }
}
