//! Executables and libraries of other processes, copied before they are read: whoever owns one may cut it short at any
//! moment, and reading what is no longer there would end this process.

use std::{fmt::Write as _, fs::File, io, os::fd::AsRawFd as _, path::PathBuf, sync::Arc};

use framehop::ExplicitModuleSectionInfo;
use nix::sys::memfd::{MFdFlags, memfd_create};
use object::{
    Endianness, Object as _, ObjectSection as _, ObjectSegment as _, ObjectSymbol as _, ReadCache, ReadRef,
    elf::{PF_X, PT_LOAD},
    read::elf::{ElfFile64, ProgramHeader as _},
};

use crate::stacks::{
    message::{FileFacts, Python},
    python::Layout,
};

/// A segment that is loaded.
#[derive(Clone, Copy, Debug)]
struct Segment {
    address: u64,
    offset: u64,
    len: u64,
}

/// An executable or a library.
#[derive(Debug)]
pub(super) struct ElfFile {
    /// It has a Python interpreter of a version that is known.
    pub(super) has_python: bool,
    /// Bytes that its tables take besides the copy.
    pub(super) unpacked: u64,
    copy: File,
    segments: Vec<Segment>,
    sections: ExplicitModuleSectionInfo<Arc<[u8]>>,
}

impl ElfFile {
    /// A path under which this process can open it.
    pub(super) fn open_path(&self) -> PathBuf {
        format!("/proc/self/fd/{}", self.copy.as_raw_fd()).into()
    }

    /// What to subtract from an address in a mapping for the address that the file's tables have. The mapping starts there, with
    /// what is at that offset.
    pub(super) fn bias(&self, start: u64, offset: u64) -> Option<u64> {
        let segment = self.segments.iter().find(|segment| {
            (segment.offset & !0xfff..segment.offset.saturating_add(segment.len)).contains(&offset)
        })?;
        let address = segment.address.wrapping_sub(segment.offset).wrapping_add(offset);
        Some(start.wrapping_sub(address))
    }

    /// What unwinding needs.
    pub(super) fn sections(&self) -> ExplicitModuleSectionInfo<Arc<[u8]>> {
        self.sections.clone()
    }
}

/// A copy in memory that nobody else can change, of so many bytes at most.
pub(super) fn copy(mut file: File, most: u64) -> io::Result<File> {
    let mut copy = File::from(memfd_create("module", MFdFlags::MFD_CLOEXEC)?);
    let copied = io::copy(&mut io::Read::take(&mut file, most), &mut copy)?;
    if copied == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(copy)
}

/// Reads the tables, which may take so many bytes; None if it is no file of this kind, or if they take more.
pub(super) fn parse(copy: File, room: u64) -> Option<(ElfFile, FileFacts)> {
    let cache = ReadCache::new(copy.try_clone().ok()?);
    let elf: ElfFile64<'_, Endianness, _> = ElfFile64::parse(&cache).ok()?;
    let segments = elf
        .segments()
        .map(|segment| {
            let (offset, len) = segment.file_range();
            Segment { address: segment.address(), offset, len }
        })
        .collect();
    let range = |name| {
        let section = elf.section_by_name(name)?;
        Some(section.address()..section.address().checked_add(section.size())?)
    };
    let mut unpacked = 0_u64;
    let mut data = |name| -> Option<Arc<[u8]>> {
        let section = elf.section_by_name(name)?.compressed_data().ok()?;
        // What a compressed section says of its size may be anything.
        let next = unpacked.checked_add(section.uncompressed_size).filter(|&next| next <= room)?;
        let bytes = section.decompress().ok()?;
        unpacked = next;
        Some(bytes.into())
    };
    let sections = ExplicitModuleSectionInfo {
        base_svma: 0,
        text_svma: range(".text"),
        eh_frame_svma: range(".eh_frame"),
        eh_frame: data(".eh_frame"),
        eh_frame_hdr_svma: range(".eh_frame_hdr"),
        eh_frame_hdr: data(".eh_frame_hdr"),
        debug_frame: data(".debug_frame"),
        got_svma: range(".got"),
        ..ExplicitModuleSectionInfo::default()
    };
    let build_id = elf.build_id().ok().flatten().map(hexadecimal);
    let python = interpreter(&elf);
    let file = ElfFile { has_python: python.is_some(), unpacked, copy, segments, sections };
    Some((file, FileFacts { build_id, python }))
}

/// The Python interpreter in a file, if there is one of a version that is known.
fn interpreter<'data, R: ReadRef<'data>>(elf: &ElfFile64<'data, Endianness, R>) -> Option<Python> {
    let address = |name: &str| {
        let symbol = elf.dynamic_symbols().find(|symbol| symbol.name() == Ok(name))?;
        (symbol.address() != 0).then(|| symbol.address())
    };
    let (runtime, version) = (address("_PyRuntime")?, address("Py_Version")?);
    let version = elf.sections().find_map(|section| section.data_range(version, 8).ok().flatten())?;
    let version = u64::from_le_bytes(version.try_into().ok()?);
    Layout::of(version)?;
    let endian = elf.endian();
    let code = elf
        .elf_program_headers()
        .iter()
        .filter(|header| header.p_type(endian) == PT_LOAD && header.p_flags(endian) & PF_X == PF_X);
    let code = code.map(|header| header.p_vaddr(endian)).min()?;
    Some(Python { version, runtime, from_code: runtime.wrapping_sub(code) })
}

/// A build id is short; one that is not is cut.
fn hexadecimal(bytes: &[u8]) -> String {
    const LONGEST: usize = 64;
    bytes.iter().take(LONGEST).fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
