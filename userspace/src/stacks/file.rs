//! Executables and libraries of other processes, copied before they are read: whoever owns one may cut it short at any
//! moment, and reading what is no longer there would end this process.

use std::{
    fmt::Write as _,
    fs::{self, File, OpenOptions},
    io,
    os::{
        fd::AsRawFd as _,
        unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    },
    path::{Path, PathBuf},
    sync::Arc,
};

use framehop::ExplicitModuleSectionInfo;
use nix::sys::memfd::{MFdFlags, memfd_create};
use object::{
    Endianness, Object as _, ObjectSection as _, ObjectSegment as _, ObjectSymbol as _, ReadCache, ReadRef,
    elf::{PF_X, PT_LOAD},
    read::elf::{ElfFile64, ProgramHeader as _},
};
use probe_ebpf::abi;
use rustc_hash::FxHashMap;

use super::{maps::Mapping, python::Layout};

/// Files that are kept.
const MOST: usize = 256;

/// A segment that is loaded.
#[derive(Clone, Copy, Debug)]
struct Segment {
    address: u64,
    offset: u64,
    len: u64,
}

/// A Python interpreter in a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interpreter {
    pub(super) layout: &'static Layout,
    /// Address of `_PyRuntime` by the file's tables.
    runtime: u64,
    /// And from where the code begins.
    from_code: u64,
}

/// An executable or a library.
#[derive(Debug)]
pub(super) struct ElfFile {
    /// Its path, as its process has it.
    pub(super) path: Arc<str>,
    /// Build id in hexadecimal.
    pub(super) build_id: Option<Arc<str>>,
    /// If it has a Python interpreter that is known: where.
    pub(super) python: Option<Interpreter>,
    inode: u64,
    copy: File,
    segments: Vec<Segment>,
    sections: ExplicitModuleSectionInfo<Arc<[u8]>>,
}

impl ElfFile {
    /// A path under which this process can open it.
    pub(super) fn open_path(&self) -> PathBuf {
        format!("/proc/self/fd/{}", self.copy.as_raw_fd()).into()
    }

    /// What to subtract from an address in a mapping for the address that the file's tables have.
    pub(super) fn bias(&self, mapping: &Mapping) -> Option<u64> {
        let segment = self.segments.iter().find(|segment| {
            (segment.offset & !0xfff..segment.offset.saturating_add(segment.len)).contains(&mapping.offset)
        })?;
        let address = segment.address.wrapping_sub(segment.offset).wrapping_add(mapping.offset);
        Some(mapping.range.start.wrapping_sub(address))
    }

    /// What the kernel side has to know of the interpreter in it, under which key: of an executable for all its processes, of a
    /// library for the one that has it at `bias`.
    pub(super) fn interpreter(&self, pid: u32, bias: u64, is_executable: bool) -> Option<(u64, abi::Python)> {
        let Interpreter { layout, runtime, from_code } = self.python?;
        Some(if is_executable {
            (self.inode, layout.with_runtime(from_code))
        } else {
            (abi::interpreter_process(pid), layout.with_runtime(runtime.wrapping_add(bias)))
        })
    }

    /// What unwinding needs.
    pub(super) fn sections(&self) -> ExplicitModuleSectionInfo<Arc<[u8]>> {
        self.sections.clone()
    }
}

/// All of them, by number.
#[derive(Debug)]
pub(super) struct Files {
    by_identity: FxHashMap<(u64, u64, i64), Option<usize>>,
    files: Vec<ElfFile>,
    /// Bytes that were copied.
    copied: u64,
    /// Bytes that may be: whoever connects chooses what is copied.
    room: u64,
    /// One found no room.
    pub(super) is_full: bool,
}

impl Files {
    /// None yet. All copies together take so many bytes at most; files of more than half of that stay without names.
    pub(super) fn new(room: u64) -> Self {
        Self { by_identity: FxHashMap::default(), files: Vec::new(), copied: 0, room, is_full: false }
    }

    /// The number of a mapping's file; None if it cannot be read, or is not the one that was mapped.
    pub(super) fn open(&mut self, pid: u32, mapping: &Mapping, is_executable: bool) -> Option<usize> {
        let file = open(pid, mapping, is_executable).ok()?;
        let metadata = file.metadata().ok()?;
        let identity = (metadata.dev(), metadata.ino(), metadata.ctime_nsec() ^ metadata.ctime());
        if let Some(&known) = self.by_identity.get(&identity) {
            return known;
        }
        let largest = self.room / 2;
        if metadata.len() > largest {
            return None;
        }
        let copied = self.copied.saturating_add(metadata.len());
        if self.by_identity.len() >= MOST || copied > self.room {
            self.is_full = true;
            return None;
        }
        self.copied = copied;
        let parsed = copy(file, largest).ok().and_then(|copy| parse(&mapping.path, metadata.ino(), copy));
        let number = parsed.map(|parsed| {
            self.files.push(parsed);
            self.files.len() - 1
        });
        self.by_identity.insert(identity, number);
        number
    }

    /// The interpreter in an executable of this machine.
    pub(super) fn installed_interpreter(&mut self, path: &Path) -> Option<(u64, abi::Python)> {
        let file = File::open(path).ok()?;
        let inode = file.metadata().ok()?.ino();
        let parsed = parse(&path.to_string_lossy(), inode, copy(file, self.room / 2).ok()?)?;
        parsed.interpreter(0, 0, true)
    }

    /// A file by its number.
    pub(super) fn get(&self, number: usize) -> Option<&ElfFile> {
        self.files.get(number)
    }
}

/// Opens what a process has mapped. A path is the process's own choice: it must lead to a regular file, and to the one that
/// the mapping is of.
fn open(pid: u32, mapping: &Mapping, is_executable: bool) -> io::Result<File> {
    let path = if is_executable {
        // Leads to the file itself, replaced or not.
        format!("/proc/{pid}/exe")
    } else {
        format!("/proc/{pid}/root{}", mapping.path)
    };
    let is_regular = fs::metadata(&path)?.is_file();
    if !is_regular {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(&path)?;
    let metadata = file.metadata()?;
    // An overlay file system may show another inode in the map.
    let is_mapped = is_executable || metadata.ino() == mapping.inode || is_overlay(&file);
    if metadata.is_file() && is_mapped { Ok(file) } else { Err(io::ErrorKind::InvalidInput.into()) }
}

fn is_overlay(file: &File) -> bool {
    nix::sys::statfs::fstatfs(file)
        .is_ok_and(|info| info.filesystem_type() == nix::sys::statfs::OVERLAYFS_SUPER_MAGIC)
}

/// A copy in memory that nobody else can change, of so many bytes at most.
fn copy(mut file: File, most: u64) -> io::Result<File> {
    let mut copy = File::from(memfd_create("module", MFdFlags::MFD_CLOEXEC)?);
    let copied = io::copy(&mut io::Read::take(&mut file, most), &mut copy)?;
    if copied == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(copy)
}

fn parse(path: &str, inode: u64, copy: File) -> Option<ElfFile> {
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
    let data = |name| Some(elf.section_by_name(name)?.uncompressed_data().ok()?.into());
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
    let build_id = elf.build_id().ok().flatten().map(|bytes| hexadecimal(bytes).into());
    let python = interpreter(&elf);
    let path = path.trim_end_matches(" (deleted)").into();
    Some(ElfFile { path, build_id, python, inode, copy, segments, sections })
}

/// The Python interpreter in a file, if there is one of a version that is known.
fn interpreter<'data, R: ReadRef<'data>>(elf: &ElfFile64<'data, Endianness, R>) -> Option<Interpreter> {
    let address = |name: &str| {
        let symbol = elf.dynamic_symbols().find(|symbol| symbol.name() == Ok(name))?;
        (symbol.address() != 0).then(|| symbol.address())
    };
    let (runtime, version) = (address("_PyRuntime")?, address("Py_Version")?);
    let version = elf.sections().find_map(|section| section.data_range(version, 8).ok().flatten())?;
    let layout = Layout::of(u64::from_le_bytes(version.try_into().ok()?))?;
    let endian = elf.endian();
    let code = elf
        .elf_program_headers()
        .iter()
        .filter(|header| header.p_type(endian) == PT_LOAD && header.p_flags(endian) & PF_X == PF_X);
    let code = code.map(|header| header.p_vaddr(endian)).min()?;
    Some(Interpreter { layout, runtime, from_code: runtime.wrapping_sub(code) })
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
