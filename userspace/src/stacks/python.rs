//! Functions that a Python interpreter runs: named from the code objects in its memory.

use std::{
    fs::{self, File},
    num::NonZeroUsize,
    os::unix::fs::FileExt as _,
    path::PathBuf,
    sync::Arc,
};

use lru::LruCache;
use probe_ebpf::abi;
use rustc_hash::FxBuildHasher;

use super::{lines, maps};
use crate::{
    event::{Frame, ProcessId},
    proc,
};

/// Where a version of `CPython` keeps things. From its headers, and compared with a running interpreter.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Layout {
    version: (u8, u8),
    /// For the kernel side, which needs an address too.
    walk: abi::Python,
    /// Members of `PyCodeObject`.
    file: u64,
    name: u64,
    first_line: u64,
    line_table: u64,
    instructions: u64,
    /// Where a `str` of ASCII has its text, and any other one.
    ascii: u64,
    compact: u64,
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

/// A function.
#[derive(Debug)]
struct Code {
    name: Arc<str>,
    file: Arc<str>,
    first_line: u32,
    line_table: Box<[u8]>,
    instructions: u64,
}

/// Functions that are remembered.
const KNOWN: NonZeroUsize = NonZeroUsize::new(4096).unwrap();

/// Names what interpreters run.
#[derive(Debug)]
pub(super) struct Scripts {
    known: LruCache<(ProcessId, u64), Option<Arc<Code>>, FxBuildHasher>,
}

impl Default for Scripts {
    fn default() -> Self {
        Self { known: LruCache::with_hasher(KNOWN, FxBuildHasher) }
    }
}

impl Scripts {
    /// The functions of a stack, the innermost first. What cannot be read is left out: the interpreter has frames of its own
    /// without code.
    pub(super) fn name(
        &mut self,
        layout: &Layout,
        module: &Arc<str>,
        process: ProcessId,
        script: &[[u64; 2]],
    ) -> Vec<Frame> {
        let mut memory = None;
        let mut code = |address| {
            let memory = memory.get_or_insert_with(|| File::open(format!("/proc/{}/mem", process.pid)).ok());
            read_code(memory.as_ref()?, layout, address).map(Arc::new)
        };
        let named = script.iter().filter_map(|&[address, instruction]| {
            let known = self.known.get_or_insert((process, address), || code(address));
            let code = known.as_deref()?;
            let offset = instruction.checked_sub(code.instructions)?;
            Some(Frame {
                function: Some(Arc::clone(&code.name)),
                file: Some(Arc::clone(&code.file)),
                line: lines::line(&code.line_table, code.first_line, offset / 2),
                module: Some(Arc::clone(module)),
                ..Frame::default()
            })
        });
        named.collect()
    }
}

fn read_code(memory: &File, layout: &Layout, address: u64) -> Option<Code> {
    let at = |offset| word(memory, address.checked_add(offset)?);
    let line_table = at(layout.line_table)?;
    Some(Code {
        name: text(memory, layout, at(layout.name)?)?.into(),
        file: text(memory, layout, at(layout.file)?)?.into(),
        first_line: at(layout.first_line)? as u32,
        line_table: bytes(memory, line_table)?,
        instructions: address.checked_add(layout.instructions)?,
    })
}

fn word(memory: &File, address: u64) -> Option<u64> {
    let mut bytes = [0; 8];
    memory.read_exact_at(&mut bytes, address).ok()?;
    Some(u64::from_ne_bytes(bytes))
}

/// Of anything that has a length, that is at this offset.
const LENGTH: u64 = 16;

/// A `bytes` object.
fn bytes(memory: &File, address: u64) -> Option<Box<[u8]>> {
    /// Where its bytes are.
    const DATA: u64 = 32;
    const LONGEST: u64 = 1 << 20;
    let len = word(memory, address.checked_add(LENGTH)?)?;
    read(memory, address.checked_add(DATA)?, len, LONGEST)
}

fn read(memory: &File, address: u64, len: u64, longest: u64) -> Option<Box<[u8]>> {
    if len > longest {
        return None;
    }
    let mut bytes = vec![0; usize::try_from(len).ok()?];
    memory.read_exact_at(&mut bytes, address).ok()?;
    Some(bytes.into())
}

/// A `str` object, whose characters take 1, 2 or 4 bytes each.
fn text(memory: &File, layout: &Layout, address: u64) -> Option<String> {
    /// Where its kind is.
    const STATE: u64 = 32;
    const LONGEST: u64 = 4096;
    let len = word(memory, address.checked_add(LENGTH)?)?.min(LONGEST);
    let state = word(memory, address.checked_add(STATE)?)?;
    let (size, is_compact, is_ascii) = (state >> 2 & 7, state >> 5 & 1 == 1, state >> 6 & 1 == 1);
    if !is_compact || !matches!(size, 1 | 2 | 4) {
        return None;
    }
    let data = address.checked_add(if is_ascii { layout.ascii } else { layout.compact })?;
    let bytes = read(memory, data, len.checked_mul(size)?, 4 * LONGEST)?;
    let characters = bytes.chunks_exact(size as usize).map(|bytes| {
        let mut word = [0; 4];
        word[..bytes.len()].copy_from_slice(bytes);
        char::from_u32(u32::from_le_bytes(word)).unwrap_or(char::REPLACEMENT_CHARACTER)
    });
    Some(characters.collect())
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
