//! Which sockets and programs have series of their own; the others are added up under [`OTHER`].
//!
//! Counters must not fall, nor may they jump. So whatever was shown once is shown for good, within bounds; when a program is
//! shown that counted among the others before, what it did until then stays with them; and when the session counts one with the
//! others that is long over, what it did stays with it.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
};

use sockleak_core::attribution::by::By;

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

/// The programs of a socket that were shown.
#[derive(Debug, Default)]
struct Shown {
    programs: HashMap<String, Program>,
    /// There were programs that were not shown.
    hid: bool,
}

/// A program that was shown.
#[derive(Debug, Default)]
struct Program {
    /// What it did while it counted among the others.
    base: Counts,
    /// What the session said of it last.
    last: Counts,
    /// What it did before the session counted that with the others.
    folded: Counts,
}

impl Program {
    /// Takes in what the session says of it now.
    fn look(&mut self, now: Counts) {
        if now.weight() < self.last.weight() {
            self.folded.add(&self.last);
        }
        self.last = now;
    }

    /// What is shown of it.
    fn shown(&self) -> Counts {
        let mut all = self.folded.clone();
        all.add(&self.last);
        all.since(&self.base)
    }
}

/// Is it the name of what is counted together?
fn is_others(program: &str) -> bool {
    program == OTHER || By::is_others(program)
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

    /// The same for one that shall not take the place of another.
    pub(super) fn known_socket<'a>(&self, path: &'a str) -> &'a str {
        if self.sockets.contains_key(path) { path } else { OTHER }
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
        for (name, program) in &mut shown.programs {
            program.look(programs.get(name.as_str()).cloned().unwrap_or_default());
        }
        let mut busiest: Vec<_> = programs.iter().filter(|(name, _)| !is_others(name)).collect();
        busiest.sort_by_key(|(name, counts)| (Reverse(counts.weight()), **name));
        for (name, counts) in busiest.into_iter().take(TOP) {
            let has_room = shown.programs.len() < MOST_PROGRAMS && self.programs < MOST_IN_ALL;
            if has_room && !shown.programs.contains_key(*name) {
                let base = if shown.hid { counts.clone() } else { Counts::default() };
                let program = Program { base, last: counts.clone(), folded: Counts::default() };
                shown.programs.insert((*name).to_owned(), program);
                self.programs += 1;
            }
        }
        let is_hidden = |name: &str| !shown.programs.contains_key(name);
        let hidden = programs.iter().filter(|(name, _)| is_hidden(name)).map(|(_, counts)| counts);
        let mut rows = BTreeMap::new();
        let is_any_hidden = programs.keys().any(|name| is_hidden(name));
        if shown.hid || is_any_hidden {
            rows = others(hidden, shown.programs.values());
        }
        shown.hid |= is_any_hidden;
        rows.extend(shown.programs.iter().map(|(name, program)| (name.clone(), program.shown())));
        rows
    }
}

/// All that are hidden in one row, with what those that are shown did before, and without what they are shown to have done.
fn others<'a>(
    hidden: impl Iterator<Item = &'a Counts>,
    shown: impl Iterator<Item = &'a Program>,
) -> BTreeMap<String, Counts> {
    let (mut sum, mut folded) = (Counts::default(), Counts::default());
    hidden.for_each(|counts| sum.add(counts));
    for program in shown {
        sum.add(&program.base);
        folded.add(&program.folded);
    }
    BTreeMap::from([(OTHER.to_owned(), sum.since(&folded))])
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

    /// The session counts a program with the others that is long over, and it comes back.
    #[test]
    fn what_is_counted_with_others_stays_where_it_was_shown() {
        let others = By::Program.others();
        let mut names = Names::default();
        names.socket("/s");
        let figures = |rows: &BTreeMap<String, Counts>, name: &str| rows.get(name).map_or(0, |it| it.opened);
        for (a, together, expected) in [
            (Some(5), None, (5, 0)),
            // Two more, and it is over; another program's three are counted with it.
            (None, Some(10), (5, 5)),
            (None, Some(11), (5, 6)),
            (Some(2), Some(11), (7, 6)),
            (Some(4), Some(12), (9, 7)),
            (None, Some(16), (9, 7)),
        ] {
            let counted = [("/bin/a", a), (others, together), ("/bin/b", Some(1))];
            let present = counted.into_iter().filter_map(|(name, count)| Some((name, opened(count?))));
            let rows = names.rows("/s", &present.collect());
            let shown = (figures(&rows, "/bin/a"), figures(&rows, OTHER));
            assert_eq!((shown, figures(&rows, "/bin/b")), (expected, 1));
            assert!(!rows.contains_key(others));
        }
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
