//! The process that reads other programs' files, and what they have in memory. Whoever made them may have made them to do harm:
//! so it has no privileges, bounded memory, and nothing in it that would be missed.

mod file;
mod lines;
mod native;
mod python;
mod symbols;

use std::{fs::File, io, os::fd::OwnedFd, sync::Arc};

use framehop::{FrameAddress, Unwinder as _};
use lru::LruCache;
use rustc_hash::{FxBuildHasher, FxHashMap};

use super::{
    DEEPEST, PROCESSES,
    message::{self, Answer, Ask, Question, Ready, Told},
};
use file::ElfFile;
use python::Scripts;
use symbols::Symbols;

/// Where a process has which code, and how to unwind it.
type Space = native::Unwinder<Arc<[u8]>>;

/// What the process knows.
struct Worker {
    files: FxHashMap<u64, ElfFile>,
    /// Bytes that files take here.
    taken: u64,
    /// Bytes that they may.
    room: u64,
    spaces: LruCache<u64, Space, FxBuildHasher>,
    rules: native::Cache,
    symbols: Symbols,
    scripts: Scripts,
}

/// Answers until the tracer goes. Files take `room` bytes of memory at most.
///
/// # Errors
/// If the link fails.
pub fn serve(link: &OwnedFd, room: u64) -> io::Result<()> {
    let mut worker = Worker {
        files: FxHashMap::default(),
        taken: 0,
        room,
        spaces: LruCache::with_hasher(PROCESSES, FxBuildHasher),
        rules: native::Cache::new(),
        symbols: Symbols::default(),
        scripts: Scripts::default(),
    };
    let mut answer = Answer { told: Some(Told::Ready(Ready {})), is_heavy: false };
    loop {
        message::send(link, &answer, None::<&OwnedFd>)?;
        let Some((question, descriptor)) = message::receive::<Question>(link, None)? else { return Ok(()) };
        let told = worker.answer(question, descriptor);
        answer = Answer { told: Some(told), is_heavy: own_memory() > room };
    }
}

impl Worker {
    fn answer(&mut self, question: Question, descriptor: Option<OwnedFd>) -> Told {
        let answer = match (question.ask, descriptor) {
            (Some(Ask::File(file)), Some(descriptor)) => self.file(file.number, descriptor.into()),
            (Some(Ask::Space(modules)), _) => Some(self.space(&modules)),
            (Some(Ask::Unwind(stack)), _) => self.unwind(&stack),
            (Some(Ask::Name(place)), _) => {
                let file = self.files.get(&place.file);
                file.map(|file| Told::Names(self.symbols.name(file, place.offset)))
            }
            (Some(Ask::Script(script)), Some(memory)) => self.scripts.name(&script, &memory.into()),
            _ => None,
        };
        answer.unwrap_or_else(|| Told::Refused("it cannot be read".to_owned()))
    }

    fn file(&mut self, number: u64, file: File) -> Option<Told> {
        let len = file.metadata().ok()?.len();
        if len > self.room / 2 {
            let most = self.room >> 21;
            return Some(Told::Refused(format!("it is larger than {most} MiB")));
        }
        let left = self.room.saturating_sub(self.taken);
        if len > left {
            return Some(Told::Full(Ready {}));
        }
        let copy = file::copy(file, len).ok()?;
        let (parsed, facts) = file::parse(copy, left - len)?;
        self.taken = self.taken.saturating_add(len).saturating_add(parsed.unpacked);
        self.files.insert(number, parsed);
        Some(Told::File(facts))
    }

    fn space(&mut self, modules: &message::Modules) -> Told {
        let mut space = Space::new();
        let mut found = Vec::new();
        for module in &modules.modules {
            let Some(file) = self.files.get(&module.file) else { continue };
            let Some(bias) = file.bias(module.start, module.offset) else { continue };
            let range = module.start..module.end;
            space.add_module(framehop::Module::new(String::new(), range, bias, file.sections()));
            if file.has_python {
                found.push(message::Interpreter { file: module.file, bias });
            }
        }
        self.spaces.put(modules.space, space);
        Told::Space(message::Interpreters { found })
    }

    /// The instructions that a stack leads through, the innermost first.
    fn unwind(&mut self, stack: &message::Registers) -> Option<Told> {
        let space = self.spaces.get(&stack.space)?;
        let mut read = |address: u64| {
            let start = address.checked_sub(stack.base).and_then(|start| usize::try_from(start).ok());
            let bytes = start.and_then(|start| stack.bytes.get(start..start.checked_add(8)?));
            bytes.and_then(|bytes| bytes.try_into().ok()).map(u64::from_ne_bytes).ok_or(())
        };
        let registers = native::registers(stack);
        let mut frames = space.iter_frames(stack.ip, registers, &mut self.rules, &mut read);
        let mut addresses = Vec::new();
        // An error ends what can be told: the stack goes on beyond what was copied, or has no tables.
        while let Ok(Some(frame)) = frames.next() {
            let frame: FrameAddress = frame;
            addresses.push(frame.address_for_lookup());
            if addresses.len() >= DEEPEST {
                break;
            }
        }
        Some(Told::Places(message::Addresses { addresses }))
    }
}

/// Bytes of memory that this process has taken for data.
fn own_memory() -> u64 {
    /// Field of data in pages, in proc(5).
    const DATA: usize = 5;
    const USUAL_PAGE: u64 = 4096;
    let page = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten();
    let page = page.and_then(|page| u64::try_from(page).ok()).unwrap_or(USUAL_PAGE);
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: Option<u64> = text.split(' ').nth(DATA).and_then(|pages| pages.parse().ok());
    pages.unwrap_or(0).saturating_mul(page)
}

/// A text of a file's, cut at a length that nobody reads.
fn clipped(text: &str) -> String {
    const LONGEST: usize = 2048;
    text.chars().take(LONGEST).collect()
}

/// As many names as fit in a message.
fn fitting(names: Vec<message::Name>) -> message::Names {
    const MOST: usize = 64 << 10;
    let mut left = MOST;
    let fits = |name: &message::Name| {
        let len = prost::Message::encoded_len(name);
        left = left.saturating_sub(len);
        left > 0
    };
    message::Names { names: names.into_iter().take(DEEPEST).take_while(fits).collect() }
}
