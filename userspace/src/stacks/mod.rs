//! Stacks as bytes become lists of functions: unwound by the programs' own tables, named by their symbols. Looks at other
//! processes' memory maps and opens their files, so this is part of the source: what comes out goes into the recording.
//!
//! What is in those files and in the memory of those processes is read by a [process of its own](worker).

mod file;
mod maps;
mod message;
mod plain;
mod process;
mod python;
mod space;
mod suspects;
pub mod worker;

use std::{
    fs::{self, File},
    io,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use lru::LruCache;
use rustc_hash::FxBuildHasher;
use sockleak_abi as abi;
use sockleak_core::event::{Frame, ProcessId, RawStack, Stack};

use crate::proc;
use file::{Files, Identity};
use maps::Mapping;
use message::{Ask, FileFacts, Name, Python, Registers, Script, Told};
use process::Process;
use python::Layout;
use space::{Interpreters, Space};
use suspects::Suspect;

/// Processes whose memory maps are remembered.
const PROCESSES: NonZeroUsize = NonZeroUsize::new(256).unwrap();
/// Stacks whose functions are remembered.
const KNOWN: NonZeroUsize = NonZeroUsize::new(4096).unwrap();
/// What cannot be read, as far as it is remembered.
const SUSPECTS: NonZeroUsize = NonZeroUsize::new(1024).unwrap();
/// What is known is thrown away when there is no room for another file, but not more often than this: where what is needed at a
/// time does not fit, the rest stays without names.
const RENEWED: Duration = Duration::from_mins(10);
/// Functions of a stack that are kept.
const DEEPEST: usize = 64;
/// Files of a process that are opened before the first one is read.
const AHEAD: usize = 64;
/// Time that a stack may take.
const PER_STACK: Duration = Duration::from_secs(5);
/// How often a stack is begun again because the process had gone.
const ATTEMPTS: usize = 4;

/// Where a function's instruction lies: number of the file, and the offset in it. Without a file, the address.
type Place = (Option<usize>, u64);

/// An interpreter's file, and the functions of the script that it runs.
type ScriptStack = (Arc<str>, Vec<Frame>);

/// Why an attempt came to nothing.
enum Failed {
    /// The other process had gone; what was known of it is forgotten.
    Again,
    /// Nothing can be read, for this reason.
    Off(Arc<str>),
}

/// Unwinds stacks and names their functions.
pub struct Resolver {
    process: Option<Process>,
    /// Why there is none.
    missing: Arc<str>,
    state: State,
    /// How often each ended the process, and why it is not read.
    suspects: LruCache<Suspect, (u8, Arc<str>), FxBuildHasher>,
    /// Found since they were asked for last.
    interpreters: Interpreters,
    room: u64,
}

/// What is known of files, in step with what the other process has.
struct State {
    spaces: LruCache<ProcessId, Space, FxBuildHasher>,
    files: Files,
    known: LruCache<Vec<Place>, Arc<[Frame]>, FxBuildHasher>,
    next_space: u64,
    /// A file found no room.
    is_full: bool,
    begun: Instant,
}

impl Default for State {
    fn default() -> Self {
        Self {
            spaces: LruCache::with_hasher(PROCESSES, FxBuildHasher),
            files: Files::default(),
            known: LruCache::with_hasher(KNOWN, FxBuildHasher),
            next_space: 0,
            is_full: false,
            begun: Instant::now(),
        }
    }
}

impl std::fmt::Debug for Resolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resolver").field("files", &self.state.files).finish_non_exhaustive()
    }
}

impl Resolver {
    /// Knows nothing yet, and reads nothing until it is [prepared](Self::prepare). Files of other programs take so many bytes of
    /// memory at most.
    #[must_use]
    pub fn new(room: u64) -> Self {
        Self {
            process: None,
            missing: "no process was made ready to read it".into(),
            state: State::default(),
            suspects: LruCache::with_hasher(SUSPECTS, FxBuildHasher),
            interpreters: Interpreters::new(),
            room,
        }
    }

    /// Gets ready to start the process that reads files: `program` is sockleak itself, as a rule `/proc/self/exe`. To be called
    /// while the privileges to change the user are there; a thread keeps them.
    ///
    /// # Errors
    /// If that cannot be: then functions have no names.
    pub fn prepare(&mut self, program: PathBuf) -> io::Result<()> {
        let process = Process::new(program, self.room);
        self.process = Some(process.inspect_err(|error| self.missing = error.to_string().into())?);
        Ok(())
    }

    /// Names the functions of a stack; None if the process was gone before its memory map could be read.
    pub fn resolve(&mut self, raw: &RawStack) -> Option<Stack> {
        if self.state.is_full && self.state.begun.elapsed() >= RENEWED {
            self.forget();
        }
        let deadline = Instant::now() + PER_STACK;
        let mut reason = Arc::clone(&self.missing);
        for _ in 0..ATTEMPTS {
            match self.attempt(raw, deadline) {
                Ok(frames) => return frames.map(|frames| Stack { connection: raw.connection, frames }),
                Err(Failed::Again) => reason = "the process that reads programs ended".into(),
                Err(Failed::Off(why)) => {
                    reason = why;
                    break;
                }
            }
        }
        let frames = plain::frames(raw, &reason)?;
        Some(Stack { connection: raw.connection, frames })
    }

    fn attempt(&mut self, raw: &RawStack, deadline: Instant) -> Result<Option<Arc<[Frame]>>, Failed> {
        let mut is_fresh = false;
        if !self.state.spaces.contains(&raw.process) {
            is_fresh = true;
            if self.read(raw.process, deadline)?.is_none() {
                return Ok(None);
            }
        }
        // First what is read in its memory: it may end at any moment, and the rest needs it no more.
        let mut script = self.script(raw, deadline)?;
        let mut places = self.places(raw, deadline)?;
        // It may have loaded a library since.
        let is_lost = |places: &[Place]| places.iter().any(|(file, _)| file.is_none());
        if !is_fresh && is_lost(&places) && self.read(raw.process, deadline)?.is_some() {
            places = self.places(raw, deadline)?;
            if script.is_none() {
                script = self.script(raw, deadline)?;
            }
        }
        let frames = self.frames(places, deadline)?;
        let Some((module, script)) = script else { return Ok(Some(frames)) };
        let called = frames.iter().take_while(|frame| frame.module.as_ref() != Some(&module));
        Ok(Some(called.cloned().chain(script).take(DEEPEST).collect()))
    }

    fn frames(&mut self, places: Vec<Place>, deadline: Instant) -> Result<Arc<[Frame]>, Failed> {
        if let Some(frames) = self.state.known.get(&places) {
            return Ok(Arc::clone(frames));
        }
        let mut frames = Vec::new();
        for &place in &places {
            frames.extend(self.name(place, deadline)?);
        }
        frames.truncate(DEEPEST);
        let frames: Arc<[Frame]> = frames.into();
        self.state.known.put(places, Arc::clone(&frames));
        Ok(frames)
    }

    fn name(&mut self, (file, offset): Place, deadline: Instant) -> Result<Vec<Frame>, Failed> {
        let nameless = Frame { offset: Some(offset), ..Frame::default() };
        let Some((number, known)) = file.and_then(|file| Some((file, self.state.files.get(file)?))) else {
            return Ok(vec![nameless]);
        };
        let module = Some(Arc::clone(&known.path));
        let facts = match (&known.facts, known.identity) {
            (Ok(facts), Some(identity)) => (facts.build_id.as_deref().map(Arc::from), identity),
            (Err(why), _) => return Ok(vec![Frame { module, unnamed: Some(Arc::clone(why)), ..nameless }]),
            (Ok(_), None) => return Ok(vec![Frame { module, ..nameless }]),
        };
        let nameless = Frame { module, build_id: facts.0, ..nameless };
        let ask = Ask::Name(message::Place { file: number as u64, offset });
        let told = self.ask(Suspect::File(facts.1), ask, None, deadline)?;
        Ok(match told {
            Told::Names(named) if !named.names.is_empty() => {
                named.names.into_iter().map(|name| named_frame(name, &nameless)).collect()
            }
            _ => vec![nameless],
        })
    }

    /// Of a script: its interpreter's file, and its own functions, which take the place of the interpreter's. None if there are
    /// none, or none that can be read.
    fn script(&mut self, raw: &RawStack, deadline: Instant) -> Result<Option<ScriptStack>, Failed> {
        let Some(space) = self.state.spaces.get(&raw.process) else { return Ok(None) };
        let Some((module, python)) = space.python.clone().filter(|_| !raw.script.is_empty()) else {
            return Ok(None);
        };
        // Opened here, where the rights are. To read it may wait: a page may be any file's.
        let Ok(memory) = File::open(proc::folder(raw.process.pid).join("mem")) else { return Ok(None) };
        let addresses = raw.script.iter().flatten().copied().collect();
        let ask = Ask::Script(Script { space: space.number, version: python.version, addresses });
        let told = self.ask(Suspect::Process(raw.process), ask, Some(&memory), deadline)?;
        let Told::Names(named) = told else { return Ok(None) };
        if named.names.is_empty() {
            return Ok(None);
        }
        let own = Frame { module: Some(Arc::clone(&module)), ..Frame::default() };
        let script = named.names.into_iter().map(|name| named_frame(name, &own)).collect();
        Ok(Some((module, script)))
    }

    /// Looks for Python interpreters among the running processes and where they are installed, so that the first connect of a
    /// script is told too.
    pub fn look_around(&mut self) {
        for path in python::installed() {
            let Ok((file, identity)) = file::open_regular(&path) else { continue };
            let mapping =
                Mapping { range: 0..0, offset: 0, inode: identity.1, path: path.to_string_lossy().into() };
            let number = self.enter(&mapping, &file, identity, Instant::now() + PER_STACK);
            let known = number.ok().flatten().and_then(|number| self.state.files.get(number));
            let python = known.and_then(|known| known.facts.as_ref().ok()?.python);
            self.interpreters.extend(python.and_then(|python| interpreter(python, identity.1, None)));
        }
        for process in python::running() {
            // One that is gone needs nothing.
            let _ = self.read(process, Instant::now() + PER_STACK);
        }
    }

    /// What the kernel side has to know of the Python interpreters that were found since this was asked last.
    pub fn take_interpreters(&mut self) -> Vec<(u64, abi::Python)> {
        std::mem::take(&mut self.interpreters)
    }

    /// Reads where a process has what; None if it is gone.
    fn read(&mut self, process: ProcessId, deadline: Instant) -> Result<Option<()>, Failed> {
        let ProcessId { pid, start, .. } = process;
        if let Some(why) = self.barred(Suspect::Process(process)) {
            return Err(Failed::Off(why));
        }
        let Some(mappings) = maps::read(pid) else { return Ok(None) };
        let executable = fs::read_link(proc::folder(pid).join("exe")).unwrap_or_default();
        // The number may have changed hands before.
        if !proc::is_same(pid, start) {
            return Ok(None);
        }
        let open = |mapping: &Mapping| file::open(pid, mapping, Path::new(&*mapping.path) == executable);
        // To read a file takes long, and the process may end meanwhile: it opens them for us no more then.
        let ahead: Vec<_> = mappings.iter().take(AHEAD).map(open).collect();
        let mut ahead = ahead.into_iter();
        let mut opened = Vec::with_capacity(mappings.len());
        for mapping in mappings {
            let file =
                match ahead.next().unwrap_or_else(|| open(&mapping)) {
                    Ok((file, identity)) => self.enter(&mapping, &file, identity, deadline)?,
                    Err(_) => self.state.files.find_closed(&mapping).or_else(|| {
                        self.state.files.insert(&mapping, None, Err("it cannot be opened".into()))
                    }),
                };
            opened.push((mapping, file));
        }
        let executable = opened.iter().find(|(mapping, _)| Path::new(&*mapping.path) == executable);
        let executable = executable.and_then(|(_, file)| *file);
        self.state.next_space += 1;
        let mut space = Space::new(self.state.next_space, opened);
        let ask = Ask::Space(space.modules(&self.state.files));
        let told = self.ask(Suspect::Process(process), ask, None, deadline)?;
        let Told::Space(pythons) = told else { return Ok(None) };
        for found in pythons.found.iter().take(DEEPEST) {
            let Some(known) = self.state.files.get(found.file as usize) else { continue };
            let (Ok(FileFacts { python: Some(python), .. }), Some(identity)) = (&known.facts, known.identity)
            else {
                continue;
            };
            space.python = Some((Arc::clone(&known.path), *python));
            let library = (executable != Some(found.file as usize)).then_some((pid, found.bias));
            self.interpreters.extend(interpreter(*python, identity.1, library));
        }
        self.state.spaces.put(process, space);
        Ok(Some(()))
    }

    /// The number of a file, which is read if it is new; None if there is no room for it.
    fn enter(
        &mut self,
        mapping: &Mapping,
        file: &File,
        identity: Identity,
        deadline: Instant,
    ) -> Result<Option<usize>, Failed> {
        if let Some(known) = self.state.files.find(&identity) {
            return Ok(Some(known));
        }
        let Some(number) = self.state.files.next() else {
            self.state.is_full = true;
            return Ok(None);
        };
        let facts = if let Some(why) = self.barred(Suspect::File(identity)) {
            Err(why)
        } else if self.state.files.has_room() {
            let ask = Ask::File(message::Number { number: number as u64 });
            match self.ask(Suspect::File(identity), ask, Some(file), deadline)? {
                Told::File(facts) => Ok(facts),
                Told::Refused(why) => Err(clipped(&why)),
                _ => self.full(),
            }
        } else {
            self.full()
        };
        Ok(self.state.files.insert(mapping, Some(identity), facts))
    }

    fn full<T>(&mut self) -> Result<T, Arc<str>> {
        self.state.is_full = true;
        Err("there is no room for it among the files that are read".into())
    }

    /// The instructions that a stack leads through, the innermost first.
    fn places(&mut self, raw: &RawStack, deadline: Instant) -> Result<Vec<Place>, Failed> {
        let number = self.state.spaces.get(&raw.process).map_or(0, |space| space.number);
        let RawStack { ip, sp, bp, link, base, .. } = *raw;
        let bytes = raw.bytes.to_vec();
        let ask = Ask::Unwind(Registers { space: number, ip, sp, bp, link, base, bytes });
        let told = self.ask(Suspect::Process(raw.process), ask, None, deadline)?;
        let Told::Places(found) = told else {
            // The other process has forgotten where this one has what.
            self.state.spaces.pop(&raw.process);
            return Err(Failed::Again);
        };
        let Some(space) = self.state.spaces.peek(&raw.process) else { return Ok(Vec::new()) };
        Ok(found.addresses.iter().take(DEEPEST).map(|&address| space.place(address)).collect())
    }
}

/// What the kernel side has to know of an interpreter, and under which key: of an executable for all its processes, of a library
/// for the process that has it at that bias.
fn interpreter(python: Python, inode: u64, library: Option<(u32, u64)>) -> Option<(u64, abi::Python)> {
    let layout = Layout::of(python.version)?;
    Some(match library {
        None => (inode, layout.with_runtime(python.from_code)),
        Some((pid, bias)) => {
            (abi::interpreter_process(pid), layout.with_runtime(python.runtime.wrapping_add(bias)))
        }
    })
}

fn named_frame(name: Name, nameless: &Frame) -> Frame {
    Frame {
        function: Some(name.function.into()),
        file: name.file.map(Into::into),
        line: name.line,
        offset: nameless.offset.filter(|_| name.line.is_none()),
        inlined: name.inlined,
        ..nameless.clone()
    }
}

/// A reason as the other process has it, which could say anything.
fn clipped(why: &str) -> Arc<str> {
    const LONGEST: usize = 200;
    why.chars().take(LONGEST).collect::<String>().into()
}
