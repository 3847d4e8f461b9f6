//! Connections that a descriptor scan has found, and that are not counted yet.

use rustc_hash::FxHashMap;

/// Connections that wait to be counted, in the order in which they were found. A scan of a large host finds a million, and each
/// later line about one asks whether it waits: that takes constant time.
#[derive(Debug, Default)]
pub(super) struct Pending {
    order: Vec<u64>,
    /// By number: was it found in an earlier scan?
    is_old: FxHashMap<u64, bool>,
}

impl Pending {
    /// Adds a connection by its number; one that waits already keeps its place.
    pub(super) fn push(&mut self, id: u64, is_old: bool) {
        if self.is_old.insert(id, is_old).is_none() {
            self.order.push(id);
        }
    }

    /// Was it found in an earlier scan? None if it does not wait.
    pub(super) fn is_old(&self, id: u64) -> Option<bool> {
        self.is_old.get(&id).copied()
    }

    /// The numbers, each with whether it was found in an earlier scan.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, bool)> {
        self.order.iter().map(|id| (*id, self.is_old(*id).unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_that_of_finding() {
        let mut pending = Pending::default();
        for (id, is_old) in [(9, false), (3, true), (7, false), (3, false)] {
            pending.push(id, is_old);
        }
        assert_eq!(pending.iter().collect::<Vec<_>>(), [(9, false), (3, false), (7, false)]);
        assert_eq!((pending.is_old(9), pending.is_old(8)), (Some(false), None));
    }
}
