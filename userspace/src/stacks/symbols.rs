//! Names, source files and lines of instructions.

use std::sync::Arc;

use blazesym::symbolize::{
    CodeInfo, Input, Sym, Symbolizer,
    source::{Elf, Source},
};

use super::file::ElfFile;
use crate::event::Frame;

/// Names instructions.
pub(super) struct Symbols(Symbolizer);

impl Default for Symbols {
    fn default() -> Self {
        // The files are copies, which do not change.
        Self(Symbolizer::builder().enable_auto_reload(false).build())
    }
}

impl Symbols {
    /// The functions at an offset in a file, the innermost first: several if the compiler put them into each other. At least
    /// one, with or without a name.
    pub(super) fn name(&self, file: &ElfFile, offset: u64) -> Vec<Frame> {
        let nameless = Frame {
            module: Some(Arc::clone(&file.path)),
            build_id: file.build_id.clone(),
            offset: Some(offset),
            ..Frame::default()
        };
        let source = Source::from(Elf::new(file.open_path()));
        let named = self.0.symbolize_single(&source, Input::FileOffset(offset));
        match named.as_ref().ok().and_then(|named| named.as_sym()) {
            Some(symbol) => frames(symbol, &nameless),
            None => vec![nameless],
        }
    }
}

/// A function and those that were put into it. Debug information has, for each, where control is in it.
fn frames(symbol: &Sym<'_>, nameless: &Frame) -> Vec<Frame> {
    let own = (&symbol.name, symbol.code_info.as_deref());
    let inlined = symbol.inlined.iter().map(|inlined| (&inlined.name, inlined.code_info.as_ref()));
    let mut frames: Vec<Frame> = std::iter::once(own)
        .chain(inlined)
        .map(|(name, code)| Frame {
            function: Some(Arc::from(name.as_ref())),
            file: code.map(source_file),
            line: code.and_then(|code| code.line),
            offset: nameless.offset.filter(|_| code.is_none_or(|code| code.line.is_none())),
            inlined: true,
            ..nameless.clone()
        })
        .collect();
    if let Some(outermost) = frames.first_mut() {
        outermost.inlined = false;
    }
    frames.reverse();
    frames
}

fn source_file(code: &CodeInfo<'_>) -> Arc<str> {
    code.to_path().to_string_lossy().into()
}
