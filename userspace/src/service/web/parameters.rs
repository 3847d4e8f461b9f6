//! What is asked for after the question mark.

mod wanted;

use std::{borrow::Cow, collections::BTreeMap, ops::RangeInclusive, str::FromStr, time::SystemTime};

use hyper::StatusCode;
use sockleak_core::{choice::Choice, lifecycle::State, time, verdict::Verdict};
use sockleak_report::text;

use super::{
    page::{Listing, SocketView},
    response::Refusal,
};
use crate::service::{
    link::{
        playing::{Control, SPEEDS},
        question::{
            ConnectionFilter, FindingFilter, MOST_CONNECTIONS, MOST_POINTS, ReportFilter, SeriesRange, Sort,
        },
    },
    metrics::MetricDetail,
    snapshot::STATES,
};

/// Connections of a page, and points of a series, unless others are asked for.
const USUAL_CONNECTIONS: u32 = 100;
const USUAL_POINTS: u32 = 300;
/// What can be asked for: the last stands for those that were closed a short time ago.
const ALL_STATES: [State; 6] = {
    let [a, b, c, d, e] = STATES;
    [a, b, c, d, e, State::Closed]
};
/// Columns of a report in text, and how many there can be.
const USUAL_WIDTH: u16 = text::WIDTH as u16;
const WIDTHS: RangeInclusive<u16> = 40..=1000;
const WIDTH_REMEDY: &str = "a number from 40 to 1000";
/// How far back a series goes.
const USUAL_MS: i64 = 3_600_000;
/// From when to when it can be: until the year 9999. SQLite counts with these without running over.
const TIMES: RangeInclusive<i64> = 0..=253_402_300_799_999;

/// Values of one parameter that may be repeated, at most.
const MOST_VALUES: usize = 100;
/// The parameters of a report that may be there once, and those that may be repeated.
const REPORT: [&str; 5] = ["format", "table", "width", "all", "older_than"];
const WANTED: [&str; 7] = ["verdict", "pid", "program", "user", "unit", "container", "pod"];

/// Parameters by name.
#[derive(Debug)]
pub(super) struct Parameters<'a>(BTreeMap<Cow<'a, str>, Vec<Cow<'a, str>>>);

impl<'a> Parameters<'a> {
    /// Reads a query. Each name may be there once, and must be one of those that are known.
    pub(super) fn new(query: &'a str, known: &[&str]) -> Result<Self, Refusal> {
        Self::read(query, known, &[])
    }

    /// Reads the query of a report.
    pub(super) fn of_report(query: &'a str) -> Result<Self, Refusal> {
        Self::read(query, &REPORT, &WANTED)
    }

    /// `lists`: parameters that may be repeated.
    fn read(query: &'a str, known: &[&str], lists: &[&str]) -> Result<Self, Refusal> {
        let mut parameters: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if !known.iter().chain(lists).any(|known| **known == *name) {
                let known: Vec<&str> = known.iter().chain(lists).copied().collect();
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                return Err(bad(&format!("there is no parameter {name:?} here; known: {known}")));
            }
            let is_list = lists.contains(&&*name);
            let values = parameters.entry(name.clone()).or_default();
            if !is_list && !values.is_empty() {
                return Err(bad(&format!("the parameter {name} is given twice")));
            }
            if values.len() >= MOST_VALUES {
                return Err(bad(&format!("the parameter {name} is given more than {MOST_VALUES} times")));
            }
            values.push(value);
        }
        Ok(Self(parameters))
    }

    fn one(&self, name: &str) -> Option<&Cow<'a, str>> {
        self.0.get(name)?.first()
    }

    fn text(&self, name: &str) -> Option<String> {
        self.one(name).map(|value| value.clone().into_owned())
    }

    fn number<T: FromStr>(&self, name: &str, remedy: &str) -> Result<Option<T>, Refusal> {
        let Some(value) = self.one(name) else { return Ok(None) };
        value.parse().map(Some).map_err(|_| bad(&format!("{name}={value} cannot be used; write {remedy}")))
    }

    fn name(&self, name: &str, known: &[&str]) -> Result<Option<String>, Refusal> {
        match self.text(name) {
            Some(value) if !known.contains(&&*value) => {
                Err(bad(&format!("there is no {name} {value:?}; known: {}", known.join(", "))))
            }
            value => Ok(value),
        }
    }

    /// How many, at most `most`.
    fn limit(&self, name: &str, usual: u32, most: u32) -> Result<u32, Refusal> {
        let remedy = format!("a number from 1 to {most}");
        match self.number(name, &remedy)? {
            None => Ok(usual),
            Some(limit) if (1..=most).contains(&limit) => Ok(limit),
            Some(limit) => Err(bad(&format!("{name}={limit} cannot be used; write {remedy}"))),
        }
    }

    /// A moment, in milliseconds since 1970.
    fn time(&self, name: &str) -> Result<Option<i64>, Refusal> {
        let remedy = "milliseconds since 1970";
        match self.number(name, remedy)? {
            Some(at) if !TIMES.contains(&at) => {
                Err(bad(&format!("{name}={at} cannot be used; write {remedy}")))
            }
            at => Ok(at),
        }
    }

    /// A socket's page.
    pub(super) fn socket(&self, now: SystemTime, with_argv: bool) -> Result<SocketView, Refusal> {
        let Some(path) = self.text("path") else {
            return Err(bad("the parameter path is missing; write path=PATH"));
        };
        let range = self.text("range");
        let offset = self.number("offset", "how many connections to skip")?.unwrap_or(0);
        let chosen = match (self.time("from")?, self.time("to")?) {
            (None, None) => None,
            (Some(from), Some(to)) => Some((from, to)),
            _ => return Err(bad("from and to belong together; write both, in milliseconds since 1970")),
        };
        let view = SocketView::new(path, (range.as_deref(), chosen), offset, milliseconds(now), with_argv);
        Ok(view.map_err(|error| bad(&error.to_string()))?.listing(self.listing()?))
    }

    /// The rows of its table. A form sends what was left empty, too.
    fn listing(&self) -> Result<Listing, Refusal> {
        let filled = |name| self.text(name).filter(|text| !text.is_empty());
        Ok(Listing { program: filled("program"), contains: filled("contains"), sort: self.sort()? })
    }

    fn sort(&self) -> Result<Option<Sort>, Refusal> {
        Ok(self.name("sort", &Sort::NAMES)?.as_deref().and_then(Sort::named))
    }

    /// How many to skip.
    pub(super) fn offset(&self) -> Result<usize, Refusal> {
        Ok(self.number("offset", "how many to skip")?.unwrap_or(0))
    }

    /// How much metrics tell.
    pub(super) fn detail(&self) -> Result<MetricDetail, Refusal> {
        self.one_of("detail")
    }

    pub(super) fn findings(&self) -> Result<FindingFilter, Refusal> {
        let verdict = self.name("verdict", &Verdict::ALL.map(Verdict::name))?;
        Ok(FindingFilter { socket: self.text("socket"), verdict })
    }

    /// In nanoseconds; 0 if it is not given.
    fn older_than(&self) -> Result<u64, Refusal> {
        let Some(text) = self.text("older_than") else { return Ok(0) };
        let duration = humantime::parse_duration(&text);
        let duration = duration
            .map_err(|_| bad(&format!("older_than={text} cannot be used; write for example 90s or 10m")))?;
        Ok(time::nanoseconds(duration))
    }

    /// `true` or `false`; false if it is not given.
    fn flag(&self, name: &str) -> Result<bool, Refusal> {
        match self.text(name).as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(text) => Err(bad(&format!("{name}={text} cannot be used; write true or false"))),
        }
    }

    /// One of some names, or the usual one.
    fn one_of<T: Choice + Default>(&self, name: &str) -> Result<T, Refusal> {
        let Some(text) = self.text(name) else { return Ok(T::default()) };
        T::named(&text).ok_or_else(|| {
            let known = T::names().collect::<Vec<_>>();
            bad(&format!("there is no {name} {text:?}; known: {}", known.join(", ")))
        })
    }

    pub(super) fn report(&self, with_argv: bool) -> Result<ReportFilter, Refusal> {
        let format = self.one_of("format")?;
        let width = self.number("width", WIDTH_REMEDY)?.unwrap_or(USUAL_WIDTH);
        if !WIDTHS.contains(&width) {
            return Err(bad(&format!("width={width} cannot be used; write {WIDTH_REMEDY}")));
        }
        let (table, older_than_ns) = (self.one_of("table")?, self.older_than()?);
        let all = self.flag("all")?;
        Ok(ReportFilter { format, table, width, all, older_than_ns, with_argv, wanted: self.wanted()? })
    }

    pub(super) fn connections(&self, with_argv: bool) -> Result<ConnectionFilter, Refusal> {
        Ok(ConnectionFilter {
            socket: self.text("socket"),
            program: self.text("program"),
            state: self.name("state", &ALL_STATES.map(State::name))?,
            contains: self.text("contains"),
            sort: self.sort()?,
            older_than_ns: self.older_than()?,
            limit: self.limit("limit", USUAL_CONNECTIONS, MOST_CONNECTIONS)?,
            offset: self.number("offset", "how many connections to skip")?.unwrap_or(0),
            with_argv,
        })
    }

    /// What is to change of a replay.
    pub(super) fn replay(&self) -> Result<Control, Refusal> {
        let state = self.name("state", &["playing", "paused"])?;
        let remedy = "how many times as fast, from 0.000001 to 1000000";
        let speed = self.number::<f64>("speed", remedy)?.map(|times| (times * 1e6) as u64);
        if let Some(speed) = speed.filter(|speed| !SPEEDS.contains(speed)) {
            return Err(bad(&format!("speed={} cannot be used; write {remedy}", speed as f64 / 1e6)));
        }
        let at_ms = self.number("at", "milliseconds since 1970")?;
        Ok(Control { is_paused: state.map(|state| state == "paused"), speed, at_ms })
    }

    pub(super) fn series(&self, now: SystemTime) -> Result<SeriesRange, Refusal> {
        let Some(socket) = self.text("socket") else {
            return Err(bad("the parameter socket is missing; write socket=PATH"));
        };
        let to_ms = self.time("to")?.unwrap_or_else(|| milliseconds(now));
        let from_ms = self.time("from")?.unwrap_or_else(|| to_ms.saturating_sub(USUAL_MS));
        Ok(SeriesRange { socket, from_ms, to_ms, points: self.limit("points", USUAL_POINTS, MOST_POINTS)? })
    }
}

/// Milliseconds since 1970.
fn milliseconds(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

pub(super) fn bad(sentence: &str) -> Refusal {
    Refusal(StatusCode::BAD_REQUEST, sentence.to_owned())
}

#[cfg(test)]
mod tests {
    use sockleak_report::document::{CsvTable, Format};

    use super::*;

    fn refused<T>(result: Result<T, Refusal>) -> String {
        result.err().map(|Refusal(_, sentence)| sentence).unwrap_or_default()
    }

    #[test]
    fn connections_are_filtered_as_asked() {
        let names = ["socket", "program", "state", "contains", "sort", "older_than", "limit", "offset"];
        let query = "socket=%2Frun%2Fa+b.sock&program=/bin/x&state=client-closed&contains=X+y&sort=-pid&older_than=10m\
                     &limit=7&offset=14";
        let filter = Parameters::new(query, &names).unwrap().connections(true).unwrap();
        let expected = ConnectionFilter {
            socket: Some("/run/a b.sock".to_owned()),
            program: Some("/bin/x".to_owned()),
            state: Some("client-closed".to_owned()),
            contains: Some("X y".to_owned()),
            sort: Sort::named("-pid"),
            older_than_ns: 600_000_000_000,
            limit: 7,
            offset: 14,
            with_argv: true,
        };
        assert_eq!(filter, expected);
        let usual = Parameters::new("", &names).unwrap().connections(false).unwrap();
        assert_eq!(usual, ConnectionFilter { limit: 100, ..ConnectionFilter::default() });
        for (query, says) in [
            ("sockets=x", "no parameter \"sockets\" here; known: socket, program"),
            ("limit=1&limit=2", "limit is given twice"),
            ("limit=0", "a number from 1 to 1000"),
            ("limit=1001", "a number from 1 to 1000"),
            ("limit=-1", "a number from 1 to 1000"),
            ("offset=x", "how many connections to skip"),
            ("state=gone", "known: queued, abandoned, open, client-closed, server-closed, closed"),
            ("sort=size", "known: age, -age, pid, -pid, program, -program, state, -state, idle, -idle"),
            ("older_than=soon", "90s or 10m"),
        ] {
            let refusal = refused(Parameters::new(query, &names).and_then(|it| it.connections(false)));
            assert!(refusal.contains(says), "{query}: {refusal}");
        }
    }

    #[test]
    fn a_report_is_of_a_form() {
        let report = |query| Parameters::of_report(query).and_then(|it| it.report(false));
        let usual = ReportFilter {
            format: Format::Text,
            table: CsvTable::Programs,
            width: 80,
            all: false,
            older_than_ns: 0,
            with_argv: false,
            wanted: sockleak_core::assess::Wanted::default(),
        };
        assert_eq!(report("").unwrap(), usual);
        // Of other forms it says nothing.
        assert_eq!(report("table=open").unwrap(), ReportFilter { table: CsvTable::Open, ..usual.clone() });
        let csv = ReportFilter { format: Format::Csv, table: CsvTable::Open, older_than_ns: 5, ..usual };
        assert_eq!(report("format=csv&table=open&older_than=5ns").unwrap(), csv);
        let wanted = report("verdict=pool&verdict=suspect&pid=7&program=a*&user=web&unit=a&container=8f")
            .unwrap()
            .wanted;
        let given = "--pid 7 --user web --program a* --unit a --container 8f --verdict pool,suspect";
        assert_eq!(wanted.text(), given);
        for (query, says) in [
            ("format=pdf", "no format \"pdf\"; known: text, json, csv, markdown, html"),
            ("format=csv&table=x", "no table \"x\"; known: programs, open, findings"),
            ("width=0", "a number from 40 to 1000"),
            ("width=x", "a number from 40 to 1000"),
            ("all=yes", "true or false"),
            ("older_than=soon", "90s or 10m"),
            ("verdict=leak", "client-leak"),
            ("pid=x", "pid=x cannot be used; write the number of a process"),
            ("program=[", "program=[ cannot be used; \"[\" is no glob"),
            ("width=80&width=90", "the parameter width is given twice"),
            (&"pid=1&".repeat(101), "more than 100 times"),
        ] {
            let refusal = refused(report(query));
            assert!(refusal.contains(says), "{query}: {refusal}");
        }
    }

    #[test]
    fn a_series_is_of_a_socket_and_a_time() {
        let names = ["socket", "from", "to", "points"];
        let now = SystemTime::UNIX_EPOCH + std::time::Duration::from_hours(10);
        let series = |query| Parameters::new(query, &names).and_then(|it| it.series(now));
        let usual =
            SeriesRange { socket: "/s".to_owned(), from_ms: 32_400_000, to_ms: 36_000_000, points: 300 };
        assert_eq!(series("socket=/s").unwrap(), usual);
        let range = SeriesRange { from_ms: 1, to_ms: 2, points: 5, ..usual };
        assert_eq!(series("socket=/s&from=1&to=2&points=5").unwrap(), range);
        for (query, says) in [
            ("", "socket=PATH"),
            ("socket=/s&from=now", "milliseconds since 1970"),
            ("socket=/s&from=-1", "milliseconds since 1970"),
            ("socket=/s&to=9223372036854775807", "milliseconds since 1970"),
            ("socket=/s&points=5000", "a number from 1 to 1000"),
        ] {
            let refusal = refused(series(query));
            assert!(refusal.contains(says), "{query}: {refusal}");
        }
        assert!(refused(Parameters::new("x", &[])).contains("known: none"));
        let view =
            Parameters::new("path=/s&range=2h", &["path", "range"]).and_then(|it| it.socket(now, false));
        assert!(refused(view).starts_with("there is no range \"2h\"; known: 15m, 1h"));
        let verdict = Parameters::new("verdict=leak", &["verdict"]).and_then(|it| it.findings());
        assert!(refused(verdict).contains("client-leak"));
    }
}
