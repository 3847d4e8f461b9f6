//! No source file grows past what can be taken in.

use std::fs;
use std::path::Path;

use anyhow::{Result, bail};

use crate::{paths, process};

const LONGEST: usize = 400;
const EXTENSIONS: [&str; 7] = ["rs", "sh", "py", "js", "css", "html", "sql"];

/// Checks every source file that git knows or would add, and that no name looks like an option.
pub(super) fn check() -> Result<()> {
    let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let list = process::output(process::command("git", arguments).current_dir(paths::repo()))?;
    if let Some(name) = list.split_terminator('\0').find(|name| is_option(name)) {
        bail!("{name}: no name begins with -, which commands take for an option or for standard output");
    }
    let mut long = Vec::new();
    for name in list.split_terminator('\0').filter(|name| is_source(name)) {
        // A file may be deleted and not yet committed.
        let lines = fs::read_to_string(paths::repo().join(name)).map_or(0, |text| text.lines().count());
        if lines >= LONGEST {
            long.push(format!("{name} has {lines}"));
        }
    }
    if !long.is_empty() {
        bail!("files stay under {LONGEST} lines: {}", long.join(", "));
    }
    Ok(())
}

fn is_option(name: &str) -> bool {
    name.split('/').any(|part| part.starts_with('-'))
}

fn is_source(name: &str) -> bool {
    let extension = Path::new(name).extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| EXTENSIONS.contains(&extension))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_like_options_are_found() {
        assert!(is_option("-") && is_option("docs/-o"));
        assert!(!is_option("docs/a-b.md"));
    }
}
