//! From a question to the address where a service answers it.

use form_urlencoded::Serializer;
use sockleak_core::{assess::Wanted, attribution::filter::Filter, choice::Choice as _};
use sockleak_report::document::Format;

use crate::service::{
    link::{
        Question,
        question::{ConnectionFilter, FindingFilter, ReportFilter, SeriesRange, Sort},
    },
    metrics::MetricDetail,
};

/// Path and query.
pub(crate) fn of(question: &Question) -> String {
    let mut query = Query(Serializer::new(String::new()));
    let path = match question {
        Question::Metrics { detail, .. } => {
            let detail = Some(detail.name()).filter(|_| *detail != MetricDetail::default());
            query.add("detail", detail.map(str::to_owned));
            "/metrics"
        }
        Question::Health => "/healthz",
        Question::Ready => "/readyz",
        Question::Snapshot => "/api/v1/snapshot",
        Question::Sockets => "/api/v1/sockets",
        Question::Subscribe { .. } | Question::Unsubscribe { .. } => "/api/v1/events",
        // A client of the command line looks, and changes nothing.
        Question::Replay(_) => "/api/v1/replay",
        Question::Connection { id, .. } => return format!("/api/v1/connections/{id}"),
        Question::Findings(FindingFilter { socket, verdict }) => {
            query.add("socket", socket.as_ref());
            query.add("verdict", verdict.as_ref());
            "/api/v1/findings"
        }
        // Command lines are shown to those who have the token, whether they ask for them or not.
        Question::Connections(filter) => {
            let ConnectionFilter { socket, program, state, contains, sort, .. } = filter;
            let &ConnectionFilter { older_than_ns, limit, offset, .. } = filter;
            query.add("socket", socket.as_ref());
            query.add("program", program.as_ref());
            query.add("state", state.as_ref());
            query.add("contains", contains.as_ref());
            query.add("sort", sort.map(Sort::name));
            query.add("older_than", (older_than_ns > 0).then(|| format!("{older_than_ns}ns")));
            query.add("limit", Some(limit.to_string()));
            query.add("offset", Some(offset.to_string()));
            "/api/v1/connections"
        }
        Question::Report(filter) => {
            let ReportFilter { format, table, width, all, older_than_ns, with_argv: _, wanted } = filter;
            query.add("format", Some(format.name().to_owned()));
            let table = Some(table.name()).filter(|_| *format == Format::Csv);
            query.add("table", table.map(str::to_owned));
            query.add("width", Some(width.to_string()));
            query.add("all", all.then(|| "true".to_owned()));
            query.add("older_than", (*older_than_ns > 0).then(|| format!("{older_than_ns}ns")));
            query.wanted(wanted);
            "/api/v1/report"
        }
        Question::Series(SeriesRange { socket, from_ms, to_ms, points }) => {
            query.add("socket", Some(socket));
            query.add("from", Some(from_ms.to_string()));
            query.add("to", Some(to_ms.to_string()));
            query.add("points", Some(points.to_string()));
            "/api/v1/series"
        }
    };
    let query = query.0.finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

struct Query(Serializer<'static, String>);

impl Query {
    fn add(&mut self, name: &str, value: Option<impl AsRef<str>>) {
        if let Some(value) = value {
            self.0.append_pair(name, value.as_ref());
        }
    }

    fn wanted(&mut self, Wanted { verdicts, processes }: &Wanted) {
        let Filter { pids, programs, users, units, containers, pods } = processes;
        verdicts.iter().for_each(|verdict| self.add("verdict", Some(verdict.name())));
        pids.iter().for_each(|pid| self.add("pid", Some(pid.to_string())));
        users.iter().for_each(|user| self.add("user", Some(user)));
        let globs = [("program", programs), ("unit", units), ("container", containers), ("pod", pods)];
        for (name, globs) in globs {
            globs.iter().for_each(|glob| self.add(name, Some(glob.text())));
        }
    }
}

#[cfg(test)]
mod tests {
    use sockleak_core::{attribution::filter::Glob, verdict::Verdict};
    use sockleak_report::document::CsvTable;

    use super::*;

    #[test]
    fn questions_have_addresses() {
        let filter = ConnectionFilter {
            socket: Some("/run/a b&c.sock".to_owned()),
            contains: Some("x=1".to_owned()),
            sort: Sort::named("-pid"),
            older_than_ns: 5,
            limit: 7,
            offset: 14,
            ..ConnectionFilter::default()
        };
        let range = SeriesRange { socket: "@a".to_owned(), from_ms: 1, to_ms: 2, points: 3 };
        let report = |format| ReportFilter {
            format,
            table: CsvTable::Open,
            width: 90,
            all: false,
            older_than_ns: 0,
            with_argv: true,
            wanted: Wanted::default(),
        };
        let globs = |texts: &[&str]| texts.iter().map(|text| Glob::parse(text).unwrap()).collect();
        let processes = Filter { pids: vec![7], programs: globs(&["a*", "b&c"]), ..Filter::default() };
        let wanted = Wanted { verdicts: vec![Verdict::ClientLeak], processes };
        let chosen = ReportFilter { wanted, ..report(Format::Json) };
        for (question, expected) in [
            (Question::Snapshot, "/api/v1/snapshot"),
            (Question::Health, "/healthz"),
            (Question::Connection { id: 7, with_argv: true }, "/api/v1/connections/7"),
            (
                Question::Connections(filter),
                "/api/v1/connections?socket=%2Frun%2Fa+b%26c.sock&contains=x%3D1&sort=-pid&older_than=5ns&limit=7&offset=14",
            ),
            (Question::Findings(FindingFilter::default()), "/api/v1/findings"),
            (Question::Report(report(Format::Csv)), "/api/v1/report?format=csv&table=open&width=90"),
            (Question::Report(report(Format::Html)), "/api/v1/report?format=html&width=90"),
            (
                Question::Report(chosen),
                "/api/v1/report?format=json&width=90&verdict=client-leak&pid=7&program=a*&program=b%26c",
            ),
            (Question::Series(range), "/api/v1/series?socket=%40a&from=1&to=2&points=3"),
        ] {
            assert_eq!(of(&question), expected);
        }
    }
}
