//! A comparison as text.

use std::fmt::Write as _;

use sockleak_core::{
    text::{
        count::{agreeing, counted, enumerated},
        escape::terminal,
    },
    time::human,
    verdict::Verdict,
};

use super::{Change, Comparison, Kind, Leak, Rate, Recorded, Trend};
use crate::{
    grid::{Grid, Kind as Column},
    text::prose,
    words::rounded,
};

/// Renders it in so many columns, where that can be.
#[must_use]
pub fn render(comparison: &Comparison, width: usize) -> String {
    let mut out = recordings([&comparison.before, &comparison.after]).text(width);
    out.push('\n');
    prose(&summary(comparison), "", &mut out);
    for change in [Change::New, Change::Still, Change::NotEnoughSeen, Change::Gone] {
        let leaks: Vec<&Leak> = comparison.leaks.iter().filter(|leak| leak.change == change).collect();
        if leaks.is_empty() {
            continue;
        }
        let _ = writeln!(out, "\n{}", title(change));
        for leak in leaks {
            if !leak.leaks() {
                leak.because.iter().for_each(|why| prose(&unknown(leak, why), "", &mut out));
                continue;
            }
            prose(&sentence(leak), "", &mut out);
            let table = figures(leak).text(width.saturating_sub(2));
            table.lines().for_each(|line| out.push_str(&format!("  {line}\n")));
            leak.because.iter().for_each(|why| prose(&capital(&terminal(why)), "  ", &mut out));
        }
    }
    if !comparison.caveats.is_empty() {
        out.push('\n');
    }
    for caveat in &comparison.caveats {
        prose(&format!("CAVEAT: {}.", terminal(caveat)), "", &mut out);
    }
    out
}

fn recordings(both: [&Recorded; 2]) -> Grid {
    let mut grid = Grid::new(&[
        ("", Column::Word),
        ("RECORDING", Column::Name),
        ("HOST", Column::Name),
        ("BEGAN", Column::Word),
        ("LASTED", Column::Number),
        ("LEAK AGE", Column::Number),
    ]);
    for (which, recorded) in ["before", "after"].into_iter().zip(both) {
        grid.rows.push(vec![
            which.into(),
            recorded.file.as_str().into(),
            recorded.host.as_str().into(),
            recorded.time.as_str().into(),
            human((recorded.seconds.max(0.0) * 1e9) as u64).into(),
            human(recorded.leak_age_ns).into(),
        ]);
    }
    grid
}

/// How many there are of each.
fn summary(comparison: &Comparison) -> String {
    let count = |change| comparison.leaks.iter().filter(|leak| leak.change == change).count() as u64;
    let parts = [
        (Change::New, "is new", "are new"),
        (Change::Still, "goes on", "go on"),
        (Change::Gone, "is gone", "are gone"),
    ];
    let told = parts.into_iter().filter_map(|(change, one, many)| {
        let count = count(change);
        (count > 0).then(|| format!("{} {}", counted(count, "leak"), agreeing(count, one, many)))
    });
    let told: Vec<String> = told.collect();
    let unseen = count(Change::NotEnoughSeen);
    match (told.is_empty(), unseen) {
        (true, 0) => "No leak in either recording.".to_owned(),
        (true, _) => format!(
            "No leak is known to be new, to go on or to be gone; of {} not enough was seen.",
            counted(unseen, "program")
        ),
        (false, 0) => format!("{}.", enumerated(&told)),
        (false, _) => {
            format!("{}; of {} not enough was seen.", enumerated(&told), counted(unseen, "program"))
        }
    }
}

const fn title(change: Change) -> &'static str {
    match change {
        Change::New => "NEW",
        Change::Still => "STILL",
        Change::NotEnoughSeen => "NOT ENOUGH SEEN",
        Change::Gone => "GONE",
    }
}

fn sentence(leak: &Leak) -> String {
    let (program, path) = (terminal(&leak.program), terminal(&leak.path));
    let does = match leak.kind {
        Kind::Client => format!("{program} opens connections to {path} and does not close them"),
        Kind::Stale => format!("{program} keeps its ends to {path} though the server has released its own"),
        Kind::Server => format!("{program} does not release its ends on {path}"),
    };
    let suspicion = if leak.is_suspicion() { ", perhaps" } else { "" };
    match (leak.change, leak.trend) {
        (Change::New, _) => format!("{does}{suspicion}: it did not before."),
        (Change::Still, None) => format!("{does}{suspicion}: it did before."),
        (Change::Still, Some(Trend::Faster)) => {
            format!("{does}{suspicion}: it did before, and grows faster now.")
        }
        (Change::Still, Some(Trend::Slower)) => {
            format!("{does}{suspicion}: it did before, and grows slower now.")
        }
        (Change::Still, Some(Trend::NoDifference)) => {
            format!("{does}{suspicion}: it did before, and no difference in growth is known.")
        }
        (Change::Gone, _) => format!("{program} closes its connections on {path}: it did not before."),
        (Change::NotEnoughSeen, _) => {
            format!("{program} leaked on {path}. It is not known whether it still does:")
        }
    }
}

/// Of a program that leaked in neither.
fn unknown(leak: &Leak, why: &str) -> String {
    let (program, path) = (terminal(&leak.program), terminal(&leak.path));
    format!("{program} on {path}: {}", terminal(why))
}

fn figures(leak: &Leak) -> Grid {
    let mut grid = Grid::new(&[
        ("", Column::Word),
        ("VERDICT", Column::Word),
        ("OPENED", Column::Number),
        ("OPEN", Column::Number),
        ("KEPT", Column::Number),
        ("GROWTH (95 %)", Column::Word),
        ("LIFE P50", Column::Number),
        ("LIFE P99", Column::Number),
    ]);
    for (which, figures) in [("before", &leak.before), ("after", &leak.after)] {
        let Some(figures) = figures else {
            grid.rows.push(vec![which.into(), "not there".into()]);
            continue;
        };
        let open = if leak.kind == Kind::Server { figures.open_server } else { figures.open_client };
        let life = |life: Option<u64>| life.map_or_else(|| "-".to_owned(), human);
        let kept = if figures.is_leak() { figures.count } else { 0 };
        grid.rows.push(vec![
            which.into(),
            figures.verdict.map_or("-", Verdict::name).into(),
            figures.opened.to_string().into(),
            open.to_string().into(),
            kept.to_string().into(),
            figures.growth.map_or_else(|| "-".to_owned(), rate).into(),
            life(figures.p50_ns).into(),
            life(figures.p99_ns).into(),
        ]);
    }
    grid
}

fn rate(rate: Rate) -> String {
    format!("{}/h ({} to {})", rounded(rate.per_hour), rounded(rate.low), rounded(rate.high))
}

fn capital(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
