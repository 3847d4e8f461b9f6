//! Plays one scenario under a capture.

pub(crate) mod child;
mod replay;

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use nix::sys::signal::Signal;
use workload::scenario::{First, Scenario};
use workload::truth::Truth;

use crate::compare::compare;
use child::Child;

/// The programs to run, and how.
pub struct Setup {
    /// Path of sockleak.
    pub sockleak: PathBuf,
    /// Path of the workload.
    pub workload: PathBuf,
    /// The argument of `--hooks`.
    pub hooks: String,
    /// Where the evidence of a failure is kept.
    pub out: PathBuf,
}

/// Plays a scenario in a fresh directory and returns the differences between truth and capture. Whatever it started
/// is gone afterwards.
#[must_use]
pub fn play(setup: &Setup, scenario: &Scenario) -> Vec<String> {
    let dir = std::env::temp_dir().join(format!("scenario-{}-{}", std::process::id(), scenario.name));
    let mut differences = Vec::new();
    let played = fs::create_dir_all(&dir).context("no directory").and_then(|()| act(setup, scenario, &dir));
    match played {
        Ok(found) => differences.extend(found),
        Err(error) => differences.push(format!("{error:#}")),
    }
    if !differences.is_empty()
        && let Err(error) = keep(&dir, &setup.out.join(scenario.name))
    {
        differences.push(format!("the evidence could not be kept: {error:#}"));
    }
    // The directory is a temporary one; what it holds has been looked at.
    let _ = fs::remove_dir_all(&dir);
    differences
}

/// Files of a run, and those that are kept.
const CAPTURE: &str = "capture.json";
const CAPTURE_ERRORS: &str = "capture.stderr";
const TRACE: &str = "trace.db";
/// What a capture that ended badly leaves beside its recording.
const TRACE_LOG: &str = "trace.db-wal";
/// The report in text, which a capture writes besides its lines.
const REPORT: &str = "report.txt";
const REPLAYED: &str = "replayed.json";
const REPLAYED_ERRORS: &str = "replayed.stderr";
const WORKLOAD: &str = "workload.stdout";
const WORKLOAD_ERRORS: &str = "workload.stderr";
const TRUTH: &str = "truth.jsonl";

fn act(setup: &Setup, scenario: &Scenario, dir: &Path) -> anyhow::Result<Vec<String>> {
    // The workload gets a directory of its own, beside the files about it.
    let stage = dir.join("d");
    fs::create_dir(&stage)?;
    let start_workload = || {
        let mut command = Command::new(&setup.workload);
        command.arg(scenario.name).arg("--dir").arg(&stage).arg("--truth").arg(dir.join(TRUTH));
        Child::start("workload", &mut command, &dir.join(WORKLOAD), &dir.join(WORKLOAD_ERRORS))
    };
    let start_capture = |until: &str| -> anyhow::Result<Child> {
        let mut command = Command::new(&setup.sockleak);
        command.args(["capture", "--json", "--hooks", &setup.hooks]);
        command.arg("--output").arg(dir.join(TRACE)).arg("--report").arg(dir.join(REPORT));
        command.args(scenario.arguments);
        command.args((scenario.targets)(&stage));
        let (out, errors) = (dir.join(CAPTURE), dir.join(CAPTURE_ERRORS));
        let mut capture = Child::start("capture", &mut command, &out, &errors)?;
        let kind = serde_json::json!(until);
        capture.wait_for_line(|line| {
            serde_json::from_str::<serde_json::Value>(line).is_ok_and(|line| line["type"] == kind)
        })?;
        Ok(capture)
    };
    let (mut capture, mut workload) = match scenario.first {
        // Its look at what is there already may go on meanwhile.
        First::Capture => (start_capture("session")?, start_workload()?),
        First::Workload => {
            let mut workload = start_workload()?;
            workload.wait_for_line(|line| line == "prepared")?;
            let capture = start_capture("watching")?;
            workload.say("go")?;
            (capture, workload)
        }
    };
    workload.wait_for_line(|line| line == "ready")?;
    capture.signal(Signal::SIGINT)?;
    capture.wait_for_success()?;
    workload.close_stdin();
    workload.wait_for_success()?;
    let truth = File::open(dir.join(TRUTH)).context("no truth")?;
    let truth = Truth::read(BufReader::new(truth))?;
    let captured = fs::read(dir.join(CAPTURE))?;
    let mut differences = compare(&truth, &String::from_utf8_lossy(&captured));
    replay::check(setup, dir, &captured, &mut differences)?;
    Ok(differences)
}

fn keep(dir: &Path, out: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(out).with_context(|| out.display().to_string())?;
    let replayed = [TRACE, TRACE_LOG, REPORT, REPLAYED, REPLAYED_ERRORS];
    for name in [CAPTURE, CAPTURE_ERRORS, TRUTH, WORKLOAD_ERRORS].into_iter().chain(replayed) {
        let file = dir.join(name);
        // A run that failed early has not made all of them.
        if file.exists() {
            fs::copy(&file, out.join(name)).with_context(|| name.to_owned())?;
        }
    }
    Ok(())
}
