//! The commit that is built.

use anyhow::{Context, Result};

use crate::{paths, process};

/// When the commit was made, in seconds since 1970: every file that is packed gets this time. `SOURCE_DATE_EPOCH` takes precedence, and
/// serves where there is no git.
///
/// # Errors
/// If neither is there.
pub(crate) fn time() -> Result<u64> {
    let text = match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(text) => text,
        Err(_) => git(&["log", "-1", "--format=%ct"])
            .context("the time of the commit is not known; set SOURCE_DATE_EPOCH to seconds since 1970")?,
    };
    text.trim().parse().with_context(|| format!("{:?} is no number of seconds", text.trim()))
}

/// Its number, as a developer quotes it. None without git.
pub(crate) fn id() -> Option<String> {
    git(&["rev-parse", "HEAD"]).ok().map(|text| text.trim().to_owned())
}

/// Files that differ from the commit.
///
/// # Errors
/// If git does not answer.
pub(crate) fn changes() -> Result<Vec<String>> {
    let status = git(&["status", "--porcelain"])?;
    Ok(status.lines().map(str::to_owned).collect())
}

fn git(arguments: &[&str]) -> Result<String> {
    process::output(process::command("git", arguments).current_dir(paths::repo()))
}
