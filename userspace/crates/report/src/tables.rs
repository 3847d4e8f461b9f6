//! The tables of a report.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
};

use sockleak_core::{
    assess::{EndReport, Idle, Open, Program, Report},
    time::{human, rounded},
    verdict::Verdict,
};

use super::grid::{Cell, Grid, Kind};
use crate::elide::file_name;

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

/// What is open of a group on a socket.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// The longest that one of its connections has been idle.
    idle: Option<Idle>,
    /// The processes that opened them.
    pids: BTreeSet<u32>,
}

/// What is open of each group on each socket.
pub(super) type Groups<'r> = HashMap<(&'r str, &'r str), Group>;

/// Goes through all open connections once.
pub(super) fn groups<'r>(report: &Report<'r>) -> Groups<'r> {
    let mut groups = Groups::new();
    for open in report.open.iter() {
        let group = groups.entry((open.path, open.group)).or_default();
        if let Some(idle) = open.idle {
            let longer = group.idle.is_none_or(|known| idle.for_ns > known.for_ns);
            group.idle = if longer { Some(idle) } else { group.idle };
        }
        group.pids.insert(open.opener.pid);
    }
    groups
}

/// What each group did on each socket: those that are accused first, then by what they have open.
pub(super) fn ranked<'r>(report: &'r Report<'_>) -> Vec<&'r Program> {
    let told = report.findings.iter().filter(|it| !is_calm(it.verdict));
    let accused: HashSet<_> = told.map(|it| (it.path.as_str(), it.program.as_str())).collect();
    let mut rows: Vec<&Program> = report.programs.iter().collect();
    rows.sort_by_key(|row| {
        let is_accused = accused.contains(&(row.path.as_str(), row.program.as_str()));
        (Reverse(is_accused), Reverse(row.open_client + row.open_server))
    });
    rows
}

/// Is there nothing to do about it?
pub(super) const fn is_calm(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Healthy | Verdict::Pool)
}

/// What each group did on one socket, or on several: then each row names its own. With `groups`, rows tell for how long they have
/// been idle; with `is_wide`, their processes too.
pub(super) fn programs<'r>(
    report: &Report,
    rows: &[&'r Program],
    groups: Option<&'r Groups<'r>>,
    is_wide: bool,
) -> Grid {
    let first = rows.first().map(|row| row.path.as_str());
    let with_socket = rows.iter().any(|row| Some(row.path.as_str()) != first);
    // With sockets, there is room for figures alone that cannot be read elsewhere.
    let has_room = is_wide || !with_socket;
    let with_before = has_room && rows.iter().any(|row| row.before_trace > 0);
    let group = |row: &'r Program| groups.and_then(|all| all.get(&(row.path.as_str(), row.program.as_str())));
    let with_idle = has_room && rows.iter().any(|row| group(row).is_some_and(|it| it.idle.is_some()));
    let with_pids = is_wide && groups.is_some_and(|all| !all.is_empty());
    let mut columns = vec![(report.by.heading(), Kind::Name)];
    columns.extend(with_socket.then_some(("SOCKET", Kind::Name)));
    columns.push(("OPENED", Kind::Number));
    columns.extend(with_before.then_some(("BEFORE", Kind::Number)));
    columns.extend(has_room.then_some(("CLOSED", Kind::Number)));
    columns.extend([
        ("CLIENT END OPEN", Kind::Number),
        ("SERVER END OPEN", Kind::Number),
        ("OLDEST", Kind::Number),
    ]);
    columns.extend(with_idle.then_some(("IDLE", Kind::Number)));
    columns.extend(with_pids.then_some(("PIDS", Kind::Prose)));
    columns.push(("FAILED", Kind::Prose));
    let mut grid = Grid::new(&columns);
    for row in rows {
        let known = group(row);
        let mut cells: Vec<Cell> = vec![row.program.as_str().into()];
        cells.extend(with_socket.then(|| row.path.as_str().into()));
        cells.push(row.opened.to_string().into());
        cells.extend(with_before.then(|| row.before_trace.to_string().into()));
        cells.extend(has_room.then(|| row.closed.to_string().into()));
        cells.extend([
            row.open_client.to_string().into(),
            row.open_server.to_string().into(),
            row.oldest_ns.map_or_else(|| "-".to_owned(), human).into(),
        ]);
        cells.extend(with_idle.then(|| known.and_then(|it| it.idle).map_or_else(|| "-".into(), idle)));
        cells.extend(with_pids.then(|| known.map_or_else(|| "-".into(), |it| pids(&it.pids))));
        cells.push(failed(&row.failed, ", ").unwrap_or_else(|| "-".to_owned()).into());
        grid.rows.push(cells);
    }
    grid
}

/// `7, 8, 9 and 4 more`; `7 and 6 more` where room is scarce.
fn pids(pids: &BTreeSet<u32>) -> Cell {
    let first = |most: usize| {
        let shown: Vec<String> = pids.iter().take(most).map(u32::to_string).collect();
        let rest = pids.len().saturating_sub(most);
        let rest = if rest > 0 { format!(" and {rest} more") } else { String::new() };
        format!("{}{rest}", shown.join(", "))
    };
    Cell { long: first(3), short: Some(first(1)), meaning: None }
}

/// `EAGAIN 2, ECONNREFUSED 1`; None without failures.
pub fn failed(failed: &BTreeMap<String, u64>, between: &str) -> Option<String> {
    let failed: Vec<_> = failed.iter().map(|(error, count)| format!("{error} {count}")).collect();
    (!failed.is_empty()).then(|| failed.join(between))
}

/// At most `most` of the open connections, shared among the groups that they belong to: the oldest of each.
pub(super) fn shared<'a>(
    open: impl Iterator<Item = Open<'a>>,
    groups: usize,
    most: usize,
) -> impl Iterator<Item = Open<'a>> {
    let share = (most / groups.max(1)).max(1);
    let mut shown: HashMap<(&str, &str), usize> = HashMap::new();
    let is_within = move |connection: &Open<'a>| {
        let count = shown.entry((connection.path, connection.group)).or_default();
        *count += 1;
        *count <= share
    };
    open.filter(is_within).take(most)
}

/// At most `most` of the open connections, shared among the groups that they belong to. With `with_socket`, each names its own, and
/// where the table is not wide the state gives way: the ends tell it.
pub(super) fn open<'a>(
    open: impl Iterator<Item = Open<'a>>,
    groups: usize,
    most: usize,
    with_socket: bool,
    is_wide: bool,
) -> Grid {
    let rows = shared(open, groups, most).map(|connection| {
        let opener = &connection.opener;
        let mut cells = vec![
            aged(&connection, with_socket),
            opener.pid.to_string().into(),
            Cell {
                long: command(opener.argv, opener.program, LONG),
                short: Some(command(opener.argv, file_name(opener.program), SHORT)),
                meaning: None,
            },
        ];
        cells.extend(with_socket.then(|| connection.path.into()));
        cells.extend((!with_socket || is_wide).then(|| connection.state.name().into()));
        cells.extend([client_end(&connection), server_end(&connection)]);
        (connection.idle.map(idle), cells)
    });
    open_grid(rows.collect(), with_socket, is_wide)
}

/// At most `most` of the connections that are open on a socket, and how many more there are.
pub(super) fn open_on(report: &Report, path: &str, most: usize) -> (Grid, usize) {
    let groups: HashSet<&str> = report.open.on(path).map(|open| open.group).collect();
    let grid = open(report.open.on(path), groups.len(), most, false, false);
    let hidden = report.open.count_on(path).saturating_sub(grid.rows.len());
    (grid, hidden)
}

/// With a column for how long each has been idle, if that is known of any.
fn open_grid(rows: Vec<(Option<Cell>, Vec<Cell>)>, with_socket: bool, is_wide: bool) -> Grid {
    let mut headings = vec![
        ("AGE", Kind::Number),
        ("PID", Kind::Number),
        ("PROGRAM", Kind::Command),
        ("STATE", Kind::Word),
        ("CLIENT END", Kind::Prose),
        ("SERVER END", Kind::Prose),
    ];
    if with_socket {
        headings.insert(3, ("SOCKET", Kind::Name));
    }
    if with_socket && !is_wide {
        headings.retain(|(heading, _)| *heading != "STATE");
    }
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

/// How old it is; in round numbers where room is scarce.
fn aged(connection: &Open, is_crowded: bool) -> Cell {
    let (ns, before_trace) = (connection.age_ns, connection.before_trace);
    let mark = if before_trace { "> " } else { "" };
    Cell {
        long: age(ns, before_trace),
        short: is_crowded.then(|| format!("{mark}{}", rounded(ns))),
        meaning: None,
    }
}

/// For how long it has been idle; in round numbers where room is scarce.
fn idle(Idle { for_ns: ns, at_least }: Idle) -> Cell {
    let mark = if at_least { "> " } else { "" };
    Cell { long: age(ns, at_least), short: Some(format!("{mark}{}", rounded(ns))), meaning: None }
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

/// Characters of a command line, and those where room is scarce.
pub const LONG: usize = 48;
const SHORT: usize = 28;

/// The program with its arguments, cut to so many characters.
pub fn command(argv: Option<&[String]>, program: &str, most: usize) -> String {
    let arguments = argv.and_then(|argv| argv.get(1..)).unwrap_or_default().join(" ");
    let text = if arguments.is_empty() { program.to_owned() } else { format!("{program} {arguments}") };
    if text.chars().count() <= most {
        return text;
    }
    text.chars().take(most - 1).chain(['…']).collect()
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
                meaning: None,
            }
        }
        _ => Cell { long: format!("open ({long})"), short: Some(short), meaning: None },
    }
}
