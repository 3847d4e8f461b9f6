//! The guest's figures: lines like `figure pairs case=none pairs=5000 elapsed=… after=…`.

use std::collections::BTreeMap;

/// Everything that was measured, in the guest's order.
#[derive(Debug, Default)]
pub(super) struct Figures {
    /// bpftrace's version.
    pub(super) bpftrace: String,
    /// Loops over pairs, by case: instructions per pair of each run.
    pairs: BTreeMap<String, Vec<f64>>,
    /// Loops over messages, by case: instructions per message of each run.
    messages: BTreeMap<String, Vec<f64>>,
    /// What the kernel counted, by case.
    programs: BTreeMap<String, Vec<Program>>,
    /// From exec on, by command.
    starts: BTreeMap<String, Vec<Start>>,
}

/// What the kernel counted for a program.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Program {
    /// Its name in the kernel.
    pub(super) name: String,
    /// How often it ran.
    pub(super) runs: u64,
    /// Nanoseconds in all.
    pub(super) time: u64,
}

impl Program {
    /// Nanoseconds of a run.
    pub(super) fn per_run(&self) -> f64 {
        self.time as f64 / self.runs.max(1) as f64
    }
}

/// How long something took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Start {
    /// On the clock.
    pub(super) elapsed: u64,
    /// Of the processor.
    pub(super) processor: u64,
}

/// A few measurements of the same.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) least: f64,
    pub(super) median: f64,
    pub(super) most: f64,
}

impl Spread {
    /// None without measurements.
    pub(super) fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        Some(Self { least: *values.first()?, median: values[values.len() / 2], most: *values.last()? })
    }

    /// How far the measurements lie apart, of the least.
    pub(super) fn width(self) -> f64 {
        (self.most - self.least) / self.least
    }
}

impl Figures {
    /// Takes in a line; tells whether it holds a figure.
    pub(super) fn take(&mut self, line: &str) -> bool {
        self.try_take(line).is_some()
    }

    fn try_take(&mut self, line: &str) -> Option<()> {
        let (kind, rest) = line.strip_prefix("figure ")?.split_once(' ')?;
        if kind == "bpftrace" {
            rest.clone_into(&mut self.bpftrace);
            return Some(());
        }
        let values: BTreeMap<&str, &str> =
            rest.split_whitespace().filter_map(|word| word.split_once('=')).collect();
        let number = |name: &str| values.get(name)?.parse::<u64>().ok();
        let case = (*values.get("case")?).to_owned();
        match kind {
            "pairs" => {
                let spent = number("elapsed")? + number("after")?;
                let per_pair = spent as f64 / number("pairs").filter(|&pairs| pairs > 0)? as f64;
                self.pairs.entry(case).or_default().push(per_pair);
            }
            "messages" => {
                let count = number("messages").filter(|&messages| messages > 0)?;
                self.messages.entry(case).or_default().push(number("elapsed")? as f64 / count as f64);
            }
            "program" => self.programs.entry(case).or_default().push(Program {
                name: (*values.get("name")?).to_owned(),
                runs: number("runs")?,
                time: number("time")?,
            }),
            "start" => self
                .starts
                .entry(case)
                .or_default()
                .push(Start { elapsed: number("elapsed")?, processor: number("processor")? }),
            _ => return None,
        }
        Some(())
    }

    /// Instructions per pair.
    pub(super) fn pairs(&self, case: &str) -> Option<Spread> {
        Spread::of(self.pairs.get(case)?.clone())
    }

    /// Instructions per message.
    pub(super) fn messages(&self, case: &str) -> Option<Spread> {
        Spread::of(self.messages.get(case)?.clone())
    }

    /// The programs that ran in a case.
    pub(super) fn programs(&self, case: &str) -> &[Program] {
        self.programs.get(case).map_or(&[], Vec::as_slice)
    }

    /// How long a command took, by one of the two measures.
    pub(super) fn start(&self, case: &str, measure: impl Fn(&Start) -> u64) -> Option<Spread> {
        Spread::of(self.starts.get(case)?.iter().map(|start| measure(start) as f64).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_and_other_lines_left() {
        let mut figures = Figures::default();
        for line in [
            "figure bpftrace bpftrace v0.17.0",
            "figure pairs case=none pairs=10 elapsed=1000 after=0",
            "figure pairs case=none pairs=10 elapsed=900 after=20",
            "figure pairs case=none pairs=10 elapsed=1100 after=0",
            "figure messages case=off messages=20 elapsed=5000",
            "figure program case=match name=connect_fexit runs=10 time=2500",
            "figure start case=check elapsed=30 processor=20",
        ] {
            assert!(figures.take(line), "{line}");
        }
        assert_eq!(figures.bpftrace, "bpftrace v0.17.0");
        assert_eq!(figures.pairs("none"), Some(Spread { least: 92.0, median: 100.0, most: 110.0 }));
        assert_eq!(figures.pairs("match"), None);
        assert_eq!(figures.messages("off").map(|spread| spread.median), Some(250.0));
        assert_eq!(figures.messages("none"), None);
        assert_eq!(figures.programs("match")[0].per_run(), 250.0);
        assert_eq!(figures.start("check", |start| start.processor).map(|spread| spread.median), Some(20.0));
        for line in [
            "",
            "figure",
            "figure pairs case=x pairs=0 elapsed=1 after=0",
            "figure messages case=x messages=0 elapsed=1",
            "figure messages case=x messages=1",
            "figure start case=x elapsed=y",
            "noise",
        ] {
            assert!(!figures.take(line), "{line}");
        }
    }
}
