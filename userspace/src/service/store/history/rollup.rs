//! From what is known each second to a row a minute: pure.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
};

/// Milliseconds.
const MINUTE: i64 = 60_000;
/// Programs of a socket that a minute names; the others count together.
const PROGRAMS: usize = 10;
/// And under this name.
pub const OTHERS: &str = "[others]";

/// What a socket is like at a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SocketFacts {
    /// Its path or `@name`.
    pub socket: String,
    /// Slots in use.
    pub slots: u64,
    /// How many there are, where that is known.
    pub limit: Option<u64>,
    /// Connections in its accept queue, where that is known.
    pub queue: Option<u64>,
    /// Connections that are not closed.
    pub open: u64,
    /// Connections made since the session began.
    pub opened: u64,
    /// Of those, closed.
    pub closed: u64,
    /// Failed connects since then.
    pub failed: u64,
    /// Its programs.
    pub programs: Vec<ProgramFacts>,
    /// No minute is kept of it now.
    pub is_left_out: bool,
}

/// What a program is like on a socket at a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProgramFacts {
    /// Its name, or [`OTHERS`] for those that the session counts together.
    pub program: String,
    /// Its connections that are not closed.
    pub open: u64,
    /// Those that it made since the session began.
    pub opened: u64,
}

/// A minute of all sockets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Minute {
    /// Its beginning: milliseconds since 1970, UTC.
    pub at: i64,
    /// In the order of their names.
    pub sockets: Vec<SocketMinute>,
}

/// A minute of a socket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SocketMinute {
    /// Its path or `@name`.
    pub socket: String,
    /// Slots in use at most, of the moments that were looked at.
    pub slots_max: u64,
    /// And in the end.
    pub slots_last: u64,
    /// How many there were in the end.
    pub slots_limit: Option<u64>,
    /// Connections in the accept queue at most.
    pub queue_max: Option<u64>,
    /// Connections made.
    pub opened: u64,
    /// Connections closed.
    pub closed: u64,
    /// Failed connects.
    pub failed: u64,
    /// Connections that were not closed in the end.
    pub open_last: u64,
    /// Those with the most open connections, then with the most that were made, and the others together.
    pub programs: Vec<ProgramMinute>,
}

/// A minute of a program on a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramMinute {
    /// Its name.
    pub program: String,
    /// Its connections that were not closed in the end.
    pub open_last: u64,
    /// Those that it made.
    pub opened: u64,
}

/// Gathers a minute.
#[derive(Debug, Default)]
pub struct Rollup {
    at: Option<i64>,
    gathered: BTreeMap<String, Gathered>,
    /// What was counted up to the last look; None before the first.
    totals: Option<HashMap<String, Totals>>,
}

/// A minute of a socket so far.
#[derive(Debug, Default)]
struct Gathered {
    minute: SocketMinute,
    /// Open connections and those made, by program.
    programs: BTreeMap<String, (u64, u64)>,
}

#[derive(Debug, Default)]
struct Totals {
    opened: u64,
    closed: u64,
    failed: u64,
    programs: HashMap<String, u64>,
}

impl Rollup {
    /// Takes in what sockets are like now (milliseconds since 1970). Gives the minute before once another one has begun, earlier
    /// or later: the clock may be set. What happened before the first look counts in no minute; what happens between two looks
    /// counts in that of the second.
    pub fn observe(&mut self, now: i64, facts: &[SocketFacts]) -> Option<Minute> {
        let at = now.div_euclid(MINUTE) * MINUTE;
        let finished = if self.at == Some(at) { None } else { self.take() };
        self.at = Some(at);
        let mut totals = HashMap::new();
        for socket in facts {
            if !socket.is_left_out {
                let before = self.totals.as_ref().map(|totals| totals.get(&socket.socket));
                let gathered = self.gathered.entry(socket.socket.clone()).or_default();
                gathered.add(socket, before);
            }
            totals.insert(socket.socket.clone(), Totals::of(socket));
        }
        self.totals = Some(totals);
        finished
    }

    /// The minute so far, if there is any: to be asked at the end.
    pub fn take(&mut self) -> Option<Minute> {
        let at = self.at.take()?;
        let gathered = std::mem::take(&mut self.gathered);
        let sockets: Vec<_> = gathered.into_values().map(Gathered::finish).collect();
        (!sockets.is_empty()).then_some(Minute { at, sockets })
    }
}

impl Totals {
    fn of(facts: &SocketFacts) -> Self {
        let programs = facts.programs.iter().map(|program| (program.program.clone(), program.opened));
        let &SocketFacts { opened, closed, failed, .. } = facts;
        Self { opened, closed, failed, programs: programs.collect() }
    }
}

impl Gathered {
    /// `before` is None at the very first look, and then None for a socket that is new.
    fn add(&mut self, facts: &SocketFacts, before: Option<Option<&Totals>>) {
        let since = |total: u64, before: Option<u64>| match before {
            // Another session counts from nothing.
            Some(before) if before > total => total,
            Some(before) => total - before,
            None => 0,
        };
        let then = |pick: fn(&Totals) -> u64| before.map(|before| before.map_or(0, pick));
        let minute = &mut self.minute;
        minute.socket.clone_from(&facts.socket);
        minute.slots_max = minute.slots_max.max(facts.slots);
        minute.slots_last = facts.slots;
        minute.slots_limit = facts.limit;
        minute.queue_max = minute.queue_max.max(facts.queue);
        let opened_in_all = since(facts.opened, then(|totals| totals.opened));
        minute.opened += opened_in_all;
        minute.closed += since(facts.closed, then(|totals| totals.closed));
        minute.failed += since(facts.failed, then(|totals| totals.failed));
        minute.open_last = facts.open;
        self.programs.values_mut().for_each(|(open, _)| *open = 0);
        let (others, named): (Vec<_>, Vec<_>) = facts.programs.iter().partition(|it| it.program == OTHERS);
        let mut opened_by_named = 0;
        for program in named {
            let known = |totals: &Totals| totals.programs.get(&program.program).copied();
            let before = before.map(|before| before.and_then(known).unwrap_or(0));
            let (open, opened) = self.programs.entry(program.program.clone()).or_default();
            *open = program.open;
            let more = since(program.opened, before);
            *opened += more;
            opened_by_named += more;
        }
        if !others.is_empty() {
            // What is long over was counted with the others in one go: how many they opened just now is what is left.
            let (open, opened) = self.programs.entry(OTHERS.to_owned()).or_default();
            *open = others.iter().map(|program| program.open).sum();
            *opened += opened_in_all.saturating_sub(opened_by_named);
        }
    }

    fn finish(self) -> SocketMinute {
        let programs = self.programs.into_iter().filter(|&(_, figures)| figures != (0, 0));
        let mut programs: Vec<_> = programs
            .map(|(program, (open_last, opened))| ProgramMinute { program, open_last, opened })
            .collect();
        programs.sort_by_key(|it| (it.program == OTHERS, Reverse((it.open_last, it.opened))));
        let named = programs.iter().filter(|program| program.program != OTHERS).count();
        let others = programs.split_off(named.min(PROGRAMS));
        if !others.is_empty() {
            programs.push(ProgramMinute {
                program: OTHERS.to_owned(),
                open_last: others.iter().map(|program| program.open_last).sum(),
                opened: others.iter().map(|program| program.opened).sum(),
            });
        }
        SocketMinute { programs, ..self.minute }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-02T03:04:00Z
    const START: i64 = 1_767_323_040_000;

    type Look = (i64, u64, u64);
    type Row = (i64, u64, u64, u64, u64);

    fn facts(slots: u64, opened: u64) -> SocketFacts {
        let program = ProgramFacts { program: "/bin/x".to_owned(), open: slots, opened };
        SocketFacts {
            socket: "/run/a.sock".to_owned(),
            slots,
            open: slots + 1,
            opened,
            closed: opened / 2,
            programs: vec![program],
            ..SocketFacts::default()
        }
    }

    /// Looks at seconds since [`START`], each with slots and connections made; the minutes that come of it: second, most slots,
    /// last slots, connections made and closed.
    fn minutes(looks: &[Look]) -> Vec<Row> {
        let mut rollup = Rollup::default();
        let mut minutes = Vec::new();
        for &(second, slots, opened) in looks {
            minutes.extend(rollup.observe(START + second * 1000, &[facts(slots, opened)]));
        }
        minutes.extend(rollup.take());
        let row = |minute: Minute| {
            let socket = &minute.sockets[0];
            let second = (minute.at - START) / 1000;
            (second, socket.slots_max, socket.slots_last, socket.opened, socket.closed)
        };
        minutes.into_iter().map(row).collect()
    }

    #[test]
    fn minutes_begin_and_end_with_the_clock() {
        let table: &[(&str, &[Look], &[Row])] = &[
            ("nothing", &[], &[]),
            ("one look", &[(59, 3, 100)], &[(0, 3, 3, 0, 0)]),
            ("a minute", &[(0, 3, 100), (1, 9, 104), (59, 2, 110)], &[(0, 9, 2, 10, 5)]),
            (
                "borders",
                &[(59, 3, 0), (60, 1, 2), (119, 2, 4), (120, 5, 8)],
                &[(0, 3, 3, 0, 0), (60, 2, 2, 4, 2), (120, 5, 5, 4, 2)],
            ),
            ("a gap", &[(10, 3, 0), (1000, 4, 6)], &[(0, 3, 3, 0, 0), (960, 4, 4, 6, 3)]),
            ("forward", &[(10, 3, 0), (86_410, 4, 6)], &[(0, 3, 3, 0, 0), (86_400, 4, 4, 6, 3)]),
            (
                "back",
                &[(130, 3, 0), (131, 7, 2), (10, 4, 6), (70, 1, 6), (130, 2, 8)],
                &[(120, 7, 7, 2, 1), (0, 4, 4, 4, 2), (60, 1, 1, 0, 0), (120, 2, 2, 2, 1)],
            ),
            ("back within", &[(50, 3, 0), (40, 4, 6)], &[(0, 4, 4, 6, 3)]),
            ("another session", &[(10, 3, 100), (20, 4, 6)], &[(0, 4, 4, 6, 3)]),
            ("before 1970", &[(-1_767_323_041, 3, 0)], &[(-1_767_323_100, 3, 3, 0, 0)]),
        ];
        for (name, looks, expected) in table {
            assert_eq!(minutes(looks), *expected, "{name}");
        }
    }

    #[test]
    fn a_socket_that_comes_later_counts_from_its_first_connection() {
        let mut rollup = Rollup::default();
        assert_eq!(rollup.observe(START, &[]), None);
        assert_eq!(rollup.observe(START + 1000, &[facts(2, 5)]), None);
        let minute = rollup.take().expect("there was a look");
        assert_eq!((minute.sockets[0].opened, minute.sockets[0].programs[0].opened), (5, 5));
        assert_eq!(rollup.take(), None);
    }

    /// What happened while it was left out does not count once it is not.
    #[test]
    fn no_minute_is_kept_of_what_is_left_out() {
        let mut rollup = Rollup::default();
        let left_out = |opened| SocketFacts { is_left_out: true, ..facts(0, opened) };
        assert_eq!(rollup.observe(START, &[left_out(3)]), None);
        assert_eq!(rollup.observe(START + 60_000, &[left_out(5)]), None);
        assert_eq!(rollup.observe(START + 61_000, &[facts(1, 6)]), None);
        assert_eq!(rollup.take().map(|minute| minute.sockets[0].opened), Some(1));
    }

    #[test]
    fn the_queue_and_the_limit_are_kept_where_they_are_known() {
        let mut rollup = Rollup::default();
        for (queue, limit) in [(None, None), (Some(7), Some(10)), (Some(3), Some(12))] {
            assert_eq!(rollup.observe(START, &[SocketFacts { queue, limit, ..facts(1, 0) }]), None);
        }
        let minute = rollup.take().expect("there was a look");
        assert_eq!((minute.sockets[0].queue_max, minute.sockets[0].slots_limit), (Some(7), Some(12)));
    }

    #[test]
    fn ten_programs_are_named() {
        let program = |number: u64| ProgramFacts {
            program: format!("/bin/{number}"),
            open: number,
            opened: number * 10,
        };
        let socket = SocketFacts { programs: (0..14).map(program).collect(), ..facts(1, 0) };
        let mut rollup = Rollup::default();
        assert_eq!(rollup.observe(START, &[]), None);
        assert_eq!(rollup.observe(START, &[socket]), None);
        let minute = rollup.take().expect("there was a look");
        let programs = &minute.sockets[0].programs;
        let named: Vec<_> =
            programs.iter().map(|it| (it.program.as_str(), it.open_last, it.opened)).collect();
        // One that did nothing is left out.
        assert_eq!((named.len(), named[0], named[10]), (11, ("/bin/13", 13, 130), (OTHERS, 6, 60)));
    }

    /// What a program did that is long over is counted with the others from one look to the next: nobody opened that just then.
    #[test]
    fn what_was_counted_together_was_not_done_now() {
        let look = |opened: u64, programs: &[(&str, u64, u64)]| {
            let programs = programs.iter().map(|&(name, open, opened)| ProgramFacts {
                program: name.to_owned(),
                open,
                opened,
            });
            SocketFacts { programs: programs.collect(), ..facts(1, opened) }
        };
        let mut rollup = Rollup::default();
        assert_eq!(rollup.observe(START, &[look(100, &[("/bin/a", 0, 90), ("/bin/b", 1, 10)])]), None);
        // A process may be called so, too.
        let next = look(107, &[("/bin/b", 1, 14), (OTHERS, 1, 90), (OTHERS, 1, 3)]);
        assert_eq!(rollup.observe(START + 1000, &[next]), None);
        let minute = rollup.take().expect("there was a look");
        let programs: Vec<_> = minute.sockets[0]
            .programs
            .iter()
            .map(|it| (it.program.as_str(), it.open_last, it.opened))
            .collect();
        assert_eq!(programs, [("/bin/b", 1, 4), (OTHERS, 2, 3)]);
    }

    #[test]
    fn who_is_gone_has_nothing_open() {
        let mut rollup = Rollup::default();
        assert_eq!(rollup.observe(START, &[facts(2, 5)]), None);
        assert_eq!(rollup.observe(START, &[SocketFacts { programs: Vec::new(), ..facts(0, 5) }]), None);
        assert_eq!(rollup.take().map(|minute| minute.sockets[0].programs.clone()), Some(Vec::new()));
    }
}
