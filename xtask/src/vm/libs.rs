//! The shared libraries that a program needs, found without running it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use lddtree::DependencyAnalyzer;

/// Where Debian has the libraries of 64-bit ARM.
const FOREIGN: [&str; 2] = ["lib/aarch64-linux-gnu", "usr/lib/aarch64-linux-gnu"];

/// Every library that a program needs, directly or not, and its loader, which are all below that root. None for a static program or a
/// script.
pub(crate) fn closure(program: &Path, root: &Path) -> Result<BTreeSet<PathBuf>> {
    if !is_elf(program)? {
        return Ok(BTreeSet::new());
    }
    // Of a root that is not this machine's, the loader's list of folders may be missing.
    let folders = FOREIGN.iter().filter(|_| root != Path::new("/")).map(|folder| root.join(folder));
    let tree = DependencyAnalyzer::new(root.to_path_buf())
        .library_paths(folders.collect())
        .analyze(program)
        .with_context(|| format!("cannot read the libraries of {}", program.display()))?;
    let mut files = BTreeSet::new();
    for library in tree.libraries.values() {
        if !library.found() {
            bail!("{} needs {}, which is not in {}", program.display(), library.name, root.display());
        }
        files.insert(library.path.clone());
    }
    let loader = tree.interpreter.map(PathBuf::from);
    files.extend(loader.map(|loader| root.join(loader.strip_prefix("/").unwrap_or(&loader))));
    Ok(files)
}

/// Whether a program runs without any library.
pub(crate) fn is_static(program: &Path, root: &Path) -> bool {
    closure(program, root).is_ok_and(|files| files.is_empty())
}

/// The names of the libraries that a program asks for itself.
pub(crate) fn needed(program: &Path) -> Vec<String> {
    DependencyAnalyzer::default().analyze(program).map(|tree| tree.needed).unwrap_or_default()
}

fn is_elf(program: &Path) -> Result<bool> {
    use std::io::Read;
    let mut magic = [0; 4];
    let mut file =
        std::fs::File::open(program).with_context(|| format!("cannot read {}", program.display()))?;
    Ok(file.read_exact(&mut magic).is_ok() && &magic == b"\x7fELF")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_libraries_and_loader_are_found() {
        let own = std::env::current_exe().expect("the test has a path");
        let files = closure(&own, Path::new("/")).expect("the test is a program");
        let named = |part: &str| files.iter().any(|file| file.to_string_lossy().contains(part));
        assert!(named("libc.so"), "{files:?}");
        assert!(named("ld-linux"), "{files:?}");
    }

    #[test]
    fn a_script_needs_nothing() {
        let script = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(script.path(), "#!/bin/sh\n").expect("it can be written");
        assert!(closure(script.path(), Path::new("/")).expect("it can be read").is_empty());
    }
}
