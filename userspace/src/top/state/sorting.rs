//! In which order rows are.

use std::cmp::Ordering;

use super::pages::Pane;
use crate::service::link::question::{Sort, SortBy};

/// What rows can be put in order by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::top) enum Sorted {
    Name,
    Slots,
    Queue,
    Open,
    OpenedRate,
    ClosedRate,
    FullIn,
    Worst,
    Oldest,
    Opened,
    Closed,
    ServerOpen,
    Old,
    Failed,
    Age,
    Idle,
    Pid,
    State,
    Count,
    Growth,
}

/// An order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::top) struct Order {
    pub(in crate::top) by: Sorted,
    /// The greatest first.
    pub(in crate::top) descending: bool,
}

/// The order of each kind of list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Orders([Order; 5]);

impl Default for Orders {
    fn default() -> Self {
        let most = |by| Order { by, descending: true };
        Self([
            most(Sorted::Worst),
            most(Sorted::Worst),
            most(Sorted::Age),
            most(Sorted::Worst),
            most(Sorted::Age),
        ])
    }
}

impl Orders {
    pub(super) const fn of(&self, pane: Pane) -> Order {
        self.0[pane as usize]
    }

    pub(super) const fn of_mut(&mut self, pane: Pane) -> &mut Order {
        &mut self.0[pane as usize]
    }
}

impl Sorted {
    /// Of most figures the greatest are of interest, of names the first.
    pub(super) const fn begins_descending(self) -> bool {
        !matches!(self, Self::Name | Self::Pid | Self::State | Self::FullIn)
    }
}

impl Order {
    /// As the service is asked for it, which has all of the connections.
    pub(super) const fn remote(self) -> Option<Sort> {
        let by = match (self.by, self.descending) {
            // That is what it does unless it is asked for something else.
            (Sorted::Age, true) => return None,
            (Sorted::Pid, _) => SortBy::Pid,
            (Sorted::Name, _) => SortBy::Program,
            (Sorted::State, _) => SortBy::State,
            (Sorted::Idle, _) => SortBy::Idle,
            _ => SortBy::Age,
        };
        Some(Sort { by, descending: self.descending })
    }

    /// Puts rows in order by their figures. Those that are alike keep theirs.
    pub(super) fn sort<'a, T>(self, rows: &mut [T], figure: impl Fn(&T, Sorted) -> Option<Figure<'a>>) {
        rows.sort_by(|a, b| match (figure(a, self.by), figure(b, self.by)) {
            // What is not known comes last, whichever way.
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(a), Some(b)) if self.descending => b.compare(&a),
            (Some(a), Some(b)) => a.compare(&b),
        });
    }
}

/// What rows are compared by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Figure<'a> {
    Text(&'a str),
    Number(u64),
    Part(f64),
}

impl Figure<'_> {
    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Number(a), Self::Number(b)) => a.cmp(b),
            (Self::Part(a), Self::Part(b)) => a.total_cmp(b),
            // Of one column all are alike.
            _ => Ordering::Equal,
        }
    }
}
