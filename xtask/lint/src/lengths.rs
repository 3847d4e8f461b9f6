//! No source file grows past what can be taken in, and no name looks like an option.

use std::fs;
use std::path::Path;

use anyhow::{Result, bail};

use crate::repository;

const LONGEST: usize = 400;
const EXTENSIONS: [&str; 7] = ["rs", "sh", "py", "js", "css", "html", "sql"];

/// Checks the length of every source file.
pub(crate) fn check() -> Result<()> {
    let mut long = Vec::new();
    for name in repository::files()?.iter().filter(|name| is_source(name)) {
        // A file may be deleted and not yet committed.
        let lines = fs::read_to_string(repository::root().join(name)).map_or(0, |text| text.lines().count());
        if lines >= LONGEST {
            long.push(format!("{name} has {lines}"));
        }
    }
    if !long.is_empty() {
        bail!("files stay under {LONGEST} lines: {}", long.join(", "));
    }
    Ok(())
}

/// Checks the name of every file.
pub(crate) fn check_names() -> Result<()> {
    if let Some(name) = repository::files()?.iter().find(|name| is_option(name)) {
        bail!("{name}: no name begins with -, which commands take for an option or for standard output");
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
