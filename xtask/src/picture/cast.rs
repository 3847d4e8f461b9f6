//! Reads a recorded terminal session: an asciicast of version 2, as asciinema writes it.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// Pauses are cut to this many milliseconds: nobody waits a minute for a picture.
const LONGEST_PAUSE: u64 = 5_000;
/// What follows within so many milliseconds is shown at once.
const SAME_MOMENT: u64 = 45;
/// The name of the marker at the moment that is shown where nothing moves.
const STILL: &str = "still";

/// A session: the size of its terminal, and what came when.
#[derive(Debug, PartialEq)]
pub(super) struct Session {
    pub(super) columns: usize,
    pub(super) rows: usize,
    /// Milliseconds from the beginning, pauses cut, and what the terminal was sent then.
    pub(super) output: Vec<(u64, String)>,
    /// When the picture is taken that stands still; at the end without a marker.
    pub(super) still: u64,
    /// When the session is over.
    pub(super) end: u64,
}

/// Parses a recording. It fails at the first line that cannot be read, and names it.
pub(super) fn parse(text: &str) -> Result<Session> {
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let (_, head) = lines.next().context("the recording is empty")?;
    let head: Value = serde_json::from_str(head).context("line 1 is not JSON")?;
    ensure!(head["version"] == 2, "line 1: the recording is not an asciicast of version 2");
    let size = |name: &str| -> Result<usize> {
        let size = head[name].as_u64().with_context(|| format!("line 1 has no {name}"))?;
        ensure!((1..=500).contains(&size), "line 1: {name} is {size}, and not from 1 to 500");
        Ok(usize::try_from(size)?)
    };
    let mut session =
        Session { columns: size("width")?, rows: size("height")?, output: Vec::new(), still: 0, end: 0 };
    let (mut now, mut last, mut still) = (0, 0, None);
    for (number, line) in lines {
        let event = serde_json::from_str(line).ok();
        let event: (f64, String, String) =
            event.with_context(|| format!("line {} is no event", number + 1))?;
        let (at, kind, what) = event;
        ensure!((0.0..1e9).contains(&at), "line {}: {at} is no time", number + 1);
        // The check above bounds it.
        let at = (at * 1e3).round() as u64;
        now += at.saturating_sub(last).min(LONGEST_PAUSE);
        last = at.max(last);
        match kind.as_str() {
            "o" => add(&mut session.output, now, what),
            "m" if what == STILL => still = Some(now),
            _ => {}
        }
    }
    session.end = now;
    session.still = still.unwrap_or(now);
    Ok(session)
}

/// Adds output, to the last one if that came a moment ago.
fn add(output: &mut Vec<(u64, String)>, now: u64, what: String) {
    match output.last_mut() {
        Some((begun, text)) if now - *begun <= SAME_MOMENT => text.push_str(&what),
        _ => output.push((now, what)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = r#"{"version": 2, "width": 80, "height": 24}"#;

    #[test]
    fn pauses_are_cut_and_moments_are_joined() {
        let events = "[0.5, \"o\", \"a\"]\n[0.52, \"o\", \"b\"]\n[1, \"i\", \"x\"]\n[99, \"o\", \"c\"]\n[100, \"m\", \"still\"]\n\n[102, \"m\", \"\"]";
        let session = parse(&format!("{HEAD}\n{events}")).expect("good");
        assert_eq!((session.columns, session.rows), (80, 24));
        assert_eq!(session.output, [(500, "ab".to_owned()), (6_000, "c".to_owned())]);
        assert_eq!((session.still, session.end), (7_000, 9_000));
    }

    #[test]
    fn what_is_no_recording_is_refused_by_line() {
        for (text, says) in [
            ("", "empty"),
            ("x", "line 1"),
            (r#"{"version": 3, "width": 80, "height": 24}"#, "version 2"),
            (r#"{"version": 2, "width": 0, "height": 24}"#, "width"),
            (r#"{"version": 2, "width": 80}"#, "height"),
            (&format!("{HEAD}\n[1, \"o\"]"), "line 2"),
            (&format!("{HEAD}\n[1, \"o\", \"a\"]\n[-1, \"o\", \"a\"]"), "line 3"),
        ] {
            let error = format!("{:#}", parse(text).expect_err(text));
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
