//! DuckDB, from PyPI, in a Python environment of its own, with its extension that reads SQLite files.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::on_one_processor;
use super::timed::Spent;
use crate::{paths, process, process::Log};

/// The two go together.
const PACKAGES: [&str; 2] = ["duckdb==1.5.5", "duckdb-extension-sqlite-scanner==1.5.5"];
const QUESTION: &str = include_str!("question.py");

/// An environment that has it.
pub(super) struct DuckDb {
    python: PathBuf,
    /// DuckDB loads it only if it is signed.
    extension: String,
    pub(super) version: String,
}

impl DuckDb {
    /// Installs it unless it is there.
    pub(super) fn get() -> Result<Self> {
        let folder = paths::cache_folder("duckdb")?;
        let python = folder.join("bin/python");
        if let Ok((version, extension)) = find(&python) {
            return Ok(Self { python, extension, version });
        }
        eprintln!("bench: installing DuckDB in {}", folder.display());
        let log = Log::create("duckdb")?;
        log.run(process::command("python3", ["-m", "venv", "--clear"]).arg(&folder))
            .context("no Python environment can be made; install python3-venv")?;
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--only-binary", ":all:"]).args(PACKAGES);
        log.run(&mut pip)?;
        let (version, extension) = find(&python)?;
        Ok(Self { python, extension, version })
    }

    /// Has a recording, or its export, answered, and checks that the answer is the report's.
    pub(super) fn ask(&self, source: &Path, report: &Path) -> Result<Spent> {
        let mut command = on_one_processor(&self.python);
        command.args(["-c", QUESTION]).arg(&self.extension).arg(source).arg(report);
        let line = process::output(&mut command)?;
        let answer =
            Answer::read(&line).with_context(|| format!("DuckDB's figures are unreadable: {line}"))?;
        ensure!(answer.is_same, "DuckDB's answer from {} is not the report's", source.display());
        Ok(answer.spent)
    }
}

/// Version and path of the extension.
fn find(python: &Path) -> Result<(String, String)> {
    const WHERE: &str = "import duckdb, pathlib, duckdb_extension_sqlite_scanner as it\n\
                         print(duckdb.__version__, *pathlib.Path(it.__file__).parent.rglob('*.duckdb_extension'))";
    let found = process::output(Command::new(python).args(["-c", WHERE]))?;
    let (version, extension) = found.trim().split_once(' ').context("DuckDB's extension is missing")?;
    ensure!(PACKAGES[0].ends_with(version), "DuckDB {version} is another version");
    Ok((version.to_owned(), extension.to_owned()))
}

/// A line of `question.py`.
#[derive(Debug, PartialEq)]
struct Answer {
    spent: Spent,
    is_same: bool,
}

impl Answer {
    fn read(line: &str) -> Option<Self> {
        let value = |name: &str| {
            let words = line.split_whitespace().filter_map(|word| word.split_once('='));
            words.filter(|(key, _)| *key == name).map(|(_, value)| value).next()
        };
        Some(Self {
            spent: Spent {
                clock: value("clock")?.parse().ok()?,
                processor: value("processor")?.parse().ok()?,
                peak: value("peak_kib")?.parse::<u64>().ok()? * 1024,
            },
            is_same: value("same")? == "1",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        let line = "duckdb=1.5.5 clock=1.250 processor=1.125 peak_kib=2 rows=3 same=1";
        let spent = Spent { clock: 1.25, processor: 1.125, peak: 2048 };
        assert_eq!(Answer::read(line), Some(Answer { spent, is_same: true }));
        assert_eq!(Answer::read(&line.replace("same=1", "same=0")), Some(Answer { spent, is_same: false }));
        assert_eq!(Answer::read("clock=1"), None);
    }
}
