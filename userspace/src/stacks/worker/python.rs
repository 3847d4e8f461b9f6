//! Functions that a Python interpreter runs: named from the code objects in its memory.

use std::{fs::File, os::unix::fs::FileExt as _, sync::Arc};

use rustc_hash::FxHashMap;

use super::{clipped, fitting, lines};
use crate::stacks::{
    message::{Name, Script, Told},
    python::Layout,
};

/// A function.
#[derive(Debug)]
struct Code {
    name: String,
    file: String,
    first_line: u32,
    line_table: Box<[u8]>,
    instructions: u64,
}

/// Functions that are remembered, and the bytes that they may take. Beyond, all are read anew.
const KNOWN: usize = 4096;
const MOST_BYTES: usize = 16 << 20;

/// Names what interpreters run.
#[derive(Debug, Default)]
pub(super) struct Scripts {
    /// By address space and address.
    known: FxHashMap<(u64, u64), Option<Arc<Code>>>,
    bytes: usize,
}

impl Scripts {
    /// The functions of a stack, the innermost first. What cannot be read is left out: the interpreter has frames of its own
    /// without code. None if the version is not known.
    pub(super) fn name(&mut self, script: &Script, memory: &File) -> Option<Told> {
        let layout = Layout::of(script.version)?;
        let named = script.addresses.as_chunks::<2>().0.iter().filter_map(|&[address, instruction]| {
            let code = self.code(layout, (script.space, address), memory)?;
            let offset = instruction.checked_sub(code.instructions)?;
            Some(Name {
                function: code.name.clone(),
                file: Some(code.file.clone()),
                line: lines::line(&code.line_table, code.first_line, offset / 2),
                inlined: false,
            })
        });
        Some(Told::Names(fitting(named.collect())))
    }

    fn code(&mut self, layout: &Layout, key: (u64, u64), memory: &File) -> Option<Arc<Code>> {
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        if self.known.len() >= KNOWN || self.bytes > MOST_BYTES {
            (self.known, self.bytes) = (FxHashMap::default(), 0);
        }
        let code = read_code(memory, layout, key.1).map(Arc::new);
        let bytes = code.as_ref().map_or(0, |code| code.name.len() + code.file.len() + code.line_table.len());
        self.bytes = self.bytes.saturating_add(bytes);
        self.known.insert(key, code.clone());
        code
    }
}

fn read_code(memory: &File, layout: &Layout, address: u64) -> Option<Code> {
    let at = |offset| word(memory, address.checked_add(offset)?);
    let line_table = at(layout.line_table)?;
    Some(Code {
        name: clipped(&text(memory, layout, at(layout.name)?)?),
        file: clipped(&text(memory, layout, at(layout.file)?)?),
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
