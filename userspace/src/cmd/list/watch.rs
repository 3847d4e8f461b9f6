//! `sockleak list --watch`: look again and again until Ctrl-C.

use std::{
    io::{self, IsTerminal as _},
    time::Duration,
};

use anyhow::Context as _;
use serde_json::Value;
use sockleak_core::time::human;
use sockleak_report::style::Style;
use tokio::time::{MissedTickBehavior, interval};

use crate::{
    cli::List,
    clock,
    cmd::output::{Output, style, terminal_size},
    failure::Failure,
    signals::{self, SignalSet},
};

/// To the upper left corner, and everything after it erased.
const REDRAW: &str = "\x1b[H\x1b[J";
/// How often it is seen whether anybody still reads.
const GLANCE: Duration = Duration::from_millis(500);

/// What one look shows: text in so many columns, and JSON.
pub(super) trait Shown {
    /// As text.
    fn text(&self, width: usize, style: Style) -> String;

    /// As JSON.
    fn json(&self) -> serde_json::Result<Value>;
}

/// Looks every so often until a signal comes or nobody reads any more. `look` compares with what it saw before.
///
/// # Errors
/// If a look fails, or nothing can be written.
pub(super) async fn watch<T: Shown>(
    arguments: &List,
    every: Duration,
    mut look: impl FnMut() -> Result<T, Failure>,
) -> Result<(), Failure> {
    let mut signals = SignalSet::listen(&signals::STOP)?;
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut glances = interval(GLANCE);
    let mut out = Output::default();
    loop {
        tokio::select! {
            biased;
            () = signals.any() => return Ok(()),
            _ = ticks.tick() => {
                show(arguments, every, &look()?, &mut out)?;
                out.flush()?;
            }
            _ = glances.tick() => {}
        }
        if out.is_closed() {
            return Ok(());
        }
    }
}

fn show<T: Shown>(arguments: &List, every: Duration, seen: &T, out: &mut Output) -> Result<(), Failure> {
    let clock = clock::read();
    if arguments.json {
        let mut value = seen.json().context("the listing cannot be written as JSON")?;
        value["time"] = clock.rfc3339(clock::now()).into();
        out.json(&value);
        return Ok(());
    }
    let time = clock.local_with_zone(clock::now());
    let style = style(arguments.color, false);
    if !io::stdout().is_terminal() {
        let text = seen.text(usize::MAX, style);
        out.buffer.extend_from_slice(format!("{time}\n{text}\n").as_bytes());
        return Ok(());
    }
    let (width, height) = terminal_size();
    let every = human(u64::try_from(every.as_nanos()).unwrap_or(u64::MAX));
    let text = format!("{time}, every {every}, Ctrl-C ends it\n{}", seen.text(width, style));
    out.buffer.extend_from_slice(format!("{REDRAW}{}", screen(&text, height)).as_bytes());
    Ok(())
}

/// The first lines of a text, as many as a terminal of this height shows below each other; and how many there are more.
fn screen(text: &str, height: usize) -> String {
    // The cursor stands in a line of its own.
    let most = height.saturating_sub(1).max(2);
    let lines: Vec<&str> = text.lines().collect();
    if lines.len() <= most {
        return text.to_owned();
    }
    let shown = &lines[..most - 1];
    let hidden = lines.len() - shown.len();
    format!("{}\n… {hidden} more lines than this terminal has room for\n", shown.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_screen_is_never_scrolled() {
        let text: String = (1..=30).map(|line| format!("{line}\n")).collect();
        assert_eq!(screen(&text, 31), text);
        let cut = screen(&text, 30);
        assert_eq!(cut.lines().count(), 29);
        assert!(cut.ends_with("28\n… 2 more lines than this terminal has room for\n"), "{cut}");
        assert_eq!(screen(&text, 1).lines().count(), 2);
    }
}
