//! Names, source files and lines of instructions.

use blazesym::symbolize::{
    CodeInfo, Input, Sym, Symbolizer,
    source::{Elf, Source},
};

use super::{clipped, file::ElfFile, fitting};
use crate::stacks::message::{Name, Names};

/// Names instructions.
pub(super) struct Symbols(Symbolizer);

impl Default for Symbols {
    fn default() -> Self {
        // The files are copies, which do not change.
        Self(Symbolizer::builder().enable_auto_reload(false).build())
    }
}

impl Symbols {
    /// The functions at an offset in a file, the innermost first: several if the compiler put them into each other. None if
    /// none is known.
    pub(super) fn name(&self, file: &ElfFile, offset: u64) -> Names {
        let source = Source::from(Elf::new(file.open_path()));
        let named = self.0.symbolize_single(&source, Input::FileOffset(offset));
        named.as_ref().ok().and_then(|named| named.as_sym()).map_or_else(Names::default, names)
    }
}

/// A function and those that were put into it. Debug information has, for each, where control is in it.
fn names(symbol: &Sym<'_>) -> Names {
    let own = (&symbol.name, symbol.code_info.as_deref());
    let inlined = symbol.inlined.iter().map(|inlined| (&inlined.name, inlined.code_info.as_ref()));
    let mut names: Vec<Name> = std::iter::once(own)
        .chain(inlined)
        .map(|(name, code)| Name {
            function: clipped(name),
            file: code.map(source_file),
            line: code.and_then(|code| code.line),
            inlined: true,
        })
        .collect();
    if let Some(outermost) = names.first_mut() {
        outermost.inlined = false;
    }
    names.reverse();
    fitting(names)
}

fn source_file(code: &CodeInfo<'_>) -> String {
    clipped(&code.to_path().to_string_lossy())
}
