//! Chromium, and a Python environment of its own with what drives it.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::setup::packages;
use crate::{paths, process, process::Log};

/// Playwright drives the browser; axe comes with the second (it is under the MPL, and used for tests alone); the third makes
/// pictures small.
const PACKAGES: [&str; 3] = ["playwright==1.65.2", "axe-playwright-python==0.1.8", "pillow==13.0.0"];
/// Fonts, so that pictures are alike on all machines.
const DEBIAN: [&str; 2] = ["chromium", "fonts-dejavu-core"];

/// What it takes to look at a page.
pub(crate) struct Environment {
    pub(crate) chromium: PathBuf,
    python: PathBuf,
}

impl Environment {
    /// Installs what is not there.
    pub(crate) fn get() -> Result<Self> {
        let log = Log::create("browser")?;
        let chromium = match paths::program("chromium") {
            Some(chromium) => chromium,
            None => install(&log)?,
        };
        let folder = paths::cache_folder("browser")?;
        let python = folder.join("bin/python");
        if !has_packages(&python) {
            eprintln!("browser: installing Playwright and axe in {}", folder.display());
            log.run(process::command("python3", ["-m", "venv", "--clear"]).arg(&folder))
                .context("no Python environment can be made; install python3-venv")?;
            let mut pip = Command::new(&python);
            pip.args(["-m", "pip", "install", "--only-binary", ":all:"]).args(PACKAGES);
            log.run(&mut pip)?;
        }
        Ok(Self { chromium, python })
    }

    /// One of the programs in `tests/browser`.
    pub(crate) fn python(&self, program: &str) -> Command {
        let mut command = Command::new(&self.python);
        // No compiled files among the sources.
        command.arg("-B").arg(paths::repo().join("tests/browser").join(program));
        command
    }
}

fn install(log: &Log) -> Result<PathBuf> {
    if !packages::can_install() {
        bail!(
            "Chromium is not on this machine; install it (on Debian: sudo apt-get install {})",
            DEBIAN.join(" ")
        );
    }
    eprintln!("browser: installing {}", DEBIAN.join(" and "));
    packages::install(&DEBIAN, log)?;
    paths::program("chromium").context("Chromium is not there though it was installed")
}

/// Are all packages there, in these versions?
fn has_packages(python: &std::path::Path) -> bool {
    const WHICH: &str = "import sys, importlib.metadata as it\n\
                         print(all(it.version(name) == version for name, version in (p.split('==') for p in sys.argv[1:])))";
    let answer = process::output(Command::new(python).args(["-c", WHICH]).args(PACKAGES));
    answer.is_ok_and(|answer| answer.trim() == "True")
}
