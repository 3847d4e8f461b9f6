//! The tables of a report.

use std::collections::{BTreeMap, HashMap, HashSet};

use sockleak_core::{
    assess::{EndReport, Idle, Open, Program, Report},
    time::{human, rounded},
    verdict::Verdict,
};

use super::grid::{Cell, Grid, Kind};
use crate::elide::file_name;

/// Lists at most this many open connections of a group; the rest is counted.
const SHOWN: usize = 20;

/// The sockets of a report, in the order of their figures.
pub(super) fn paths<'r>(report: &'r Report<'_>) -> Vec<&'r str> {
    let mut met = HashSet::new();
    report.programs.iter().map(|program| program.path.as_str()).filter(|path| met.insert(*path)).collect()
}

/// What is said of sockets, by their paths: there may be many.
pub(super) fn by_path<T>(all: &[T], path: impl Fn(&T) -> &str) -> HashMap<&str, Vec<&T>> {
    let mut by_path: HashMap<&str, Vec<&T>> = HashMap::new();
    for one in all {
        by_path.entry(path(one)).or_default().push(one);
    }
    by_path
}

/// The figures of each socket.
pub(super) fn figures<'r>(report: &'r Report<'_>) -> HashMap<&'r str, Vec<&'r Program>> {
    by_path(&report.programs, |it| &it.path)
}

/// The sockets with findings, the most severe first, and then the others.
pub(super) fn by_severity<'r>(report: &'r Report<'_>) -> Vec<&'r str> {
    let told = report.findings.iter().filter(|it| it.verdict != Verdict::Healthy);
    let mut met = HashSet::new();
    told.map(|it| it.path.as_str()).chain(paths(report)).filter(|path| met.insert(*path)).collect()
}

/// What each group did on a socket.
pub(super) fn programs(report: &Report, rows: &[&Program]) -> Grid {
    let with_before = rows.iter().any(|row| row.before_trace > 0);
    let mut columns = vec![(report.by.heading(), Kind::Name), ("OPENED", Kind::Number)];
    columns.extend(with_before.then_some(("BEFORE", Kind::Number)));
    columns.extend([
        ("CLOSED", Kind::Number),
        ("CLIENT END OPEN", Kind::Number),
        ("SERVER END OPEN", Kind::Number),
        ("OLDEST", Kind::Number),
        ("FAILED", Kind::Prose),
    ]);
    let mut grid = Grid::new(&columns);
    for row in rows {
        let mut cells: Vec<Cell> = vec![row.program.as_str().into(), row.opened.to_string().into()];
        cells.extend(with_before.then(|| row.before_trace.to_string().into()));
        cells.extend([
            row.closed.to_string().into(),
            row.open_client.to_string().into(),
            row.open_server.to_string().into(),
            row.oldest_ns.map_or_else(|| "-".to_owned(), human).into(),
            failed(&row.failed, ", ").unwrap_or_else(|| "-".to_owned()).into(),
        ]);
        grid.rows.push(cells);
    }
    grid
}

/// `EAGAIN 2, ECONNREFUSED 1`; None without failures.
pub fn failed(failed: &BTreeMap<String, u64>, between: &str) -> Option<String> {
    let failed: Vec<_> = failed.iter().map(|(error, count)| format!("{error} {count}")).collect();
    (!failed.is_empty()).then(|| failed.join(between))
}

/// Open connections, and how many more there are of the same groups.
pub(super) fn open<'a>(open: impl Iterator<Item = Open<'a>>) -> (Grid, usize) {
    let mut rows: Vec<(Option<Cell>, Vec<Cell>)> = Vec::new();
    let mut shown: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut hidden = 0;
    for connection in open {
        let count = shown.entry((connection.path, connection.group)).or_default();
        *count += 1;
        if *count > SHOWN {
            hidden += 1;
            continue;
        }
        let opener = &connection.opener;
        let cells = vec![
            age(connection.age_ns, connection.before_trace).into(),
            opener.pid.to_string().into(),
            command(opener.argv, opener.program).into(),
            connection.state.name().into(),
            client_end(&connection),
            server_end(&connection),
        ];
        rows.push((connection.idle.map(idle), cells));
    }
    (open_grid(rows), hidden)
}

/// With a column for how long each has been idle, if that is known of any.
fn open_grid(rows: Vec<(Option<Cell>, Vec<Cell>)>) -> Grid {
    let mut headings = vec![
        ("AGE", Kind::Number),
        ("PID", Kind::Number),
        ("PROGRAM", Kind::Command),
        ("STATE", Kind::Word),
        ("CLIENT END", Kind::Prose),
        ("SERVER END", Kind::Prose),
    ];
    let has_idle = rows.iter().any(|(idle, _)| idle.is_some());
    if has_idle {
        headings.insert(1, ("IDLE", Kind::Number));
    }
    let mut grid = Grid::new(&headings);
    for (idle, mut cells) in rows {
        if has_idle {
            cells.insert(1, idle.unwrap_or_else(|| "-".into()));
        }
        grid.rows.push(cells);
    }
    grid
}

/// How old a connection is, at least.
pub fn age(nanoseconds: u64, before_trace: bool) -> String {
    let age = human(nanoseconds);
    if before_trace { format!("> {age}") } else { age }
}

/// For how long it has been idle; in round numbers where room is scarce.
fn idle(Idle { for_ns: ns, at_least }: Idle) -> Cell {
    let mark = if at_least { "> " } else { "" };
    Cell { long: age(ns, at_least), short: Some(format!("{mark}{}", rounded(ns))) }
}

/// The client's end.
pub(super) fn client_end(connection: &Open) -> Cell {
    let inode = connection.client_inode.unwrap_or(0);
    let detail = (format!("socket:[{inode}]"), format!("open [{inode}]"));
    end(&connection.client_end, Some(connection.opener.pid), detail)
}

/// The server's end.
pub(super) fn server_end(connection: &Open) -> Cell {
    let server = connection.server.as_ref();
    let accepted = match (server, connection.server_inode) {
        (Some(party), _) => {
            let (program, pid) = (party.program, party.pid);
            (format!("accepted by {program} {pid}"), format!("{} {pid}", file_name(program)))
        }
        (None, Some(_)) => ("accepted".to_owned(), "open".to_owned()),
        (None, None) => ("not accepted".to_owned(), "not accepted".to_owned()),
    };
    end(&connection.server_end, server.map(|party| party.pid), accepted)
}

/// The program with its arguments, cut to a line.
pub fn command(argv: Option<&[String]>, program: &str) -> String {
    const WIDTH: usize = 48;
    let arguments = argv.and_then(|argv| argv.get(1..)).unwrap_or_default().join(" ");
    let text = if arguments.is_empty() { program.to_owned() } else { format!("{program} {arguments}") };
    if text.chars().count() <= WIDTH {
        return text;
    }
    text.chars().take(WIDTH - 1).chain(['…']).collect()
}

/// An end in a cell. `owner` opened or accepted it; if others hold it now, they are named. Of an open one, the texts say
/// more, and the second all.
fn end(end: &EndReport, owner: Option<u32>, (long, short): (String, String)) -> Cell {
    if let (Some(reason), Some(ago)) = (end.reason, end.released_ns_ago) {
        return format!("{reason} {} ago", human(ago)).into();
    }
    let holders = end.held_by.as_deref().unwrap_or_default();
    let is_owners = holders.iter().any(|holder| Some(holder.party.pid) == owner);
    match (end.state, holders) {
        ("unknown", _) => "not followed".into(),
        ("released", _) => "released, not seen when".into(),
        (_, [first, rest @ ..]) if !is_owners && owner.is_some() => {
            let others = rest.iter().filter(|holder| holder.party.pid != first.party.pid).count();
            let others = if others > 0 { format!(" and {others} more") } else { String::new() };
            let (program, pid) = (first.party.program, first.party.pid);
            Cell {
                long: format!("open (held by {program} {pid}{others})"),
                short: Some(format!("held by {} {pid}{others}", file_name(program))),
            }
        }
        _ => Cell { long: format!("open ({long})"), short: Some(short) },
    }
}
