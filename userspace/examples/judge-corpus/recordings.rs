//! Judges recordings from elsewhere against what is true of them.

use std::{collections::BTreeSet, fs, ops::ControlFlow, path::Path};

use anyhow::{Context as _, Result, bail, ensure};
use sockleak_core::{
    assess::findings::findings,
    attribution::{by::By, limits::GivenLimit, selection::Selection},
    session::{Session, Settings},
    verdict::Verdict,
};
use sockleak_recording::Trace;

/// Judges each `*.db` of a directory that has a `*.truth` beside it.
pub(crate) fn judge(directory: &Path) -> Result<()> {
    let entries =
        fs::read_dir(directory).with_context(|| format!("{} cannot be read", directory.display()))?;
    let mut files: Vec<_> = entries.map(|it| it.map(|it| it.path())).collect::<Result<_, _>>()?;
    files.retain(|file| {
        file.extension().is_some_and(|it| it == "db") && file.with_extension("truth").exists()
    });
    files.sort();
    ensure!(!files.is_empty(), "there is no recording with a .truth file in {}", directory.display());
    let (mut right, mut told, mut leaks, mut found) = (0, 0, 0, 0);
    for file in files {
        let truth = truth(&file.with_extension("truth"))?;
        let said = said(&file)?;
        let is_leak = |verdict: &str| verdict == "client-leak" || verdict == "server-leak";
        for (program, verdict) in said.iter().filter(|it| is_leak(it.1.name())) {
            told += 1;
            right += u64::from(truth.iter().any(|it| it.1 == verdict.name() && program.ends_with(&it.0)));
        }
        for (program, verdict) in truth.iter().filter(|it| is_leak(&it.1)) {
            leaks += 1;
            let is_told = |it: &&(String, Verdict)| {
                it.0.ends_with(program.as_str()) && (it.1.name() == verdict || it.1 == Verdict::Suspect)
            };
            found += u64::from(said.iter().any(|it| is_told(&it)));
        }
        println!("{}", file.display());
        for (program, verdict) in &truth {
            let given: Vec<_> =
                said.iter().filter(|it| it.0.ends_with(program.as_str())).map(|it| it.1.name()).collect();
            println!(
                "  {program}: {verdict}; told {}",
                if given.is_empty() { "nothing".to_owned() } else { given.join(", ") }
            );
        }
    }
    let share = super::measure::share;
    println!("\nprecision {:.2} recall {:.2}", share(right, told), share(found, leaks));
    Ok(())
}

/// Lines of `VERDICT PROGRAM`; what begins with # is a comment.
fn truth(file: &Path) -> Result<Vec<(String, String)>> {
    let text = fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let mut truth = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let Some((verdict, program)) = line.split_once(' ') else {
            bail!("{}: {line:?} is not VERDICT PROGRAM", file.display());
        };
        let known: Verdict = verdict.parse().with_context(|| file.display().to_string())?;
        truth.push((program.trim().to_owned(), known.name().to_owned()));
    }
    Ok(truth)
}

fn said(file: &Path) -> Result<BTreeSet<(String, Verdict)>> {
    let trace = Trace::open(file)?;
    let header = trace.header();
    let settings = Settings {
        started: header.started,
        leak_age: header.leak_age,
        limits: header.limits.iter().filter_map(|it| GivenLimit::parse(it).ok()).collect(),
        by: By::Program,
    };
    let mut session = Session::new(Selection::recorded(header.targets.clone()), settings);
    trace.replay(|record| {
        session.feed(record);
        ControlFlow::Continue(())
    })?;
    let findings = findings(&session, trace.progress().now, false);
    Ok(findings.into_iter().map(|it| (it.program, it.verdict)).collect())
}
