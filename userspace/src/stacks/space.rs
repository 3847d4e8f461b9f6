//! A process's address space, as far as stacks lead through it.

use std::{fs, sync::Arc};

use framehop::{Module, Unwinder as _, x86_64::UnwinderX86_64};
use probe_ebpf::abi;

use super::{
    Place,
    file::Files,
    maps::{self, Mapping},
};
use crate::{event::ProcessId, proc};

/// Python interpreters for the kernel side, each with its key.
pub(super) type Interpreters = Vec<(u64, abi::Python)>;

/// Where a process has which code, and how to unwind it.
pub(super) struct Space {
    pub(super) unwinder: UnwinderX86_64<Arc<[u8]>>,
    /// In the order of their addresses, each with the number of its file.
    mappings: Vec<(Mapping, Option<usize>)>,
    /// The file that has its Python interpreter.
    pub(super) python: Option<usize>,
}

impl Space {
    /// Reads it; None if the process is gone.
    pub(super) fn read(process: ProcessId, files: &mut Files, found: &mut Interpreters) -> Option<Self> {
        let ProcessId { pid, start, .. } = process;
        let mappings = maps::read(pid)?;
        let executable = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
        let executable = executable.to_string_lossy();
        // The number may have changed hands before.
        if !proc::is_same(pid, start) {
            return None;
        }
        let mut unwinder = UnwinderX86_64::new();
        let mut known = Vec::with_capacity(mappings.len());
        let mut python = None;
        for mapping in mappings {
            let is_executable = mapping.path == executable;
            let file = files.open(pid, &mapping, is_executable);
            if let Some(opened) = file.and_then(|file| files.get(file))
                && let Some(bias) = opened.bias(&mapping)
            {
                let name = String::new();
                unwinder.add_module(Module::new(name, mapping.range.clone(), bias, opened.sections()));
                if let Some((key, interpreter)) = opened.interpreter(pid, bias, is_executable) {
                    python = file;
                    found.push((key, interpreter));
                }
            }
            known.push((mapping, file));
        }
        known.sort_by_key(|(mapping, _)| mapping.range.start);
        Some(Self { unwinder, mappings: known, python })
    }

    /// Which place in which file is at an address.
    pub(super) fn place(&self, address: u64) -> Place {
        let after = self.mappings.partition_point(|(mapping, _)| mapping.range.start <= address);
        let found = after.checked_sub(1).and_then(|index| self.mappings.get(index));
        match found {
            Some((mapping, Some(file))) if mapping.range.contains(&address) => {
                (Some(*file), address - mapping.range.start + mapping.offset)
            }
            _ => (None, address),
        }
    }
}
