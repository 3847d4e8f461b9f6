//! A process's address space, as far as stacks lead through it.

use std::sync::Arc;

use sockleak_abi as abi;

use super::{
    Place,
    file::Files,
    maps::Mapping,
    message::{Module, Modules, Python},
};

/// Python interpreters for the kernel side, each with its key.
pub(super) type Interpreters = Vec<(u64, abi::Python)>;

/// Where a process has which code.
pub(super) struct Space {
    /// By which the other process knows it.
    pub(super) number: u64,
    /// In the order of their addresses, each with the number of its file.
    mappings: Vec<(Mapping, Option<usize>)>,
    /// The path and the version of its Python interpreter.
    pub(super) python: Option<(Arc<str>, Python)>,
}

impl Space {
    pub(super) fn new(number: u64, mut mappings: Vec<(Mapping, Option<usize>)>) -> Self {
        mappings.sort_by_key(|(mapping, _)| mapping.range.start);
        Self { number, mappings, python: None }
    }

    /// What the other process has to know of it: files that are read.
    pub(super) fn modules(&self, files: &Files) -> Modules {
        let is_read = |file: &usize| files.get(*file).is_some_and(|known| known.facts.is_ok());
        let modules = self.mappings.iter().filter_map(|(mapping, file)| {
            let file = file.filter(is_read)? as u64;
            let (start, end) = (mapping.range.start, mapping.range.end);
            Some(Module { start, end, offset: mapping.offset, file })
        });
        Modules { space: self.number, modules: modules.collect() }
    }

    /// Which place in which file is at an address.
    pub(super) fn place(&self, address: u64) -> Place {
        let after = self.mappings.partition_point(|(mapping, _)| mapping.range.start <= address);
        let found = after.checked_sub(1).and_then(|index| self.mappings.get(index));
        match found {
            Some((mapping, Some(file))) if mapping.range.contains(&address) => {
                (Some(*file), (address - mapping.range.start).saturating_add(mapping.offset))
            }
            _ => (None, address),
        }
    }
}
