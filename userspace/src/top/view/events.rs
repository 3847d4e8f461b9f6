//! Events as they happen, the last one first.

use ratatui::text::Line;
use sockleak_core::time::human;

use super::{Cell, Facts, columns::Column, when::month_day_and_time_of};
use crate::{
    service::model::{End, Event, State as Stands, What},
    top::{
        state::{Sorted, State},
        text::{Keep, Letters},
        theme::Theme,
    },
};

pub(super) fn columns(with_socket: bool) -> Vec<Column> {
    let mut columns = vec![
        Column::word("TIME", 18, Sorted::Age).unsorted(),
        Column::number("PID", 7, Sorted::Pid).unsorted(),
        Column::name("PROGRAM", 12, Sorted::Name).unsorted(),
        Column { keep: Keep::Front, ..Column::name("EVENT", 20, Sorted::Name).unsorted() },
    ];
    columns.extend(with_socket.then(|| Column::name("SOCKET", 12, Sorted::Name).unsorted().rank(1)));
    columns.push(Column::number("OPEN", 5, Sorted::Open).unsorted().rank(2));
    columns
}

pub(super) fn cells(theme: Theme, event: &Event, with_socket: bool) -> Vec<Cell> {
    let who = &event.who;
    let name = who.program.as_deref().or(who.comm.as_deref()).unwrap_or("?");
    let mut cells: Vec<Cell> = vec![
        month_day_and_time_of(&event.time).into(),
        who.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string()).into(),
        name.into(),
        what(theme, event),
    ];
    cells.extend(with_socket.then(|| Cell::from(event.path.as_str())));
    cells.push(event.open.to_string().into());
    cells
}

fn what(theme: Theme, event: &Event) -> Cell {
    match &event.what {
        What::Connect { .. } => "connect".into(),
        What::Accept { .. } => "accept".into(),
        What::Release { end, reason, exit_status, signal, .. } => {
            let end = match end {
                End::Client => "client",
                End::Server => "server",
            };
            let text = format!("{end} end: {}", how(reason, *exit_status, *signal));
            event.state.map_or_else(
                || Cell::from(text.as_str()),
                |state| Cell::from(text.as_str()).styled(theme.state(state)),
            )
        }
        What::ListenerClosed { reason, exit_status, signal, .. } => {
            Cell::from(format!("listener: {}", how(reason, *exit_status, *signal))).styled(theme.doubtful())
        }
        What::Attempt { error, .. } => Cell::from(format!("failed: {error}")).styled(theme.doubtful()),
        What::Other => "?".into(),
    }
}

fn how(reason: &str, exit_status: Option<u8>, signal: Option<u8>) -> String {
    match (exit_status, signal) {
        (Some(status), _) => format!("{reason} {status}"),
        (_, Some(signal)) => format!("{reason} by {}", signal_name(signal)),
        (None, None) => reason.to_owned(),
    }
}

/// `SIGKILL`, or `signal 64`.
pub(super) fn signal_name(signal: u8) -> String {
    let known = nix::sys::signal::Signal::try_from(i32::from(signal));
    known.map_or_else(|_| format!("signal {signal}"), |signal| signal.as_str().to_owned())
}

/// Who it was, and where the connection stands.
pub(super) fn detail(state: &State, event: &Event) -> Vec<Line<'static>> {
    let who = &event.who;
    let command = who.argv.as_ref().filter(|argv| !argv.is_empty()).map(|argv| argv.join(" "));
    let command = command.or_else(|| who.program.clone()).or_else(|| who.comm.clone());
    let stands = match (event.age_ns, event.state) {
        (Some(age), Some(stands)) => {
            format!("{}{}", stands.name(), after(state.theme.letters(), stands, age))
        }
        _ => match &event.what {
            What::Attempt { address, queue, .. } => {
                let queue = queue.map_or_else(String::new, |queue| {
                    format!(", queue {} of {}", queue.length, u64::from(queue.max) + 1)
                });
                format!("asked for {address}{queue}")
            }
            _ => "-".to_owned(),
        },
    };
    let facts = Facts::of(state);
    vec![
        facts.line("socket", &event.path),
        facts.line("by", command.as_deref().unwrap_or("?")),
        facts.line("connection", &stands),
    ]
}

fn after(letters: Letters, stands: Stands, age: u64) -> String {
    if age == 0 {
        return String::new();
    }
    let since = if stands == Stands::Closed { "after" } else { "for" };
    format!(", {since} {}", letters.time(human(age)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_to_go_are_named() {
        assert_eq!(how("close", None, None), "close");
        assert_eq!(how("exit", Some(3), None), "exit 3");
        assert_eq!(how("killed", None, Some(9)), "killed by SIGKILL");
        assert_eq!(how("killed", None, Some(64)), "killed by signal 64");
    }
}
