//! The pictures of the documentation: some of those that the checks took, made small.

use std::path::Path;

use anyhow::{Context, Result};

use super::Environment;
use crate::{paths, process};

/// Which picture becomes which, and how many of its pixels from the top are shown.
const PICTURES: [(&str, &str, u32); 6] = [
    ("demo-overview-light-wide", "page-overview-light", 900),
    ("demo-overview-dark-wide", "page-overview-dark", 900),
    ("demo-socket-light-wide", "page-socket-light", 1300),
    ("demo-socket-dark-wide", "page-socket-dark", 2200),
    ("demo-connection-light-wide", "page-connection-light", 1200),
    ("demo-socket-dark-phone", "page-socket-phone", 1400),
];

/// Writes them into docs/img.
pub(super) fn renew(environment: &Environment, folder: &Path) -> Result<()> {
    let docs = paths::repo().join("docs/img");
    std::fs::create_dir_all(&docs).with_context(|| format!("cannot make {}", docs.display()))?;
    for (from, to, height) in PICTURES {
        let mut shrink = environment.python("shrink.py");
        shrink.arg(folder.join(format!("{from}.png"))).arg(docs.join(format!("{to}.png")));
        process::run(shrink.arg(height.to_string()))?;
    }
    Ok(())
}
