//! The table of an older revision's figures beside today's. Pure.

use std::fmt::Write as _;

use anyhow::{Context, Result};

use super::figures::{Figures, Spread};
use super::revision::Revision;
use super::{messages, table};

/// What the guest adds to a case's name when it measures the older revision.
const SUFFIX: &str = "-then";

/// What is added to less than this share of the base is lost in the spread: a ratio of it means nothing.
const LEAST_SHARE: f64 = 0.01;

/// The medians of both, and their ratios.
pub(super) fn render(figures: &Figures, then: &Revision) -> Result<String> {
    let mut out = format!(
        "Compared with {}\nThen: that revision ({}). Now: this checkout. Medians of the same run\n\n",
        then.title, then.hash
    );
    heading("Instructions per pair", &mut out);
    let base = median(figures.pairs(table::BASE), table::BASE)?;
    for (case, title) in table::of_sockleak() {
        let then = median(figures.pairs(&format!("{case}{SUFFIX}")), case)?;
        row(title, base, then, median(figures.pairs(case), case)?, &mut out);
    }
    out.push('\n');
    let cases: Vec<_> = messages::of_sockleak().collect();
    let of_then = |case: &messages::MessageCase| figures.messages(&format!("{}{SUFFIX}", case.name));
    if cases.iter().all(|case| of_then(case).is_none()) {
        out.push_str("That revision does not watch messages: its `capture` has no option --use.\n");
        return Ok(out);
    }
    heading("Instructions per message", &mut out);
    let base = median(figures.messages(messages::BASE), messages::BASE)?;
    for case in cases {
        let then = median(of_then(case), case.name)?;
        row(case.title, base, then, median(figures.messages(case.name), case.name)?, &mut out);
    }
    let _ = writeln!(
        out,
        "\nA ratio is now by then. Where less than {:.0} % is added, the spread is larger than what the ratio would tell.",
        LEAST_SHARE * 100.0
    );
    Ok(out)
}

fn median(spread: Option<Spread>, case: &str) -> Result<f64> {
    spread.map(|spread| spread.median).with_context(|| format!("{case} was not measured with both revisions"))
}

fn heading(what: &str, out: &mut String) {
    let _ = writeln!(
        out,
        "{what:<52} {:>8} {:>8} {:>6} {:>11} {:>10} {:>6}",
        "then", "now", "ratio", "added then", "added now", "ratio"
    );
}

fn row(title: &str, base: f64, then: f64, now: f64, out: &mut String) {
    let (added_then, added_now) = (then - base, now - base);
    let ratio = if added_then < base * LEAST_SHARE {
        "-".to_owned()
    } else {
        format!("{:.2}", added_now / added_then)
    };
    let _ = writeln!(
        out,
        "{title:<52} {then:>8.0} {now:>8.0} {:>6.3} {added_then:>+11.0} {added_now:>+10.0} {ratio:>6}",
        now / then
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revision() -> Revision {
        Revision { hash: "0123456789".repeat(4), title: "0123456 area: do it".to_owned() }
    }

    fn with_pairs() -> Figures {
        let mut figures = Figures::default();
        figures.take("figure pairs case=none pairs=1 elapsed=1000 after=0");
        for (case, _) in table::of_sockleak() {
            figures.take(&format!("figure pairs case={case} pairs=1 elapsed=1200 after=50"));
            figures.take(&format!("figure pairs case={case}-then pairs=1 elapsed=2000 after=0"));
        }
        figures
    }

    #[test]
    fn both_revisions_stand_side_by_side() {
        let mut figures = with_pairs();
        figures.take("figure messages case=none messages=1 elapsed=1000");
        for case in messages::of_sockleak() {
            let then = if case.name == "off" { 1001 } else { 1100 };
            figures.take(&format!("figure messages case={} messages=1 elapsed=1050", case.name));
            figures.take(&format!("figure messages case={}-then messages=1 elapsed={then}", case.name));
        }
        let text = render(&figures, &revision()).expect("everything was measured");
        assert!(text.starts_with("Compared with 0123456 area: do it\n"), "{text}");
        assert!(text.contains(&revision().hash), "{text}");
        let words = |title: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(title)).unwrap_or_default();
            line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(
            words("sockleak, no match "),
            ["2000", "1250", "0.625", "+1000", "+250", "0.25"],
            "{text}"
        );
        assert_eq!(words("--use on, a target "), ["1100", "1050", "0.955", "+100", "+50", "0.50"], "{text}");
        assert_eq!(words("--use off: no hook for messages ").last().map(String::as_str), Some("-"), "{text}");
    }

    #[test]
    fn a_revision_that_does_not_watch_messages_is_compared_by_pairs() {
        let text = render(&with_pairs(), &revision()).expect("the pairs were measured");
        assert!(text.ends_with("does not watch messages: its `capture` has no option --use.\n"), "{text}");
        assert!(render(&Figures::default(), &revision()).is_err());
    }
}
