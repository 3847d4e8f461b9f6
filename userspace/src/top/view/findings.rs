//! Findings, the most severe first.

use super::{
    Cell,
    columns::Column,
    sockets::{full_in, verdict},
};
use crate::{
    service::model::FindingReport,
    top::{state::Sorted, text::short, theme::Theme},
};

pub(super) fn columns(with_socket: bool) -> Vec<Column> {
    let mut columns =
        vec![Column::word("VERDICT", 12, Sorted::Worst), Column::name("PROGRAM", 16, Sorted::Name)];
    columns.extend(with_socket.then(|| Column::name("SOCKET", 10, Sorted::State)));
    columns.extend([
        Column::number("COUNT", 6, Sorted::Count),
        Column::number("OLDEST", 7, Sorted::Oldest).rank(1),
        Column::number("MORE/h", 7, Sorted::Growth).rank(2),
        Column::number("FULL IN", 8, Sorted::FullIn),
    ]);
    columns
}

pub(super) fn cells(theme: Theme, finding: &FindingReport, with_socket: bool) -> Vec<Cell> {
    let mut cells = vec![verdict(theme, Some(finding)), finding.program.as_str().into()];
    cells.extend(with_socket.then(|| Cell::from(finding.path.as_str())));
    cells.extend([
        finding.count.to_string().into(),
        finding.oldest_ns.map_or_else(|| "-".to_owned(), short).into(),
        finding.growth().map_or_else(|| "-".to_owned(), |growth| format!("{growth:.1}")).into(),
        full_in(theme, finding.seconds_until_full),
    ]);
    cells
}
