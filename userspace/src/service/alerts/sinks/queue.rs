//! What waits for a webhook. Bounded, and in order.

use std::collections::VecDeque;

use super::Notification;

/// As many may wait. Beyond that the oldest goes: what is news matters more.
pub(super) const LONGEST: usize = 1000;

/// A notification, with its number in the queue.
pub(super) type Waiting = (u64, Notification);

/// What waits, and what became of the rest.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// The oldest first.
    waiting: VecDeque<Waiting>,
    next: u64,
    /// Those that arrived.
    pub(super) delivered: u64,
    /// Those that the server would not have.
    pub(super) refused: u64,
    /// Those that there was no room for.
    pub(super) dropped: u64,
    /// Attempts that failed.
    pub(super) retried: u64,
}

impl Queue {
    /// Adds one at the end. True if the oldest had to go for it.
    pub(super) fn push(&mut self, notification: Notification) -> bool {
        let is_full = self.waiting.len() >= LONGEST;
        if is_full {
            self.waiting.pop_front();
            self.dropped += 1;
        }
        self.waiting.push_back((self.next, notification));
        self.next += 1;
        is_full
    }

    /// The oldest, so many at most.
    pub(super) fn first(&self, most: usize) -> Vec<Waiting> {
        self.waiting.iter().take(most).cloned().collect()
    }

    /// The oldest has been dealt with, unless it was dropped meanwhile.
    pub(super) fn remove(&mut self, number: u64) {
        if self.waiting.front().is_some_and(|(first, _)| *first == number) {
            self.waiting.pop_front();
        }
    }

    /// All, the oldest first.
    pub(super) fn all(&self) -> impl Iterator<Item = &Notification> {
        self.waiting.iter().map(|(_, notification)| notification)
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::alerts::tests::notification;

    #[test]
    fn the_oldest_goes_when_there_is_no_room() {
        let mut queue = Queue::default();
        for n in 0..LONGEST {
            assert!(!queue.push(notification(&n.to_string())));
        }
        let (number, first) = queue.first(1).pop().expect("one waits");
        assert_eq!(first.summary, "0");
        assert!(queue.push(notification("last")));
        assert_eq!((queue.len(), queue.dropped), (LONGEST, 1));
        // It was under way when it was dropped: the next one is not removed for it.
        queue.remove(number);
        assert_eq!(queue.len(), LONGEST);
        let all: Vec<_> = queue.all().map(|it| it.summary.as_str()).collect();
        assert_eq!((all.first(), all.last()), (Some(&"1"), Some(&"last")));
        let second = queue.first(1).pop().expect("one waits").0;
        queue.remove(second);
        assert_eq!(queue.first(1).pop().map(|(_, it)| it.summary).as_deref(), Some("2"));
    }
}
