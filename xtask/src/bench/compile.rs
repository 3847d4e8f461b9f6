//! `cargo xtask bench build`: what building takes from nothing and after a change, in processor time. That depends little on what else
//! the machine does, where the clock's time depends on nothing else. Prints, and judges nothing.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike};

use super::revision::Revision;
use crate::build::FOR_DEMO;
use crate::{paths, process};

/// Arguments of `cargo xtask bench build`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The commit, branch or tag to build
    #[arg(long, value_name = "REV", default_value = "HEAD")]
    revision: String,
    /// Leave out the release builds, which take the most time
    #[arg(long)]
    demo_only: bool,
}

const DEMO: &[&str] = &["build"];
const RELEASE: &[&str] = &["build", "--release", "--package", "sockleak"];
/// What is changed in between: a text of `sockleak top`.
const CHANGED: &str = "userspace/src/top/view/chrome.rs";
const TEXT: [&str; 2] = ["any other key", "whatever other key"];

/// What a build took.
struct Row {
    what: &'static str,
    command: String,
    seconds: f64,
}

/// Builds in folders of its own, which are removed afterwards, and prints what that took.
pub(crate) fn run(args: &Args) -> Result<()> {
    let revision = Revision::resolve(&args.revision)?;
    let folder = tempfile::tempdir_in(paths::cache_folder("builds")?).context("there is no room to build")?;
    let (source, target) = (folder.path().join("source"), folder.path().join("target"));
    revision.unpack(&paths::repo(), &source)?;
    eprintln!("bench: building {} from nothing; this takes minutes", revision.title);
    let demo = [DEMO, &FOR_DEMO].concat();
    let mut rows = vec![
        measure("demo, from nothing: xtask", &["build", "--package", "xtask"], &source, &target)?,
        measure("demo, from nothing: the rest", &demo, &source, &target)?,
    ];
    change(&source, TEXT)?;
    rows.push(measure("demo, a text of top changed", &demo, &source, &target)?);
    if !args.demo_only {
        rows.push(measure("release, from nothing", RELEASE, &source, &target)?);
        let [text, changed] = TEXT;
        change(&source, [changed, text])?;
        rows.push(measure("release, a text of top changed", RELEASE, &source, &target)?);
    }
    print!("{}", table(&rows));
    Ok(())
}

fn measure(what: &'static str, arguments: &[&str], source: &Path, target: &Path) -> Result<Row> {
    let before = spent()?;
    let mut cargo = process::command("cargo", arguments);
    process::run(cargo.args(["--quiet", "--locked", "--target-dir"]).arg(target).current_dir(source))?;
    Ok(Row { what, command: format!("cargo {}", arguments.join(" ")), seconds: spent()? - before })
}

/// Seconds of processor time that programs took which have been started here and have ended.
fn spent() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).context("the kernel does not say what was used")?;
    let seconds = |time: TimeVal| time.num_microseconds() as f64 / 1e6;
    Ok(seconds(usage.user_time()) + seconds(usage.system_time()))
}

fn change(source: &Path, [from, to]: [&str; 2]) -> Result<()> {
    let path = source.join(CHANGED);
    let text = fs::read_to_string(&path).with_context(|| format!("{CHANGED} cannot be read"))?;
    ensure!(text.contains(from), "{CHANGED} has no {from:?} to change");
    fs::write(&path, text.replace(from, to)).with_context(|| format!("{CHANGED} cannot be written"))
}

/// A row for each build; half of its processor time is what two processors take at least that do nothing else.
fn table(rows: &[Row]) -> String {
    let mut text = format!("{:<32}{:>12}{:>12}\n", "", "processor", "half of it");
    for Row { what, command, seconds } in rows {
        let half = seconds / 2.0;
        text.push_str(&format!("{what:<32}{seconds:>10.1} s{half:>10.1} s   {command}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_to_change_is_there() {
        let text = fs::read_to_string(paths::repo().join(CHANGED)).expect("it can be read");
        assert!(text.contains(TEXT[0]) && !text.contains(TEXT[1]));
    }

    #[test]
    fn half_of_the_time_is_told_too() {
        let rows = [Row { what: "all of it", command: "cargo build".into(), seconds: 61.0 }];
        let expected = "                                   processor  half of it\n\
                        all of it                             61.0 s      30.5 s   cargo build\n";
        assert_eq!(table(&rows), expected);
    }

    #[test]
    fn what_a_program_took_is_counted() {
        let before = spent().expect("it is known");
        process::run(&mut process::command("sh", ["-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done"]))
            .expect("it runs");
        assert!(spent().expect("it is known") > before);
    }
}
