//! `cargo xtask bench soak`: the service under a steady load for half an hour, beside the same load without it. Prints; what must
//! hold (nothing lost, the store within its bound) ends it with an error.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::setup::{self, Wants};
use crate::vm::{self, Guest, VmSpec, kernels};
use crate::{build, paths};

/// For booting, starting and comparing.
const BESIDE: Duration = Duration::from_mins(10);

/// Arguments of `cargo xtask bench soak`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The kernel to boot: 5.10, 6.1, 6.12, 6.12-rt, 7.2 or 7.3
    #[arg(long, value_name = "SERIES", default_value = "6.1")]
    kernel: String,
    /// Minutes with the service
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    minutes: u64,
    /// Minutes of the same load without it, before
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    untraced: u64,
    /// Connections a second
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
}

/// Measures and prints.
pub(crate) fn run(args: &Args) -> Result<()> {
    let series = kernels::series(&args.kernel)?;
    setup::ensure(Wants { build: true, guest: true, kernels: &[series.name], ..Wants::default() })?;
    eprintln!("bench: building");
    build::release(&["sockleak", "workload", "scenarios"])?;
    let mut guest = Guest::new()?;
    for program in ["sockleak", "scenarios"] {
        guest.add(&paths::release().join(program), &Path::new("/usr/bin").join(program))?;
    }
    let kernel = kernels::get(series.name)?;
    let title = kernel.package.clone();
    let minutes = args.minutes + args.untraced;
    eprintln!("bench: {} connections a second on {title} for {minutes} minutes", args.rate);
    let command = ["scenarios", "soak", "--minutes", &args.minutes.to_string()]
        .into_iter()
        .chain(["--untraced", &args.untraced.to_string(), "--rate", &args.rate.to_string()])
        .map(Into::into)
        .collect();
    let mut spec = VmSpec::new("soak", kernel, guest, command);
    spec.timeout = Duration::from_mins(minutes) + BESIDE;
    let mut sink = Sink::default();
    let outcome = vm::run(&spec, &mut sink)?;
    ensure!(outcome.status == 0, "the soak ended early (status {}): see above", outcome.status);
    print!("{}", render(&sink.figures, &title)?);
    Ok(())
}

/// Shows the guest's lines, and takes the figures out of them.
#[derive(Default)]
struct Sink {
    line: Vec<u8>,
    figures: Figures,
}

/// By case, by name.
type Figures = BTreeMap<String, BTreeMap<String, f64>>;

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for &byte in bytes {
            if byte != b'\n' {
                self.line.push(byte);
                continue;
            }
            let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).trim_end().to_owned();
            take(&line, &mut self.figures);
            eprintln!("{line}");
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// `figure CASE name=number …`
fn take(line: &str, figures: &mut Figures) {
    let Some((case, rest)) = line.strip_prefix("figure ").and_then(|rest| rest.split_once(' ')) else {
        return;
    };
    let case = figures.entry(case.to_owned()).or_default();
    let pairs = rest.split(' ').filter_map(|pair| pair.split_once('='));
    case.extend(pairs.filter_map(|(name, number)| Some((name.to_owned(), number.parse().ok()?))));
}

fn render(figures: &Figures, title: &str) -> Result<String> {
    const MEGABYTE: f64 = 1e6;
    let figure = |case: &str, name: &str| {
        let found = figures.get(case).and_then(|case| case.get(name)).copied();
        found.with_context(|| format!("the guest did not say {name} of {case}"))
    };
    let mut out = format!(
        "\n{title}, {:.0} s: {:.0} connections of {:.0} programs, {:.0} of them left open; nothing lost\n\n",
        figure("own", "seconds")?,
        figure("truth", "opened")?,
        figure("truth", "programs")?,
        figure("truth", "open")?,
    );
    for (name, case) in [("without the service", "untraced"), ("with it", "traced")] {
        let (busy, rate) = (figure(case, "busy")?, figure(case, "rate")?);
        let _ = writeln!(out, "{name:<22}{rate:>6.0} connections/s, processors busy {:>5.1} %", busy * 100.0);
    }
    let share = figure("own", "processor")? / figure("own", "seconds")? * 100.0;
    let (settled, most) = (figure("own", "settled")?, figure("own", "most")?);
    let _ = writeln!(out, "the service itself    {share:>6.1} % of one processor");
    let _ = writeln!(
        out,
        "its memory            {:>6.1} MB when it had settled, {:.1} MB at most after that ({:+.1} %)",
        settled / MEGABYTE,
        most / MEGABYTE,
        (most - settled) / settled.max(1.0) * 100.0
    );
    let _ = writeln!(
        out,
        "its store             {:>6.1} MB, bounded to 67.1 MB",
        figure("own", "store")? / MEGABYTE
    );
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_become_sentences() {
        let mut figures = Figures::new();
        for line in [
            "sample seconds=10 resident=1 store=2 processor=0.1 opened=5",
            "figure untraced busy=0.2500 rate=499",
            "figure traced busy=0.3125 rate=498",
            "figure own resident=30000000 store=60000000 processor=180.50 settled=20000000 most=21000000 seconds=1800",
            "figure truth opened=900000 open=30 programs=21",
        ] {
            take(line, &mut figures);
        }
        let text = render(&figures, "linux-image").expect("everything was said");
        for part in [
            "900000 connections of 21",
            "25.0 %",
            "31.2 %",
            "10.0 % of one",
            "20.0 MB when",
            "(+5.0 %)",
            "60.0 MB, bounded",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        figures.remove("own");
        assert!(render(&figures, "linux-image").is_err());
    }
}
