//! Sockets: how full each is, and what is worst there.

use ratatui::text::Line;

use super::{Cell, columns::Column, finding};
use crate::{
    service::model::{FindingReport, SocketSnapshot, State as Stands},
    top::{
        state::{Rate, Sorted, State, sum},
        text::short,
        theme::Theme,
    },
};

/// Columns of the bar.
const BAR: usize = 8;

pub(super) const COLUMNS: [Column; 12] = [
    Column::name("SOCKET", 16, Sorted::Name),
    Column::word("SLOTS", 15, Sorted::Slots),
    Column::number("QUEUE", 6, Sorted::Queue).rank(1),
    Column::number("OPEN", 5, Sorted::Open),
    Column::number("NEW/s", 6, Sorted::OpenedRate).rank(2),
    Column::number("CLOSED/s", 8, Sorted::ClosedRate).rank(4),
    Column::number("OLDEST", 7, Sorted::Oldest).rank(3),
    Column::number("FULL IN", 8, Sorted::FullIn),
    Column::word("WORST", 12, Sorted::Worst),
    Column::number("QUEUED", 6, Sorted::Queue).unsorted().rank(5),
    Column::number("CLIENT GONE", 11, Sorted::Open).unsorted().rank(6),
    Column::number("SERVER GONE", 11, Sorted::Open).unsorted().rank(7),
];

pub(super) fn cells(
    theme: Theme,
    socket: &SocketSnapshot,
    worst: Option<&FindingReport>,
    rate: Option<Rate>,
) -> Vec<Cell> {
    let in_state = |state: Stands| socket.states.get(&state).copied().unwrap_or(0);
    let rate =
        |pick: fn(Rate) -> f64| rate.map_or_else(|| "-".to_owned(), |rate| format!("{:.1}", pick(rate)));
    vec![
        socket.path.as_str().into(),
        slots(theme, socket),
        queue(theme, socket),
        sum(socket.states.values()).to_string().into(),
        rate(|rate| rate.opened).into(),
        rate(|rate| rate.closed).into(),
        socket.oldest_ns.map_or_else(|| "-".to_owned(), short).into(),
        full_in(theme, socket.seconds_until_full),
        verdict(theme, worst),
        in_state(Stands::Queued).saturating_add(in_state(Stands::Abandoned)).to_string().into(),
        in_state(Stands::ClientClosed).to_string().into(),
        in_state(Stands::ServerClosed).to_string().into(),
    ]
}

fn slots(theme: Theme, socket: &SocketSnapshot) -> Cell {
    let used = socket.slots;
    match socket.limit {
        Some(limit) => {
            let bar = theme.bar(used, limit.slots, BAR);
            Cell::from(format!("{bar} {used}/{}", limit.slots)).styled(theme.fullness(used, limit.slots))
        }
        // Of how many is not known.
        None => used.to_string().into(),
    }
}

/// One more than the backlog may wait.
fn queue(theme: Theme, socket: &SocketSnapshot) -> Cell {
    socket.queue.map_or_else(
        || Cell::from("-"),
        |queue| {
            let (length, room) = (u64::from(queue.length), u64::from(queue.max) + 1);
            Cell::from(format!("{length}/{room}")).styled(theme.fullness(length, room))
        },
    )
}

/// When all slots will be in use.
pub(super) fn full_in(theme: Theme, seconds: Option<u64>) -> Cell {
    match seconds {
        None => "-".into(),
        Some(0) => Cell::from("full now").styled(theme.bad()),
        Some(seconds) => Cell::from(short(seconds.saturating_mul(1_000_000_000))).styled(theme.doubtful()),
    }
}

/// The name of a verdict.
pub(super) fn verdict(theme: Theme, worst: Option<&FindingReport>) -> Cell {
    worst.map_or_else(
        || Cell::from("-"),
        |finding| Cell::from(finding.verdict.name()).styled(theme.verdict(finding.verdict)),
    )
}

/// What is worst.
pub(super) fn detail(
    state: &State,
    socket: &SocketSnapshot,
    worst: Option<&FindingReport>,
    columns: usize,
) -> Vec<Line<'static>> {
    match worst {
        Some(finding) => finding::statement(state, finding, columns),
        None => {
            vec![Line::raw(format!("  Nothing is wrong on {}.", state.theme.letters().safe(&socket.path)))]
        }
    }
}
