//! The figures as tables. Pure.

use std::fmt::Write as _;

use anyhow::{Context, Result};

use super::Args;
use super::figures::{Figures, Program, Spread};

/// Pairs that nothing traces: what the other cases are compared with.
pub(super) const BASE: &str = "none";

/// The measurements of pairs, in the order of the table.
const CASES: [(&str, &str); 9] = [
    (BASE, "no tracing"),
    ("floor", "empty programs on the same five hooks"),
    ("other-kernel", "sockleak, no match: kernel side alone"),
    ("other", "sockleak, no match"),
    ("alike-kernel", "sockleak, no match, name as long: kernel side alone"),
    ("alike", "sockleak, no match, name as long"),
    ("match-kernel", "sockleak, match: kernel side alone"),
    ("match", "sockleak, match, delivered and printed"),
    ("bpftrace", "bpftrace, delivered and printed"),
];

const NOTES: &str = "\
One processor under QEMU's -icount: a nanosecond of the guest's clock is one instruction. Caches and traps cost nothing,
and an instruction that copies or clears memory counts once for each byte. A pair is socket, connect, accept and two
closes by one process. A tracer runs on the same processor, so what it does during the loop is in the loop's time; what
it does afterwards, until its last line about the pairs is in the file, is added as its processor time, because it
sleeps in between. \"Kernel side alone\": the tracer is stopped while pairs are made.
";

/// The measurements of pairs in which sockleak traces, with their titles.
pub(super) fn of_sockleak() -> impl Iterator<Item = (&'static str, &'static str)> {
    CASES.into_iter().filter(|(_, title)| title.starts_with("sockleak"))
}

/// The figures of pairs, programs and starts.
pub(super) fn render(figures: &Figures, kernel: &str, args: &Args) -> Result<String> {
    let mut out = format!(
        "\nInstructions per pair: {kernel}, {} pairs, {} runs, {}\n\n",
        args.pairs, args.runs, figures.bpftrace
    );
    pairs(figures, &mut out)?;
    out.push('\n');
    marks(figures, &mut out)?;
    let _ = writeln!(out, "\n{NOTES}\nInstructions per run of each program, and runs per pair\n");
    programs(figures, args, &mut out);
    out.push_str(
        "\nFrom exec on: million nanoseconds on the guest's clock, million instructions of the process\n\n",
    );
    starts(figures, &mut out);
    Ok(out)
}

fn pairs(figures: &Figures, out: &mut String) -> Result<()> {
    let base = median(figures, BASE)?;
    let bpftrace = median(figures, "bpftrace")? - base;
    let _ = writeln!(
        out,
        "{:<52} {:>8} {:>8} {:>7} {:>8} {:>8} {:>14}",
        "", "least", "median", "spread", "added", "", "of bpftrace's"
    );
    for (case, name) in CASES {
        let spread = figures.pairs(case).with_context(|| format!("{case} was not measured"))?;
        let added = spread.median - base;
        let _ = write!(
            out,
            "{name:<52} {:>8.0} {:>8.0} {:>6.2}%",
            spread.least,
            spread.median,
            spread.width() * 100.0
        );
        if case != BASE {
            let _ = write!(
                out,
                " {added:>+8.0} {:>+7.1}% {:>13.1}%",
                added / base * 100.0,
                added / bpftrace * 100.0
            );
        }
        out.push('\n');
    }
    Ok(())
}

/// The figures that have a mark, beside it.
fn marks(figures: &Figures, out: &mut String) -> Result<()> {
    let base = median(figures, BASE)?;
    let added = |case| Ok::<_, anyhow::Error>(median(figures, case)? - base);
    let of_base = |case| Ok::<_, anyhow::Error>(added(case)? / base * 100.0);
    let rows = [
        ("kernel side alone, no match", of_base("other-kernel")?, "at most +7 % of no tracing"),
        ("kernel side alone, match", of_base("match-kernel")?, "at most +13 % of no tracing"),
        (
            "delivered and printed",
            added("match")? / added("bpftrace")? * 100.0,
            "at most 20 % of what bpftrace adds",
        ),
    ];
    for (name, value, mark) in rows {
        let _ = writeln!(out, "{name:<30} {value:>5.1} %   (mark: {mark})");
    }
    Ok(())
}

fn median(figures: &Figures, case: &str) -> Result<f64> {
    figures.pairs(case).map(|spread| spread.median).with_context(|| format!("{case} was not measured"))
}

fn programs(figures: &Figures, args: &Args, out: &mut String) {
    // The warm-up was counted too.
    let pairs = f64::from(args.pairs + args.pairs / 10);
    let _ = writeln!(
        out,
        "{:<18} {:>9} {:>9} {:>13} {:>9}",
        "", "runs/pair", "no match", "name as long", "match"
    );
    let cases = ["other", "alike", "match"];
    for program in figures.programs("match") {
        let _ = write!(out, "{:<18} {:>9.2}", program.name, program.runs as f64 / pairs);
        for (case, width) in cases.into_iter().zip([9, 13, 9]) {
            let same = figures.programs(case).iter().find(|other| other.name == program.name);
            let _ = match same {
                Some(program) => write!(out, " {:>width$.0}", program.per_run()),
                None => write!(out, " {:>width$}", "-"),
            };
        }
        out.push('\n');
    }
    let _ = write!(out, "{:<18} {:>9}", "per pair", "");
    for (case, width) in cases.into_iter().zip([9, 13, 9]) {
        let _ = write!(out, " {:>width$.0}", sum(figures.programs(case)) / pairs);
    }
    let _ = writeln!(out, "\n\nFor comparison:");
    for (case, name) in [("floor", "empty"), ("bpftrace", "bpftrace")] {
        for program in figures.programs(case) {
            let label = format!("{name}: {}", program.name);
            let _ = writeln!(out, "{label:<28} {:>9.0}", program.per_run());
        }
    }
    out.push_str("An empty program's figure is nearly all the kernel's own: it reads its clock twice.\n");
}

fn sum(programs: &[Program]) -> f64 {
    programs.iter().map(|program| program.time as f64).sum()
}

fn starts(figures: &Figures, out: &mut String) {
    const MILLION: f64 = 1e6;
    let _ = writeln!(out, "{:<44} {:>9} {:>13} {:>8}", "", "clock", "instructions", "spread");
    for (case, name) in
        [("capture", "sockleak capture --json, to its session line"), ("check", "sockleak check, to its end")]
    {
        let clock = figures.start(case, |start| start.elapsed);
        let processor = figures.start(case, |start| start.processor);
        if let (Some(clock), Some(processor)) = (clock, processor) {
            let _ = writeln!(
                out,
                "{name:<44} {:>9.1} {:>13.1} {:>7.2}%",
                clock.median / MILLION,
                processor.median / MILLION,
                Spread::width(processor) * 100.0
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_is_compared_with_the_base_and_with_bpftrace() {
        let mut figures = Figures::default();
        for (case, _) in CASES {
            let elapsed = match case {
                BASE => 30_000,
                "bpftrace" => 70_000,
                _ => 33_000,
            };
            assert!(figures.take(&format!("figure pairs case={case} pairs=1 elapsed={elapsed} after=0")));
        }
        let args = Args::example();
        let text = render(&figures, "linux-image", &args).expect("everything was measured");
        let line = |name: &str| text.lines().find(|line| line.starts_with(name)).map(str::to_owned);
        let floor = line("empty programs").expect("a line of the table");
        assert!(floor.contains("+3000") && floor.contains("+10.0%") && floor.ends_with(" 7.5%"), "{floor}");
        assert!(line("delivered and printed").is_some_and(|line| line.contains(" 7.5 % ")), "{text}");
        assert!(render(&Figures::default(), "linux-image", &args).is_err());
    }
}
