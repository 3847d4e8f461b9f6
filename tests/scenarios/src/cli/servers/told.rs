//! What a report has to tell of each program, beside what the programs counted themselves.

use anyhow::{Context as _, ensure};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::cli::bench::Running;

/// Verdicts that accuse a program of keeping what it should have closed.
const ACCUSING: [&str; 4] = ["client-leak", "suspect", "server-leak", "stale-client"];
/// What may be said of a program whose connections are forgotten.
pub(super) const LEAK: &[&str] = &["client-leak", "suspect"];
/// What may be said of a program that is turned away, or waits, while another one holds the slots.
pub(super) const VICTIM: &[&str] = &["starved", "saturated", "undecided"];
/// What may be said of a pool whose members are in use.
pub(super) const POOL: &[&str] = &["pool", "healthy", "undecided"];
/// What may be said of the client of a server that is too small.
pub(super) const SATURATED: &[&str] = &["saturated", "starved"];

/// The report of a capture.
pub(super) struct Told {
    report: Value,
}

impl Told {
    /// Ends a capture and takes its report.
    pub(super) fn by(capture: Running) -> anyhow::Result<Self> {
        let ended = capture.end_by(Signal::SIGINT)?;
        ended.expect(0)?;
        let report = ended.report()?;
        ensure!(report["complete"] == true, "the report is not complete: {}", report["incomplete_because"]);
        Ok(Self { report })
    }

    /// The only row of a program's figures. Programs are named by the ends of their names.
    fn row(&self, program: &str) -> anyhow::Result<&Value> {
        let rows = self.report["programs"].as_array().context("a report lacks its programs")?;
        let rows: Vec<_> = rows.iter().filter(|row| is_of(row, program)).collect();
        ensure!(rows.len() == 1, "{program} has {} rows: {}", rows.len(), self.report["programs"]);
        Ok(rows[0])
    }

    /// A program's figures are what it counted.
    pub(super) fn expect_figures(&self, program: &str, figures: &[(&str, u64)]) -> anyhow::Result<()> {
        let row = self.row(program)?;
        for (name, counted) in figures {
            ensure!(row[name] == *counted, "{program} counted {counted} '{name}': {row}");
        }
        Ok(())
    }

    /// Each of a program's connects is counted once: made, or failed with an error.
    pub(super) fn expect_connects(&self, program: &str, connects: u64) -> anyhow::Result<()> {
        let row = self.row(program)?;
        let opened = row["opened"].as_u64().context("a row lacks what was opened")?;
        let told = opened + failed(row);
        // On preemptible kernels failed connects may be missed, and the report says how many.
        let missed = self.report["skipped_runs"].as_u64().unwrap_or(0);
        ensure!(
            (told..=told + missed).contains(&connects),
            "{program} connected {connects} times, and {told} are told with {missed} missed: {row}"
        );
        Ok(())
    }

    /// As many of a program's connects failed as it counted, but for those that the kernel did not show.
    pub(super) fn expect_failed(&self, program: &str, counted: u64) -> anyhow::Result<()> {
        let row = self.row(program)?;
        let (told, missed) = (failed(row), self.report["skipped_runs"].as_u64().unwrap_or(0));
        ensure!(
            (told..=told + missed).contains(&counted),
            "{counted} attempts of {program} failed, and {told} are told with {missed} missed: {row}"
        );
        Ok(())
    }

    /// At least one verdict is given of a program, and only such as are listed. The verdicts, for the case's line.
    pub(super) fn expect_verdicts(&self, program: &str, among: &[&str]) -> anyhow::Result<String> {
        let verdicts: Vec<_> = self.findings(program).filter_map(|it| it["verdict"].as_str()).collect();
        let fits = !verdicts.is_empty() && verdicts.iter().all(|it| among.contains(it));
        ensure!(fits, "{program} should be {}:\n{}", among.join(" or "), self.shown());
        Ok(verdicts.join(" and "))
    }

    /// Nobody is accused but this program, if one is named.
    pub(super) fn expect_accused(&self, only: Option<&str>) -> anyhow::Result<()> {
        let accused = self.all().filter(|it| ACCUSING.iter().any(|verdict| it["verdict"] == *verdict));
        let others: Vec<_> = accused.filter(|it| only.is_none_or(|only| !is_of(it, only))).collect();
        ensure!(others.is_empty(), "a program is accused that keeps nothing:\n{}", self.shown());
        Ok(())
    }

    /// The program that holds the slots is not given more of them.
    pub(super) fn expect_no_more_slots(&self, program: &str) -> anyhow::Result<()> {
        for finding in self.findings(program) {
            let advice = finding["advice"].as_str().unwrap_or_default().to_lowercase();
            let gives_more =
                ["raise the", "higher limit", "more workers"].iter().any(|it| advice.contains(it));
            ensure!(!gives_more, "the advice gives {program} more slots: {advice}");
        }
        Ok(())
    }

    fn all(&self) -> impl Iterator<Item = &Value> {
        self.report["findings"].as_array().into_iter().flatten()
    }

    fn findings(&self, program: &str) -> impl Iterator<Item = &Value> {
        self.all().filter(move |it| is_of(it, program))
    }

    /// All verdicts, a line each.
    fn shown(&self) -> String {
        let line = |it: &Value| {
            format!(
                "{} {}: {} of {}, slots {} of {} ({}), {}, {}",
                it["verdict"],
                it["program"],
                it["count"],
                it["opened"],
                it["slots_used"],
                it["slots_limit"],
                it["limit_source"],
                it["hardship"],
                it["uncertain"],
            )
        };
        self.all().map(line).collect::<Vec<_>>().join("\n")
    }
}

/// Is it about the program? Of an interpreter, the name ends with the script.
fn is_of(told: &Value, program: &str) -> bool {
    told["program"].as_str().is_some_and(|it| it.ends_with(program))
}

/// How many of a row's connects failed.
fn failed(row: &Value) -> u64 {
    row["failed"].as_object().into_iter().flatten().filter_map(|(_, count)| count.as_u64()).sum()
}
