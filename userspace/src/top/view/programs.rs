//! Programs: what each did on a socket.

use ratatui::text::Line;

use super::{Cell, Facts, columns::Column, finding, sockets::verdict};
use crate::{
    service::model::{FindingReport, ProgramSnapshot},
    top::{
        state::{Sorted, State},
        text::Keep,
        theme::Theme,
    },
};

pub(super) fn columns(with_socket: bool) -> Vec<Column> {
    let mut columns = vec![Column::name("PROGRAM", 16, Sorted::Name)];
    columns.extend(with_socket.then(|| Column::name("SOCKET", 10, Sorted::State)));
    columns.extend([
        Column::number("OPENED", 7, Sorted::Opened).rank(2),
        Column::number("CLOSED", 7, Sorted::Closed).rank(3),
        Column::number("OPEN", 5, Sorted::Open),
        Column::number("OLD", 5, Sorted::Old).rank(1),
        Column { keep: Keep::Front, ..Column::name("FAILED", 10, Sorted::Failed) },
        Column::word("VERDICT", 12, Sorted::Worst),
        Column::number("SERVER END OPEN", 15, Sorted::ServerOpen).rank(4),
        Column::number("BEFORE TRACE", 12, Sorted::Opened).unsorted().rank(5),
    ]);
    columns
}

pub(super) fn cells(
    theme: Theme,
    path: Option<&str>,
    program: &ProgramSnapshot,
    worst: Option<&FindingReport>,
) -> Vec<Cell> {
    let mut cells: Vec<Cell> = vec![program.program.as_str().into()];
    cells.extend(path.map(Cell::from));
    let old = Cell::from(program.old_client.to_string());
    cells.extend([
        program.opened.to_string().into(),
        program.closed.to_string().into(),
        program.open_client.to_string().into(),
        if program.old_client > 0 { old.styled(theme.doubtful()) } else { old },
        failed(program).map_or_else(|| Cell::from("-"), |failed| Cell::from(failed).styled(theme.doubtful())),
        verdict(theme, worst),
        program.open_server.to_string().into(),
        program.before_trace.to_string().into(),
    ]);
    cells
}

fn failed(program: &ProgramSnapshot) -> Option<String> {
    let failed: Vec<_> = program.failed.iter().map(|(error, count)| format!("{error} {count}")).collect();
    (!failed.is_empty()).then(|| failed.join(", "))
}

/// What is worst, or else how its client ends went.
pub(super) fn detail(
    state: &State,
    program: &ProgramSnapshot,
    worst: Option<&FindingReport>,
    columns: usize,
) -> Vec<Line<'static>> {
    if let Some(finding) = worst {
        return finding::statement(state, finding, columns);
    }
    let endings = program.endings;
    let closed = format!(
        "{} by itself, {} at its exit, {} by others, {} unseen",
        endings.closed, endings.ended, endings.by_another, endings.unseen
    );
    let failed = failed(program).unwrap_or_else(|| "none".to_owned());
    let facts = Facts::of(state);
    vec![
        facts.line("program", &program.program),
        facts.line("closed", &closed),
        facts.line("failed", &failed),
    ]
}
