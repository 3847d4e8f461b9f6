//! Writes sockleak's man pages and shell completions.
//!
//! A program of its own, so that sockleak carries nothing of it: it links the library for the one definition of the command
//! line and its completions, which `sockleak completions` prints too, and reads docs/service.md for the one description of the
//! configuration.

mod commands;
mod config;
mod markdown;

use std::{fs, path::PathBuf};

use anyhow::Context as _;
use clap::Parser;

/// Writes sockleak's man pages to DIRECTORY/man and its shell completions to DIRECTORY/completions.
#[derive(Parser)]
struct Arguments {
    /// Where to.
    #[arg(value_name = "DIRECTORY")]
    directory: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let Arguments { directory } = Arguments::parse();
    let (man, completions) = (directory.join("man"), directory.join("completions"));
    for folder in [&man, &completions] {
        // What an earlier version wrote may be no part of this one.
        if folder.exists() {
            fs::remove_dir_all(folder).with_context(|| format!("{} cannot be removed", folder.display()))?;
        }
        fs::create_dir_all(folder).with_context(|| format!("{} cannot be created", folder.display()))?;
    }
    let pages =
        commands::pages()?.into_iter().chain([(config::FILE.to_owned(), config::page(&commands::source())?)]);
    for (name, page) in pages {
        let path = man.join(name);
        fs::write(&path, page).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    commands::complete(&completions)
}
