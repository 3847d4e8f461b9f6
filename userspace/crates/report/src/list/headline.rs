//! The line about a socket that begins its listing.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use sockleak_core::text::{
    count::{agreeing, enumerated},
    escape::terminal,
};

use super::{Holding, ListedSocket};
use crate::style::{Meaning, Style};

/// Who holds a listening socket, at most so many processes of each program by number: `PROGRAM PID, PID and PROGRAM PID listen`.
pub(super) fn who_listens(listeners: &[Holding]) -> String {
    const MOST: usize = 3;

    let mut pids: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
    let mut programs: Vec<(&str, &Holding)> = Vec::new();
    for it in listeners {
        let of_program = pids.entry(&it.program).or_default();
        if of_program.is_empty() {
            programs.push((&it.program, it));
        }
        of_program.insert(it.pid);
    }
    let named = programs.iter().map(|&(program, first)| {
        let numbers: Vec<String> = pids[program].iter().take(MOST).map(u32::to_string).collect();
        let more = pids[program].len() - numbers.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{} {}{more}", terminal(&first.shown_program()), numbers.join(", "))
    });
    let named: Vec<String> = named.collect();
    let processes: usize = pids.values().map(BTreeSet::len).sum();
    format!("{} {}", enumerated(&named), agreeing(processes as u64, "listens", "listen"))
}

/// `PATH: PROGRAM PID listens; 4 of 10 slots in use; 2 of 11 places in the accept queue`
pub(super) fn headline(socket: &ListedSocket, style: Style) -> String {
    let mut text = terminal(&socket.path).into_owned();
    let _ = match socket.listeners.as_deref() {
        None => write!(text, ": it is not known who listens"),
        Some([]) => write!(text, ": nobody listens any more"),
        Some(listeners) => write!(text, ": {}", who_listens(listeners)),
    };
    let slots = match socket.limit {
        Some(limit) => {
            let is_full = socket.slots_used >= limit.slots;
            let slots = format!("{} of {} slots in use", socket.slots_used, limit.slots);
            style.phrase(slots, is_full.then_some(Meaning::Warning))
        }
        None => format!("{} accepted", socket.slots_used),
    };
    let _ = write!(text, "; {slots}");
    if let Some(queue) = socket.queue {
        let places =
            format!("{} of {} places in the accept queue", queue.length, queue.max.saturating_add(1));
        let is_full = queue.length > queue.max;
        let _ = write!(text, "; {}", style.phrase(places, is_full.then_some(Meaning::Warning)));
    }
    if let Some(gone) = socket.gone {
        let new = socket.connections.iter().filter(|it| it.is_new == Some(true)).count();
        let changed = format!("since the last look {new} new, {gone} gone");
        let is_changed = new > 0 || gone > 0;
        let _ = write!(text, "; {}", style.phrase(changed, is_changed.then_some(Meaning::Warning)));
    }
    text
}
