//! What is shipped for Kubernetes, compared with the API's schemas.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::counts::Counts;
use crate::{paths, process, process::Log};

/// Has the schemas of each version of the API.
const PACKAGE: (&str, &str) = ("kubernetes-validate", "1.37.0");

/// Checks, as one step of all tests.
pub(super) fn check() -> Counts {
    match environment().and_then(|python| validate(&python)) {
        Ok(said) => {
            println!("ok {}", said.trim());
            Counts { passed: 1, failed: 0 }
        }
        Err(error) => {
            println!("FAIL kubernetes: {error:#}");
            Counts { passed: 0, failed: 1 }
        }
    }
}

fn validate(python: &Path) -> Result<String> {
    // No compiled files among the sources.
    let mut command = Command::new(python);
    process::output(command.arg("-B").arg(paths::repo().join("tests/kubernetes/validate.py")))
}

/// The Python of an environment that has the package. It is made if it is not there.
fn environment() -> Result<PathBuf> {
    let (name, version) = PACKAGE;
    let folder = paths::cache_folder("kubernetes")?;
    let python = folder.join("bin/python");
    let which = format!("import importlib.metadata as it; print(it.version('{name}'))");
    let found = process::output(Command::new(&python).args(["-c", &which]));
    if !found.is_ok_and(|found| found.trim() == version) {
        let log = Log::create("kubernetes")?;
        log.run(process::command("python3", ["-m", "venv", "--clear"]).arg(&folder))
            .context("no Python environment can be made; install python3-venv")?;
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--only-binary", ":all:"]).arg(format!("{name}=={version}"));
        log.run(&mut pip)?;
    }
    Ok(python)
}
