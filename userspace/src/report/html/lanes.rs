//! A lane for each open connection, from its start to now, with both ends.

use super::{
    parts,
    plot::{Plot, TOP},
};
use crate::{
    clock::human,
    lifecycle::State,
    report::{EndReport, Open, Report, count::counted, tables, words::more},
};

/// Height of a lane, and of the bar of an end in it.
const LANE: f64 = 24.0;
const BAR: f64 = 7.0;
/// Room for names.
const NAMES: f64 = 230.0;
/// Lanes that are drawn, the oldest.
const LANES: usize = 40;
/// Behind the name of who opened a connection before the trace.
const BEFORE: &str = " ◀";
/// Letters of a name.
const LETTERS: usize = 24;

/// The picture of the open connections. `length` of the trace is nanoseconds.
pub(super) fn lanes(report: &Report, path: &str, length: u64, id: &str) -> String {
    let open = report.open.count_on(path);
    if open == 0 && report.younger_not_shown > 0 {
        return parts::nothing("No open connection is as old as was asked for.");
    }
    if open == 0 {
        return parts::nothing("Nothing is open: all connections are released at both ends.");
    }
    let leak_age = report.leak_age_ns;
    let shown: Vec<Open> = report.open.on(path).take(LANES).collect();
    let description =
        format!("{}, from start to now; the oldest first.", counted(shown.len() as u64, "open connection"));
    let height = shown.len() as f64 * LANE;
    let mut plot = Plot::new(id, (NAMES, height), "Open connections", &description);
    plot.times(length);
    let old = length.saturating_sub(leak_age);
    if old > 0 && length > 0 {
        let x = plot.x(old as f64 / length as f64);
        plot.line("mark", (x, TOP - 4.0), (x, plot.y(0.0)));
        plot.text("mark-text end", (x - 4.0, TOP - 6.0), &format!("older than {}", human(leak_age)));
    }
    for (nth, connection) in shown.iter().enumerate() {
        lane(&mut plot, connection, TOP + nth as f64 * LANE, length);
    }
    let states: Vec<State> =
        STATES.into_iter().filter(|state| shown.iter().any(|it| it.state == *state)).collect();
    let legend = states.into_iter().map(|state| (class(state), words(state).to_owned()));
    let before = shown.iter().any(|it| it.before_trace);
    let before = if before { "◀: from before the trace, and older than drawn. " } else { "" };
    let more = more(open - shown.len()).unwrap_or_default();
    format!(
        "<figure>{}{}<figcaption>Upper bar: the client's end. Lower bar: the server's. A bar ends where its end was \
         released. {before}{more}</figcaption></figure>",
        parts::legend(legend),
        parts::scroll(&plot.finish())
    )
}

fn lane(plot: &mut Plot, connection: &Open, top: f64, length: u64) {
    let part = |ago: u64| 1.0 - ago.min(length) as f64 / length.max(1) as f64;
    let opener = &connection.opener;
    let begin = if connection.before_trace { 0.0 } else { part(connection.age_ns) };
    let says = format!(
        "{} {}, {}, {} old",
        tables::command(opener.argv, opener.program),
        opener.pid,
        words(connection.state),
        tables::age(connection)
    );
    let name = tables::file_name(opener.program);
    let is_long = name.chars().nth(LETTERS).is_some();
    let name =
        if is_long { name.chars().take(LETTERS - 1).chain(['…']).collect() } else { name.to_owned() };
    let mark = if connection.before_trace { BEFORE } else { "" };
    plot.text("name end", (plot.left - 10.0, top + 15.0), &format!("{name} {}{mark}", opener.pid));
    let (class, x) = (class(connection.state), plot.x(begin));
    for (end, y, which) in [
        (&connection.client_end, top + 3.0, "client end"),
        (&connection.server_end, top + 5.0 + BAR, "server end"),
    ] {
        let until = end.released_ns_ago.map_or(1.0, part);
        if end.state == "released" && end.released_ns_ago.is_none() {
            // It is not known until when.
            continue;
        }
        let width = (plot.x(until) - x).max(2.0);
        plot.rectangle(
            &format!("bar {class}"),
            (x, y),
            (width, BAR),
            &format!("{says}; {which} {}", fate(end)),
        );
        if end.released_ns_ago.is_some() {
            let x = plot.x(until);
            plot.line("released", (x, y - 2.0), (x, y + BAR + 2.0));
        }
    }
}

fn fate(end: &EndReport) -> String {
    match (end.reason, end.released_ns_ago) {
        (Some(reason), Some(ago)) => format!("released ({reason}) {} ago", human(ago)),
        _ => end.state.to_owned(),
    }
}

const STATES: [State; 5] =
    [State::Open, State::Queued, State::Abandoned, State::ClientClosed, State::ServerClosed];

const fn class(state: State) -> &'static str {
    match state {
        State::Open | State::Closed => "c1",
        State::Queued => "c4",
        State::Abandoned => "others",
        State::ClientClosed => "server",
        State::ServerClosed => "c3",
    }
}

const fn words(state: State) -> &'static str {
    match state {
        State::Open => "open at both ends",
        State::Queued => "queued: not accepted",
        State::Abandoned => "given up in the queue",
        State::ClientClosed => "client has gone, server has not released",
        State::ServerClosed => "server has gone, client has not noticed",
        State::Closed => "closed",
    }
}
