//! One table of a report as CSV: RFC 4180 with headings, one line a row.

use std::io::{self, Write};

use csv::{Terminator, WriterBuilder};
use sockleak_core::{
    assess::{EndReport, Open, Program, Report, findings::FindingReport},
    attribution::{container::Container, limits::Source},
    choice::Choice as _,
    text::escape::cell,
};

use super::{
    section::{CsvTable, Section},
    tables::failed,
};

/// Writes a table of all sections. Each row says of which host and file it is.
///
/// # Errors
/// If it cannot be written.
pub(super) fn write(sections: &[Section], table: CsvTable, out: &mut dyn Write) -> io::Result<()> {
    let mut writer = WriterBuilder::new().terminator(Terminator::Any(b'\n')).from_writer(out);
    let headings = match table {
        CsvTable::Programs => &PROGRAMS[..],
        CsvTable::Open => &OPEN,
        CsvTable::Findings => &FINDINGS,
    };
    writer.write_record(["host", "file"].iter().chain(headings)).map_err(plain)?;
    for Section { host, file, report, .. } in sections {
        let mut row = |cells: Row| {
            let cells = cells.0.iter().map(String::as_str);
            let of = [cell(host), cell(file)];
            writer.write_record(of.iter().map(AsRef::as_ref).chain(cells)).map_err(plain)
        };
        match table {
            CsvTable::Programs => report.programs.iter().try_for_each(|it| row(program(report, it)))?,
            CsvTable::Open => report.open.iter().try_for_each(|it| row(open(&it)))?,
            CsvTable::Findings => report.findings.iter().try_for_each(|it| row(finding(report, it)))?,
        }
    }
    writer.flush()
}

/// What writing ran into: rows of the same length, as these are, lead to no other error.
fn plain(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

/// Cells of a row.
#[derive(Default)]
struct Row(Vec<String>);

impl Row {
    /// A text from outside.
    fn text(mut self, text: &str) -> Self {
        self.0.push(cell(text).into_owned());
        self
    }

    /// A number or a word of sockleak's own; empty if it is not known.
    fn value(mut self, value: Option<impl ToString>) -> Self {
        self.0.push(value.map(|value| value.to_string()).unwrap_or_default());
        self
    }
}

const PROGRAMS: [&str; 12] = [
    "path",
    "by",
    "program",
    "opened",
    "before_trace",
    "closed",
    "open_client",
    "open_server",
    "old_client",
    "old_server",
    "oldest_ns",
    "failed",
];

fn program(report: &Report, it: &Program) -> Row {
    Row::default()
        .text(&it.path)
        .value(Some(report.by.name()))
        .text(&it.program)
        .value(Some(it.opened))
        .value(Some(it.before_trace))
        .value(Some(it.closed))
        .value(Some(it.open_client))
        .value(Some(it.open_server))
        .value(Some(it.old_client))
        .value(Some(it.old_server))
        .value(it.oldest_ns)
        .value(failed(&it.failed, "; "))
}

const OPEN: [&str; 41] = [
    "path",
    "connection",
    "state",
    "age_ns",
    "before_trace",
    "idle_ns",
    "idle_at_least",
    "pid",
    "start_ns",
    "program",
    "command_line",
    "comm",
    "container",
    "container_name",
    "image",
    "pod",
    "group",
    "client_inode",
    "server_inode",
    "server_pid",
    "server_program",
    "client_end",
    "client_reason",
    "client_released_ns_ago",
    "client_released_by_pid",
    "client_released_by_program",
    "client_held_by",
    "client_last_sent_ns_ago",
    "client_sends",
    "client_sent_bytes",
    "client_unread",
    "server_end",
    "server_reason",
    "server_released_ns_ago",
    "server_released_by_pid",
    "server_released_by_program",
    "server_held_by",
    "server_last_sent_ns_ago",
    "server_sends",
    "server_sent_bytes",
    "server_unread",
];

fn open(it: &Open) -> Row {
    let opener = &it.opener;
    let container = opener.container.as_ref();
    let row = Row::default()
        .text(it.path)
        .value(Some(it.connection))
        .value(Some(it.state.name()))
        .value(Some(it.age_ns))
        .value(Some(it.before_trace))
        .value(it.idle.map(|idle| idle.for_ns))
        .value(it.idle.map(|idle| idle.at_least))
        .value(Some(opener.pid))
        .value(opener.start_ns)
        .text(opener.program)
        .text(&opener.argv.unwrap_or_default().join(" "))
        .text(&opener.comm.to_string())
        .text(container.map_or("", |it| it.id.as_str()))
        .text(container.and_then(|it| it.name.as_deref()).unwrap_or_default())
        .text(container.and_then(|it| it.image.as_deref()).unwrap_or_default())
        .text(&container.and_then(Container::pod_path).unwrap_or_default())
        .text(it.group)
        .value(it.client_inode)
        .value(it.server_inode)
        .value(it.server.as_ref().map(|server| server.pid))
        .text(it.server.as_ref().map_or("", |server| server.program));
    end(end(row, &it.client_end), &it.server_end)
}

fn end(row: Row, it: &EndReport) -> Row {
    let holders = it.held_by.iter().flatten();
    let holders: Vec<_> =
        holders.map(|holder| format!("{} {}", holder.party.program, holder.party.pid)).collect();
    row.value(Some(it.state))
        .value(it.reason)
        .value(it.released_ns_ago)
        .value(it.by.as_ref().map(|by| by.pid))
        .text(it.by.as_ref().map_or("", |by| by.program))
        .text(&holders.join("; "))
        .value(it.usage.and_then(|usage| usage.last_sent_ns_ago))
        .value(it.usage.and_then(|usage| usage.sends))
        .value(it.usage.and_then(|usage| usage.sent_bytes))
        .value(it.usage.map(|usage| usage.unread))
}

const FINDINGS: [&str; 31] = [
    "verdict",
    "path",
    "by",
    "program",
    "count",
    "accepted",
    "oldest_ns",
    "opened",
    "closed",
    "p50_ns",
    "p99_ns",
    "failed",
    "growth_per_hour",
    "slots_used",
    "slots_limit",
    "limit_source",
    "seconds_until_full",
    "refused",
    "abandoned",
    "waiting",
    "turned_away",
    "goes_on",
    "holders",
    "held_by_server",
    "needed_ns",
    "observed_ns",
    "processes",
    "unused",
    "containers",
    "uncertain",
    "advice",
];

fn finding(report: &Report, it: &FindingReport) -> Row {
    let hardship = it.hardship.as_ref();
    let holders = hardship.iter().flat_map(|it| &it.holders);
    let holders: Vec<_> = holders.map(|holder| format!("{} {}", holder.program, holder.slots)).collect();
    let containers = it.containers.iter();
    let containers: Vec<_> =
        containers.map(|it| format!("{} ({})", it.container.described(), it.count)).collect();
    Row::default()
        .value(Some(it.verdict))
        .text(&it.path)
        .value(Some(report.by.name()))
        .text(&it.program)
        .value(Some(it.count))
        .value(Some(it.accepted))
        .value(it.oldest_ns)
        .value(Some(it.opened))
        .value(Some(it.closed))
        .value(it.p50_ns)
        .value(it.p99_ns)
        .value(failed(&it.failed, "; "))
        .value(it.growth_per_hour)
        .value(Some(it.slots_used))
        .value(it.slots_limit)
        .value(it.limit_source.map(Source::name))
        .value(it.seconds_until_full)
        .value(hardship.map(|it| it.refused))
        .value(hardship.map(|it| it.abandoned))
        .value(hardship.map(|it| it.waiting))
        .value(hardship.map(|it| it.turned_away))
        .value(hardship.map(|it| it.goes_on))
        .text(&holders.join("; "))
        .value(hardship.map(|it| it.held_by_server))
        .value(it.needed_ns)
        .value(it.observed_ns)
        .value(Some(it.processes))
        .value(Some(it.unused))
        .text(&containers.join("; "))
        .text(&it.uncertain.join("; "))
        .text(&it.advice)
}
