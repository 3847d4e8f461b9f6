//! A lane for each connection, from its start to now, with both ends.

use maud::{Markup, html};
use sockleak_core::{
    assess::{EndReport, Open},
    lifecycle::State,
    text::count::counted,
    time::human,
};

use super::{
    parts::{self, Key, Text, decimal},
    plot::{Plot, TOP, Ticks},
};
use crate::{elide::file_name, tables};

/// Height of a lane, and of the bar of an end in it.
const LANE: f64 = 24.0;
const BAR: f64 = 7.0;
/// Room for names.
const NAMES: f64 = 230.0;
/// Lanes of a picture that can be looked at as a whole.
pub const LANES: usize = 40;
/// Behind the name of who opened a connection before tracing started.
const BEFORE: &str = " ◀";
/// Letters of a name.
const LETTERS: usize = 22;

/// A connection, as it is drawn.
#[derive(Clone, Debug)]
pub struct Lane<'a> {
    /// Command line of the opener, where it is known.
    pub argv: Option<&'a [String]>,
    /// The opener's program.
    pub program: &'a str,
    /// The opener's process id.
    pub pid: u32,
    /// Nanoseconds since it was made, or first met.
    pub age_ns: u64,
    /// Its start was not seen: it is older.
    pub before_trace: bool,
    /// Where it stands.
    pub state: State,
    /// The client end.
    pub client: Bar<'a>,
    /// The server end.
    pub server: Bar<'a>,
    /// Where more is said of it.
    pub link: Option<String>,
}

/// An end of it.
#[derive(Clone, Copy, Debug)]
pub struct Bar<'a> {
    /// `open`, `released` or `unknown`.
    pub state: &'a str,
    /// Why it was released.
    pub reason: Option<&'a str>,
    /// Nanoseconds since it was released.
    pub released_ns_ago: Option<u64>,
}

impl<'a> From<&Open<'a>> for Lane<'a> {
    fn from(open: &Open<'a>) -> Self {
        let bar = |end: &EndReport<'a>| Bar {
            state: end.state,
            reason: end.reason,
            released_ns_ago: end.released_ns_ago,
        };
        Self {
            argv: open.opener.argv,
            program: open.opener.program,
            pid: open.opener.pid,
            age_ns: open.age_ns,
            before_trace: open.before_trace,
            state: open.state,
            client: bar(&open.client_end),
            server: bar(&open.server_end),
            link: None,
        }
    }
}

/// Connections, and the time in which they are shown.
pub struct Lanes<'a> {
    /// All of them are drawn, each on a lane of its own.
    pub connections: &'a [Lane<'a>],
    /// Nanoseconds until now.
    pub length: u64,
    /// What the axis says.
    pub ticks: Ticks,
    /// Age from which a connection is old, to be shown.
    pub leak_age: Option<u64>,
    /// What is said of those that are not drawn.
    pub more: Option<String>,
}

impl Lanes<'_> {
    /// The picture, its legend and its caption. `id` is unique on the page.
    pub fn draw(&self, id: &str) -> Markup {
        let shown = self.connections;
        let title = "Connections, from start to now";
        let description = format!("{}, from start to now.", counted(shown.len() as u64, "connection"));
        let mut plot = Plot::new(id, (NAMES, shown.len() as f64 * LANE), title, &description);
        if shown.iter().any(|lane| lane.link.is_some()) {
            plot.is_used();
        }
        plot.times(self.length, self.ticks);
        self.mark(&mut plot);
        for (nth, connection) in shown.iter().enumerate() {
            let lane = self.lane(&plot, connection, TOP + nth as f64 * LANE);
            match &connection.link {
                Some(link) => plot.add(&html! { a href=(link) { (lane) } }),
                None => plot.add(&lane),
            }
        }
        let states = STATES.into_iter().filter(|state| shown.iter().any(|it| it.state == *state));
        let keys = states.map(|state| Key {
            class: class(state),
            letter: Some(sign(state)),
            name: words(state).to_owned(),
        });
        let before = shown.iter().any(|it| it.before_trace);
        html! {
            figure {
                (parts::legend(keys))
                (parts::scroll(title, &plot.finish()))
                figcaption {
                    "Upper bar: the client's end. Lower bar: the server's. A bar ends where its end was released. "
                    @if before { "◀: opened before tracing started, and older than drawn. " }
                    @if let Some(more) = &self.more { (more) }
                }
            }
        }
    }

    /// Where what is old begins.
    fn mark(&self, plot: &mut Plot) {
        let Some(leak_age) = self.leak_age.filter(|&age| age < self.length) else { return };
        let old = self.length - leak_age;
        let x = plot.x(old as f64 / self.length as f64);
        plot.line("mark", (x, TOP - 4.0), (x, plot.y(0.0)));
        let text = format!("older than {}", human(leak_age));
        plot.text("mark-text end", (x - 4.0, TOP - 6.0), &text);
    }

    fn lane(&self, plot: &Plot, connection: &Lane<'_>, top: f64) -> Markup {
        let length = self.length.max(1);
        let part = |ago: u64| 1.0 - ago.min(length) as f64 / length as f64;
        let begin = if connection.before_trace { 0.0 } else { part(connection.age_ns) };
        let says = format!(
            "{} {}, {}, {} old",
            tables::command(connection.argv, connection.program, tables::LONG),
            connection.pid,
            words(connection.state),
            tables::age(connection.age_ns, connection.before_trace)
        );
        let name = shortened(file_name(connection.program));
        let mark = if connection.before_trace { BEFORE } else { "" };
        let label = format!("{} {name} {}{mark}", sign(connection.state), connection.pid);
        let (class, x) = (class(connection.state), plot.x(begin));
        let ends = [
            (&connection.client, top + 3.0, "client end"),
            (&connection.server, top + 5.0 + BAR, "server end"),
        ];
        html! {
            text class="name end" x=(decimal(plot.left - 10.0)) y=(decimal(top + 15.0)) { (Text(&label)) }
            @for (end, y, which) in ends {
                // If it is not known until when it was open, there is no bar.
                @if end.state != "released" || end.released_ns_ago.is_some() {
                    @let until = plot.x(end.released_ns_ago.map_or(1.0, part));
                    rect class={ "bar " (class) } x=(decimal(x)) y=(decimal(y))
                        width=(decimal((until - x).max(2.0))) height=(decimal(BAR)) {
                        title { (Text(&format!("{says}; {which} {}", fate(end)))) }
                    }
                    @if end.released_ns_ago.is_some() {
                        line class="released" x1=(decimal(until)) y1=(decimal(y - 2.0))
                            x2=(decimal(until)) y2=(decimal(y + BAR + 2.0)) {}
                    }
                }
            }
        }
    }
}

/// A name cut to a length.
fn shortened(name: &str) -> String {
    let is_long = name.chars().nth(LETTERS).is_some();
    if is_long { name.chars().take(LETTERS - 1).chain(['…']).collect() } else { name.to_owned() }
}

fn fate(end: &Bar<'_>) -> String {
    match (end.reason, end.released_ns_ago) {
        (Some(reason), Some(ago)) => format!("released ({reason}) {} ago", human(ago)),
        _ => end.state.to_owned(),
    }
}

const STATES: [State; 6] =
    [State::Open, State::Queued, State::Abandoned, State::ClientClosed, State::ServerClosed, State::Closed];

/// A state's colour or pattern.
pub const fn class(state: State) -> &'static str {
    match state {
        State::Open => "c1",
        State::Queued => "c4",
        State::Abandoned | State::Closed => "others",
        State::ClientClosed => "server",
        State::ServerClosed => "c3",
    }
}

/// A state's sign, for those who see no colours.
pub const fn sign(state: State) -> char {
    match state {
        State::Open => '●',
        State::Queued => '◔',
        State::Abandoned => '◌',
        State::ClientClosed => '◐',
        State::ServerClosed => '◑',
        State::Closed => '○',
    }
}

/// A state in words.
pub const fn words(state: State) -> &'static str {
    match state {
        State::Open => "open at both ends",
        State::Queued => "queued: not accepted",
        State::Abandoned => "given up in the queue",
        State::ClientClosed => "client has gone, server has not released",
        State::ServerClosed => "server has gone, client has not noticed",
        State::Closed => "closed at both ends",
    }
}
