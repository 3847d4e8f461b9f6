//! Python interpreters: how versions keep what they run, and where there are some.

use std::{fs, path::PathBuf};

use sockleak_abi as abi;
use sockleak_core::event::ProcessId;

use super::maps;
use crate::proc;

/// Where a version of `CPython` keeps things. From its headers, and compared with a running interpreter.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Layout {
    version: (u8, u8),
    /// For the kernel side, which needs an address too.
    walk: abi::Python,
    /// Members of `PyCodeObject`.
    pub(super) file: u64,
    pub(super) name: u64,
    pub(super) first_line: u64,
    pub(super) line_table: u64,
    pub(super) instructions: u64,
    /// Where a `str` of ASCII has its text, and any other one.
    pub(super) ascii: u64,
    pub(super) compact: u64,
}

/// The versions that can be told. The code object is one of the things that every version changes.
const LAYOUTS: [Layout; 1] = [Layout {
    version: (3, 11),
    walk: abi::Python {
        runtime: 0,
        interpreter: 40,
        thread: 16,
        next_thread: 8,
        thread_id: 160,
        c_frame: 56,
        frame: 8,
        code: 32,
        previous: 48,
        instruction: 56,
        reserved: 0,
    },
    file: 112,
    name: 128,
    first_line: 72,
    line_table: 136,
    instructions: 184,
    ascii: 48,
    compact: 72,
}];

impl Layout {
    /// Of a version as `Py_Version` has it; None for one that is not known.
    pub(super) fn of(version: u64) -> Option<&'static Self> {
        let version = ((version >> 24) as u8, (version >> 16) as u8);
        LAYOUTS.iter().find(|layout| layout.version == version)
    }

    /// For the kernel side, with the address of `_PyRuntime`.
    pub(super) const fn with_runtime(&self, runtime: u64) -> abi::Python {
        abi::Python { runtime, ..self.walk }
    }
}

/// Executables of Python where distributions and users put them.
pub(super) fn installed() -> Vec<PathBuf> {
    const FOLDERS: [&str; 2] = ["/usr/bin", "/usr/local/bin"];
    let entries = FOLDERS.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    let named = entries.filter(|entry| is_versioned(&entry.file_name().to_string_lossy()));
    named.map(|entry| entry.path()).filter(|path| path.is_file()).collect()
}

/// `python3.11`, but not `python3` or `python3.11-config`.
fn is_versioned(name: &str) -> bool {
    let minor = name.strip_prefix("python3.");
    minor.is_some_and(|minor| !minor.is_empty() && minor.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Processes that have something of Python's mapped.
pub(super) fn running() -> Vec<ProcessId> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_python = |pid: &u32| {
        let mappings = maps::read(*pid).unwrap_or_default();
        mappings.iter().any(|mapping| {
            let name = mapping.path.rsplit('/').next().unwrap_or_default();
            name.starts_with("python3") || name.starts_with("libpython3")
        })
    };
    // Nobody else asks for these, so the count of its execs does not matter.
    let id = |pid| Some(ProcessId { pid, start: proc::start(pid)?, exec_id: 0 });
    pids.filter(is_python).filter_map(id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpreters_are_told_from_what_is_called_alike() {
        for (name, expected) in
            [("python3.11", true), ("python3", false), ("python3.11-config", false), ("python3.", false)]
        {
            assert_eq!(is_versioned(name), expected, "{name}");
        }
    }

    #[test]
    fn versions_are_those_of_the_headers() {
        assert!(Layout::of(0x030b_02f0).is_some_and(|layout| layout.version == (3, 11)));
        assert_eq!(Layout::of(0x0309_00f0), None);
        assert_eq!(Layout::of(0), None);
    }
}
