//! The table of instructions per message. Pure.

use std::fmt::Write as _;

use anyhow::{Context, Result};

use super::Args;
use super::figures::{Figures, Spread};

/// Bytes of a message.
pub(super) const BYTES: u32 = 64;

/// A measurement of messages.
pub(super) struct MessageCase {
    /// The guest's name of it.
    pub(super) name: &'static str,
    /// How the table names it.
    pub(super) title: &'static str,
    /// How many instructions it may add to a message.
    pub(super) goal: Option<u32>,
}

/// Messages that nothing traces: what the other cases are compared with.
pub(super) const BASE: &str = "none";

/// The measurements, in the order of the table.
const CASES: [MessageCase; 6] = [
    MessageCase { name: BASE, title: "no tracing", goal: None },
    MessageCase { name: "off", title: "--use off: no hook for messages", goal: None },
    MessageCase { name: "floor", title: "an empty program on the same function", goal: None },
    MessageCase { name: "unarmed", title: "--use auto, not armed yet", goal: Some(60) },
    MessageCase { name: "armed-other", title: "--use on, a socket that is no target", goal: Some(150) },
    MessageCase { name: "armed-match", title: "--use on, a target", goal: Some(300) },
];

const NOTES: &str = "\
A message is a write and a read of one process, over one connection that was opened before. sockleak is stopped while
messages are sent: it has nothing to do for one, since nothing is written to the ring buffer for a message.
";

/// The measurements in which sockleak traces.
pub(super) fn of_sockleak() -> impl Iterator<Item = &'static MessageCase> {
    CASES.iter().filter(|case| !["none", "floor"].contains(&case.name))
}

/// The table.
pub(super) fn render(figures: &Figures, args: &Args) -> Result<String> {
    let base = measured(figures, BASE)?.median;
    let mut out = format!(
        "Instructions per message: {} messages of {BYTES} bytes, {} runs\n\n{:<52} {:>8} {:>8} {:>7} {:>8} {:>14}\n",
        args.messages, args.runs, "", "least", "median", "spread", "added", "goal"
    );
    for case in &CASES {
        let spread = measured(figures, case.name)?;
        let (least, median, width) = (spread.least, spread.median, spread.width() * 100.0);
        let _ = write!(out, "{:<52} {least:>8.0} {median:>8.0} {width:>6.2}%", case.title);
        if case.name != BASE {
            let _ = write!(out, " {:>+8.0}", median - base);
        }
        if let Some(goal) = case.goal {
            let _ = write!(out, " {:>14}", format!("at most {goal}"));
        }
        out.push('\n');
    }
    let _ = write!(out, "\n{NOTES}");
    Ok(out)
}

fn measured(figures: &Figures, case: &str) -> Result<Spread> {
    figures.messages(case).with_context(|| format!("{case} was not measured with messages"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_stands_beside_the_goal() {
        let mut figures = Figures::default();
        for case in &CASES {
            let elapsed = match case.name {
                BASE => 2000,
                "off" => 1990,
                _ => 2075,
            };
            assert!(
                figures.take(&format!("figure messages case={} messages=1 elapsed={elapsed}", case.name))
            );
        }
        let text = render(&figures, &Args::example()).expect("everything was measured");
        let line = |title: &str| text.lines().find(|line| line.starts_with(title)).unwrap_or_default();
        assert!(line("no tracing").ends_with(" 0.00%"), "{text}");
        assert!(line("--use off").ends_with(" -10"), "{text}");
        assert!(
            line("--use auto").contains(" +75 ") && line("--use auto").ends_with(" at most 60"),
            "{text}"
        );
        assert!(line("--use on, a target").ends_with(" at most 300"), "{text}");
        assert!(render(&Figures::default(), &Args::example()).is_err());
    }

    #[test]
    fn only_cases_with_sockleak_are_compared_with_another_sockleak() {
        let names: Vec<_> = of_sockleak().map(|case| case.name).collect();
        assert_eq!(names, ["off", "unarmed", "armed-other", "armed-match"]);
    }
}
