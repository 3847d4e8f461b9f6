//! The archive of many hosts: killed again and again, in a directory and on an S3 server, and asked by the engines that can be had.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::units;
use crate::counts::Counts;
use crate::{paths, process, process::Log};

/// Engines for Python: DuckDB, ClickHouse's own code as a library, and Spark, which needs Java.
const PACKAGES: [&str; 3] = ["chdb==4.4.0", "duckdb==2.0.1", "pyspark==4.3.0"];
/// An S3 server over a directory.
const SERVER: [&str; 2] = ["s3s-fs", "0.14.1"];
/// How often the service and the process that archives are killed.
const KILLS: &str = "50";
/// Hosts and days of the fleet that engines are asked about.
const FLEET: [&str; 2] = ["20", "14"];

/// Runs all of it.
pub(super) fn run() -> Result<Counts> {
    let log = Log::create("fleet")?;
    let server = server(&log)?;
    let python = python(&log)?;
    let mut cargo =
        process::command("cargo", ["test", "--quiet", "--package", "sockleak", "--test", "archive"]);
    cargo.env("SOCKLEAK_TEST_KILLS", KILLS).env("SOCKLEAK_TEST_S3S", server);
    let killed = units::count(&mut cargo)?;
    Ok(killed + questions(&python, &log)?)
}

/// Has engines asked about a fleet that is made up.
fn questions(python: &std::path::Path, log: &Log) -> Result<Counts> {
    let build = ["build", "--quiet", "--package", "sockleak", "--example", "archive-fleet", "--bins"];
    log.run(process::command("cargo", build).current_dir(paths::repo()))?;
    let folder = tempfile::tempdir().context("there is no place for an archive")?;
    let debug = paths::repo().join("target/debug");
    let mut fleet = Command::new(debug.join("examples/archive-fleet"));
    log.run(fleet.arg(debug.join("sockleak")).arg(folder.path()).args(FLEET))?;
    let mut engines = vec!["duckdb", "clickhouse"];
    if paths::program("java").is_some() {
        engines.push("spark");
    } else {
        println!("skipped Spark: it needs Java (on Debian: default-jre-headless)");
    }
    let mut ask = Command::new(python);
    ask.arg("-B").arg(paths::repo().join("tests/fleet/questions.py")).arg(folder.path()).args(&engines);
    let output = ask.output().context("Python cannot be started")?;
    let text = String::from_utf8_lossy(&output.stdout);
    print!("{text}");
    let count = |word: &str| text.lines().filter(|line| line.starts_with(word)).count();
    let mut counts = Counts { passed: count("ok "), failed: count("FAIL ") };
    if !output.status.success() && counts.failed == 0 {
        println!("FAIL questions: {}", String::from_utf8_lossy(&output.stderr));
        counts.failed = 1;
    }
    Ok(counts)
}

/// The S3 server, installed into the cache.
fn server(log: &Log) -> Result<PathBuf> {
    let [name, version] = SERVER;
    let root = paths::cache_folder("fleet")?;
    let program = root.join("bin").join(name);
    if !program.is_file() {
        eprintln!("fleet: installing {name} {version} in {}, which takes minutes", root.display());
        let mut install =
            process::command("cargo", ["install", name, "--version", version, "--features", "binary"]);
        log.run(install.arg("--locked").arg("--root").arg(&root))?;
    }
    Ok(program)
}

/// A Python environment with the engines.
fn python(log: &Log) -> Result<PathBuf> {
    let folder = paths::cache_folder("fleet")?.join("python");
    let python = folder.join("bin/python");
    let has_all = "import chdb, duckdb, pyspark";
    if process::output(Command::new(&python).args(["-c", has_all])).is_err() {
        eprintln!("fleet: installing DuckDB, chdb and Spark in {}", folder.display());
        log.run(process::command("python3", ["-m", "venv", "--clear"]).arg(&folder))
            .context("no Python environment can be made; install python3-venv")?;
        log.run(Command::new(&python).args(["-m", "pip", "install"]).args(PACKAGES))?;
    }
    Ok(python)
}
