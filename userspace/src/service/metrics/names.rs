//! Which sockets and programs have series of their own; the others are added up under [`OTHER`].
//!
//! Counters must not fall. So whatever was shown once is shown for good, within bounds; and when a program is shown that
//! counted among the others before, what it did until then stays with them.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
};

use super::{OTHER, counts::Counts};

/// Sockets with series of their own: the first so many.
pub(super) const MOST_SOCKETS: usize = 256;
/// Programs of a socket that are shown because they are the busiest.
pub(super) const TOP: usize = 20;
/// And with those that were among the busiest before.
pub(super) const MOST_PROGRAMS: usize = 2 * TOP;
/// Programs of all sockets.
const MOST_IN_ALL: usize = 2048;

/// What was shown.
#[derive(Debug, Default)]
pub(super) struct Names {
    sockets: HashMap<String, Shown>,
    programs: usize,
    /// What was shown of the other sockets: one that is looked for no more takes its figures with it.
    least: Counts,
}

/// The programs of a socket that were shown, each with what it did while it counted among the others.
#[derive(Debug, Default)]
struct Shown {
    programs: HashMap<String, Counts>,
    /// There were programs that were not shown.
    hid: bool,
}

impl Names {
    /// The name under which a socket is shown.
    pub(super) fn socket<'a>(&mut self, path: &'a str) -> &'a str {
        if path == OTHER {
            return OTHER;
        }
        if !self.sockets.contains_key(path) {
            if self.sockets.len() >= MOST_SOCKETS {
                return OTHER;
            }
            self.sockets.insert(path.to_owned(), Shown::default());
        }
        path
    }

    /// Does a program of a socket have series of its own?
    pub(super) fn shows(&self, socket: &str, program: &str) -> bool {
        self.sockets.get(socket).is_some_and(|shown| shown.programs.contains_key(program))
    }

    /// What is to be shown of a socket's programs.
    pub(super) fn rows(
        &mut self,
        socket: &str,
        programs: &BTreeMap<&str, Counts>,
    ) -> BTreeMap<String, Counts> {
        let Some(shown) = self.sockets.get_mut(socket) else {
            let mut sum = Counts::default();
            programs.values().for_each(|counts| sum.add(counts));
            self.least.raise(&sum);
            return BTreeMap::from([(OTHER.to_owned(), self.least.clone())]);
        };
        let mut busiest: Vec<_> = programs.iter().filter(|(name, _)| **name != OTHER).collect();
        busiest.sort_by_key(|(name, counts)| (Reverse(counts.weight()), **name));
        for (name, counts) in busiest.into_iter().take(TOP) {
            let has_room = shown.programs.len() < MOST_PROGRAMS && self.programs < MOST_IN_ALL;
            if has_room && !shown.programs.contains_key(*name) {
                let base = if shown.hid { counts.clone() } else { Counts::default() };
                shown.programs.insert((*name).to_owned(), base);
                self.programs += 1;
            }
        }
        let is_hidden = |name: &str| !shown.programs.contains_key(name);
        let hidden = programs.iter().filter(|(name, _)| is_hidden(name)).map(|(_, counts)| counts);
        let mut rows = BTreeMap::new();
        let is_any_hidden = programs.keys().any(|name| is_hidden(name));
        if shown.hid || is_any_hidden {
            rows = others(hidden.chain(shown.programs.values()));
        }
        shown.hid |= is_any_hidden;
        let own = programs.iter().filter_map(|(name, counts)| {
            Some(((*name).to_owned(), counts.since(shown.programs.get(*name)?)))
        });
        rows.extend(own);
        rows
    }
}

/// All of them in one row.
fn others<'a>(counts: impl Iterator<Item = &'a Counts>) -> BTreeMap<String, Counts> {
    let mut sum = Counts::default();
    counts.for_each(|counts| sum.add(counts));
    BTreeMap::from([(OTHER.to_owned(), sum)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(count: u64) -> Counts {
        Counts { opened: count, failed: BTreeMap::from([("EAGAIN".to_owned(), count)]), ..Counts::default() }
    }

    fn sum(rows: &BTreeMap<String, Counts>) -> u64 {
        rows.values().map(|counts| counts.opened).sum()
    }

    /// Programs come and overtake each other; what Prometheus sees of each only grows, and the sum is always right.
    #[test]
    fn counters_never_fall_and_add_up() {
        let mut names = Names::default();
        let programs: Vec<_> = (0..200).map(|nth| format!("/bin/{nth}")).collect();
        let mut state = 7_u64;
        let mut totals = vec![0_u64; programs.len()];
        let mut last = BTreeMap::<String, Counts>::new();
        assert_eq!(names.socket("/s"), "/s");
        for round in 0..300 {
            for (nth, total) in totals.iter_mut().enumerate() {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                if nth <= round {
                    *total += (state >> 33) % (1 + (nth as u64 * 31 + round as u64) % 50);
                }
            }
            let present = programs.iter().zip(&totals).filter(|(_, total)| **total > 0);
            let rows =
                names.rows("/s", &present.map(|(name, &total)| (name.as_str(), opened(total))).collect());
            assert_eq!(sum(&rows), totals.iter().sum::<u64>());
            assert!(rows.len() <= MOST_PROGRAMS + 1);
            for (name, before) in &last {
                assert!(rows[name].opened >= before.opened, "{name} fell in round {round}");
                assert!(rows[name].failed >= before.failed, "{name} fell in round {round}");
            }
            last = rows;
        }
        assert!(last.len() > TOP + 1, "none of the busiest was overtaken");
    }

    #[test]
    fn further_sockets_and_programs_count_together() {
        let mut names = Names::default();
        for nth in 0..MOST_SOCKETS {
            let path = format!("/s{nth}");
            assert_eq!(names.socket(&path), path);
        }
        assert_eq!(names.socket("/another"), OTHER);
        assert_eq!(names.socket("/s0"), "/s0");
        let two = BTreeMap::from([("/bin/a", opened(1)), ("/bin/b", opened(2))]);
        let one = BTreeMap::from([("/bin/b", opened(2))]);
        // A socket that is not looked for any more does not make what is left fall.
        for programs in [&two, &one] {
            let rows = names.rows(OTHER, programs);
            assert_eq!(rows, BTreeMap::from([(OTHER.to_owned(), opened(3))]));
        }
    }

    #[test]
    fn a_program_that_is_called_other_counts_with_the_others() {
        let mut names = Names::default();
        names.socket("/s");
        let rows = names.rows("/s", &BTreeMap::from([(OTHER, opened(5)), ("/bin/a", opened(1))]));
        assert_eq!(rows[OTHER].opened, 5);
        assert_eq!(rows["/bin/a"].opened, 1);
        assert!(names.shows("/s", "/bin/a") && !names.shows("/s", OTHER));
    }
}
