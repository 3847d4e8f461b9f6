//! Connections: who opened each, where it stands, and who holds its ends.

use ratatui::text::Line;
use sockleak_core::time::human;
use sockleak_report::{elide::file_name, usage::words, use_sentence};

use super::{Cell, Facts, columns::Column};
use crate::{
    service::model::{EndReport, Open},
    top::{
        state::{Sorted, State},
        text::{Keep, Letters, short},
        theme::Theme,
    },
};

pub(super) fn columns(with_socket: bool) -> Vec<Column> {
    let mut columns = vec![
        Column::number("AGE", 7, Sorted::Age),
        Column::number("IDLE", 7, Sorted::Idle),
        Column::number("PID", 7, Sorted::Pid),
        Column::name("PROGRAM", 14, Sorted::Name),
    ];
    columns.extend(with_socket.then(|| Column::name("SOCKET", 10, Sorted::Name).unsorted().rank(3)));
    columns.extend([
        Column::word("STATE", 13, Sorted::State),
        Column { keep: Keep::Front, ..Column::name("CLIENT END", 12, Sorted::Name).unsorted().rank(2) },
        Column { keep: Keep::Front, ..Column::name("SERVER END", 12, Sorted::Name).unsorted().rank(1) },
    ]);
    columns
}

pub(super) fn cells(theme: Theme, open: &Open, with_socket: bool) -> Vec<Cell> {
    // It is at least that.
    let time = |ns, at_least| if at_least { format!(">{}", short(ns)) } else { short(ns) };
    let mut cells: Vec<Cell> = vec![
        time(open.age_ns, open.before_trace).into(),
        open.idle.map_or_else(|| "-".to_owned(), |idle| time(idle.for_ns, idle.at_least)).into(),
        open.opener.pid.to_string().into(),
        open.opener.program.as_str().into(),
    ];
    cells.extend(with_socket.then(|| Cell::from(open.path.as_str())));
    cells.extend([
        Cell::from(open.state.name()).styled(theme.state(open.state)),
        client_end(open).into(),
        server_end(open).into(),
    ]);
    cells
}

fn client_end(open: &Open) -> String {
    let pid = open.opener.pid;
    end(&open.client_end, Some(pid).filter(|&pid| pid != 0))
}

fn server_end(open: &Open) -> String {
    let end = end(&open.server_end, open.server.as_ref().map(|party| party.pid));
    match (&open.server, open.server_inode) {
        (Some(party), _) if end == "open" => format!("{} {}", file_name(&party.program), party.pid),
        (None, None) if end == "open" => "not accepted".to_owned(),
        _ => end,
    }
}

/// An end in a few words. `owner` opened or accepted it; if others hold it now, they are named.
fn end(end: &EndReport, owner: Option<u32>) -> String {
    if let (Some(reason), Some(ago)) = (&end.reason, end.released_ns_ago) {
        return format!("{reason} {} ago", short(ago));
    }
    let holders = end.held_by.as_deref().unwrap_or_default();
    let is_owners = holders.iter().any(|holder| Some(holder.party.pid) == owner);
    match (end.state.as_str(), holders.first()) {
        ("open", Some(first)) if !is_owners && owner.is_some() => {
            let more = if holders.len() > 1 { " and others" } else { "" };
            format!("held by {} {}{more}", file_name(&first.party.program), first.party.pid)
        }
        ("unknown", _) => "not followed".to_owned(),
        (state, _) => state.to_owned(),
    }
}

/// The command line, and both ends in full.
pub(super) fn detail(state: &State, open: &Open) -> Vec<Line<'static>> {
    let (facts, letters) = (Facts::of(state), state.theme.letters());
    let used = use_sentence(open.client_end.usage, open.server_end.usage);
    let mut lines = vec![facts.line("command", &command(open))];
    lines.extend(used.map(|used| facts.line("use", &letters.time(used))));
    lines.extend([
        facts.line("client end", &in_full(letters, &open.client_end)),
        facts.line("server end", &in_full(letters, &open.server_end)),
    ]);
    lines
}

/// The command line, where it is shown.
pub(super) fn command(open: &Open) -> String {
    match &open.opener.argv {
        Some(argv) if !argv.is_empty() => argv.join(" "),
        _ => format!("{} (its command line is not known, or not shown without a token)", open.opener.program),
    }
}

/// An end in all words that there are.
pub(super) fn in_full(letters: Letters, end: &EndReport) -> String {
    let by = end.by.as_ref().map_or_else(String::new, |by| format!(" by {} {}", by.program, by.pid));
    if let (Some(reason), Some(ago)) = (&end.reason, end.released_ns_ago) {
        return format!("released {} ago{by}: {reason}", letters.time(human(ago)));
    }
    match (end.state.as_str(), end.held_by.as_deref()) {
        ("open", None) => "open; it is not known who holds it".to_owned(),
        ("open", Some([])) => "open; no process held it at the last descriptor scan".to_owned(),
        ("open", Some(holders)) => {
            let named = holders.iter().take(MOST_HOLDERS).map(|holder| {
                format!("{} {} (descriptor {})", holder.party.program, holder.party.pid, holder.fd)
            });
            let more = holders.len().saturating_sub(MOST_HOLDERS);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let used =
                end.usage.and_then(|usage| words(&usage)).map_or_else(String::new, |it| format!("; {it}"));
            format!("open; held by {}{more}{used}", named.collect::<Vec<_>>().join(", "))
        }
        ("released", _) => "released; it was not seen when and by whom".to_owned(),
        ("unknown", _) => "it could not be followed".to_owned(),
        (state, _) => state.to_owned(),
    }
}

/// Holders that are named.
const MOST_HOLDERS: usize = 20;
