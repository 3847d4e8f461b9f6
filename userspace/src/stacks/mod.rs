//! Stacks as bytes become lists of functions: unwound by the programs' own tables, named by their symbols. Reads other
//! processes' memory maps and files, so this is part of the source: what comes out goes into the recording.

mod file;
mod lines;
mod maps;
mod python;
mod space;
mod symbols;

use std::{
    num::NonZeroUsize,
    sync::Arc,
    time::{Duration, Instant},
};

use framehop::{FrameAddress, Unwinder as _, x86_64};
use lru::LruCache;
use rustc_hash::FxBuildHasher;

use crate::event::{Frame, ProcessId, RawStack, Stack};
use file::Files;
use probe_ebpf::abi;
use python::Scripts;
use space::{Interpreters, Space};
use symbols::Symbols;

/// Processes whose memory maps are remembered.
const PROCESSES: NonZeroUsize = NonZeroUsize::new(256).unwrap();
/// Stacks whose functions are remembered.
const KNOWN: NonZeroUsize = NonZeroUsize::new(4096).unwrap();
/// What is known is thrown away when there is no room for another file, but not more often than this: where what is needed at a
/// time does not fit, the rest stays without names.
const RENEWED: Duration = Duration::from_mins(10);
/// Functions of a stack that are kept.
const DEEPEST: usize = 64;

/// Where a function's instruction lies: number of the file, and the offset in it. Without a file, the address.
type Place = (Option<usize>, u64);

/// Unwinds stacks and names their functions.
pub struct Resolver {
    spaces: LruCache<ProcessId, Space, FxBuildHasher>,
    files: Files,
    symbols: Symbols,
    scripts: Scripts,
    /// Found since they were asked for last.
    interpreters: Interpreters,
    rules: x86_64::CacheX86_64,
    known: LruCache<Vec<Place>, Arc<[Frame]>, FxBuildHasher>,
    room: u64,
    begun: Instant,
}

impl Resolver {
    /// Knows nothing yet. Files of other programs take so many bytes of memory at most.
    #[must_use]
    pub fn new(room: u64) -> Self {
        Self {
            spaces: LruCache::with_hasher(PROCESSES, FxBuildHasher),
            files: Files::new(room),
            symbols: Symbols::default(),
            scripts: Scripts::default(),
            interpreters: Interpreters::new(),
            rules: x86_64::CacheX86_64::new(),
            known: LruCache::with_hasher(KNOWN, FxBuildHasher),
            room,
            begun: Instant::now(),
        }
    }
}

impl std::fmt::Debug for Resolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resolver").field("files", &self.files).finish_non_exhaustive()
    }
}

impl Resolver {
    /// Names the functions of a stack; None if the process was gone before its memory map could be read.
    pub fn resolve(&mut self, raw: &RawStack) -> Option<Stack> {
        if self.files.is_full && self.begun.elapsed() >= RENEWED {
            // Numbers of files are in everything else.
            *self = Self { interpreters: std::mem::take(&mut self.interpreters), ..Self::new(self.room) };
        }
        let mut is_fresh = false;
        if !self.spaces.contains(&raw.process) {
            is_fresh = true;
            self.read(raw.process)?;
        }
        let mut places = self.places(raw)?;
        // It may have loaded a library since.
        if !is_fresh && places.iter().any(|(file, _)| file.is_none()) && self.read(raw.process).is_some() {
            places = self.places(raw)?;
        }
        let frames = self.frames(places);
        let frames = self.script(raw, &frames).unwrap_or(frames);
        Some(Stack { connection: raw.connection, frames })
    }

    fn frames(&mut self, places: Vec<Place>) -> Arc<[Frame]> {
        if let Some(frames) = self.known.get(&places) {
            return Arc::clone(frames);
        }
        let frames: Vec<Frame> = places.iter().flat_map(|&place| self.name(place)).take(DEEPEST).collect();
        let frames: Arc<[Frame]> = frames.into();
        self.known.put(places, Arc::clone(&frames));
        frames
    }

    /// Of a script: its functions in place of the interpreter's. None if there are none, or none that can be read.
    fn script(&mut self, raw: &RawStack, frames: &[Frame]) -> Option<Arc<[Frame]>> {
        let file = self.files.get(self.spaces.get(&raw.process)?.python?)?;
        let layout = file.python?.layout;
        let script = self.scripts.name(layout, &file.path, raw.process, &raw.script);
        if script.is_empty() {
            return None;
        }
        let called = frames.iter().take_while(|frame| frame.module.as_ref() != Some(&file.path));
        Some(called.cloned().chain(script).take(DEEPEST).collect())
    }

    /// Looks for Python interpreters among the running processes and where they are installed, so that the first connect of a
    /// script is told too.
    pub fn look_around(&mut self) {
        for path in python::installed() {
            self.interpreters.extend(self.files.installed_interpreter(&path));
        }
        for process in python::running() {
            // One that is gone needs nothing.
            let _ = self.read(process);
        }
    }

    /// What the kernel side has to know of the Python interpreters that were found since this was asked last.
    pub fn take_interpreters(&mut self) -> Vec<(u64, abi::Python)> {
        std::mem::take(&mut self.interpreters)
    }

    fn read(&mut self, process: ProcessId) -> Option<()> {
        let space = Space::read(process, &mut self.files, &mut self.interpreters)?;
        self.spaces.put(process, space);
        Some(())
    }

    /// The instructions that a stack leads through, the innermost first.
    fn places(&mut self, raw: &RawStack) -> Option<Vec<Place>> {
        let space = self.spaces.get(&raw.process)?;
        let mut read = |address| raw.word(address).ok_or(());
        let registers = x86_64::UnwindRegsX86_64::new(raw.ip, raw.sp, raw.bp);
        let mut frames = space.unwinder.iter_frames(raw.ip, registers, &mut self.rules, &mut read);
        let mut places = Vec::new();
        // An error ends what can be told: the stack goes on beyond what was copied, or has no tables.
        while let Ok(Some(frame)) = frames.next() {
            let frame: FrameAddress = frame;
            places.push(space.place(frame.address_for_lookup()));
            if places.len() >= DEEPEST {
                break;
            }
        }
        Some(places)
    }

    fn name(&mut self, (file, offset): Place) -> Vec<Frame> {
        match file.and_then(|file| self.files.get(file)) {
            Some(file) => self.symbols.name(file, offset),
            None => vec![Frame { offset: Some(offset), ..Frame::default() }],
        }
    }
}
