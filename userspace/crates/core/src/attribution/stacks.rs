//! The stacks of openers, each kept once.

use std::{num::NonZeroUsize, sync::Arc};

use lru::LruCache;
use rustc_hash::{FxBuildHasher, FxHashMap, FxHashSet};

use crate::event::{Frame, Stack};

/// The number of a stack, for as long as a connection has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StackId(pub u32);

/// Different stacks that are kept. A program chooses what it connects from: without a bound it could fill the memory.
const MOST: usize = 16_384;

/// Stacks whose connection is still to come: its record follows at once, unless it was lost.
const AWAITED: NonZeroUsize = NonZeroUsize::new(1024).unwrap();

/// All stacks.
#[derive(Debug)]
pub struct Stacks {
    ids: FxHashMap<Arc<[Frame]>, StackId>,
    frames: Vec<Arc<[Frame]>>,
    /// Numbers that no connection uses, the smallest last.
    free: Vec<StackId>,
    awaited: LruCache<u64, StackId, FxBuildHasher>,
    /// From so many on, it is time to forget some.
    many: usize,
}

impl Default for Stacks {
    fn default() -> Self {
        Self {
            ids: FxHashMap::default(),
            frames: Vec::new(),
            free: Vec::new(),
            many: MOST / 4 * 3,
            awaited: LruCache::with_hasher(AWAITED, FxBuildHasher),
        }
    }
}

impl Stacks {
    /// Keeps the stack of a connection to come. Of more different ones than are kept, nothing is said.
    pub fn insert(&mut self, stack: &Stack) {
        if let Some(id) = self.intern(&stack.frames) {
            self.awaited.put(stack.connection, id);
        }
    }

    /// The stack that a connection came with.
    pub fn take(&mut self, connection: u64) -> Option<StackId> {
        self.awaited.pop(&connection)
    }

    /// The functions of a stack, the innermost first.
    #[must_use]
    pub fn frames(&self, id: StackId) -> &[Frame] {
        self.frames.get(id.0 as usize).map_or(&[], |frames| frames)
    }

    /// The same, to be kept.
    #[must_use]
    pub fn shared(&self, id: StackId) -> Option<Arc<[Frame]>> {
        self.frames.get(id.0 as usize).cloned()
    }

    fn intern(&mut self, frames: &Arc<[Frame]>) -> Option<StackId> {
        if let Some(&id) = self.ids.get(frames) {
            return Some(id);
        }
        let id = match self.free.pop() {
            Some(id) => {
                self.frames[id.0 as usize] = Arc::clone(frames);
                id
            }
            None if self.frames.len() >= MOST => return None,
            None => {
                self.frames.push(Arc::clone(frames));
                StackId(self.frames.len() as u32 - 1)
            }
        };
        self.ids.insert(Arc::clone(frames), id);
        Some(id)
    }

    /// Is it time to forget those that nobody uses?
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        self.ids.len() >= self.many
    }

    /// Forgets all but these and those whose connection is still to come. Their numbers will be others'.
    pub fn keep_only(&mut self, mut used: FxHashSet<StackId>) {
        used.extend(self.awaited.iter().map(|(_, id)| *id));
        self.ids.retain(|_, id| used.contains(id));
        self.free =
            (0..self.frames.len() as u32).rev().map(StackId).filter(|id| !used.contains(id)).collect();
        for id in &self.free {
            self.frames[id.0 as usize] = [].into();
        }
        // Where hardly any could be forgotten, it is not tried again at once.
        self.many = (MOST / 4 * 3).max(self.ids.len() + self.ids.len() / 4);
    }
}

/// The innermost function that is the program's own, in words; None if none is known to be.
#[must_use]
pub fn site(frames: &[Frame]) -> Option<String> {
    let own = frames.iter().find(|frame| frame.function.is_some() && !is_library(frame))?;
    let function = own.function.as_deref()?;
    Some(match (&own.file, own.line) {
        (Some(file), Some(line)) => format!("{function} ({file}:{line})"),
        _ => function.to_owned(),
    })
}

/// Does a function come with the language, so that it does not tell who opened?
fn is_library(frame: &Frame) -> bool {
    let function = frame.function.as_deref().unwrap_or_default();
    let file = frame.file.as_deref().unwrap_or_default();
    let module = frame.module.as_deref().and_then(|path| path.rsplit('/').next()).unwrap_or_default();
    let is_c =
        ["libc.so", "libc-", "ld-linux", "ld-musl", "libpthread"].iter().any(|it| module.starts_with(it));
    let is_rust =
        ["std::", "core::", "alloc::", "<std::", "<core::"].iter().any(|it| function.starts_with(it));
    let is_python = file.contains("/lib/python") && !file.contains("-packages/");
    is_c || is_rust || is_python || is_go_library(function, file)
}

/// Go's own packages are those without a dot in the first part of their path, and not `main`.
fn is_go_library(function: &str, file: &str) -> bool {
    if !file.ends_with(".go") && !file.ends_with(".s") {
        return false;
    }
    let (first, rest) = function.split_once('/').unwrap_or((function, ""));
    // Without a path, what precedes the dot is the package.
    let package = if rest.is_empty() { first.split('.').next().unwrap_or(first) } else { first };
    package != "main" && !package.contains('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(connection: u64, function: &str) -> Stack {
        let frame = Frame { function: Some(function.into()), ..Frame::default() };
        Stack { connection, frames: [frame].into() }
    }

    #[test]
    fn equal_stacks_are_one() {
        let mut stacks = Stacks::default();
        for (connection, function) in [(1, "open"), (2, "open"), (3, "other")] {
            stacks.insert(&stack(connection, function));
        }
        let ids = [1, 2, 3].map(|connection| stacks.take(connection));
        assert_eq!(ids, [Some(StackId(0)), Some(StackId(0)), Some(StackId(1))]);
        assert_eq!(stacks.frames(StackId(1))[0].function.as_deref(), Some("other"));
        assert_eq!(stacks.take(1), None);
    }

    #[test]
    fn those_that_nobody_uses_make_room() {
        let mut stacks = Stacks::default();
        for number in 0..MOST as u64 {
            stacks.insert(&stack(number, &number.to_string()));
        }
        assert!(stacks.is_crowded());
        // The last ones are awaited still.
        stacks.keep_only([StackId(7)].into_iter().collect());
        assert_eq!(stacks.ids.len(), 1 + AWAITED.get());
        assert!(!stacks.is_crowded());
        assert_eq!(stacks.frames(StackId(7))[0].function.as_deref(), Some("7"));
        stacks.insert(&stack(1, "another"));
        assert_eq!(stacks.take(1), Some(StackId(0)));
        assert_eq!(stacks.frames(StackId(0))[0].function.as_deref(), Some("another"));
    }

    #[test]
    fn their_number_is_bounded() {
        let mut stacks = Stacks::default();
        for number in 0..=MOST as u64 {
            stacks.insert(&stack(number, &number.to_string()));
        }
        assert_eq!(stacks.frames.len(), MOST);
        assert_eq!(stacks.take(MOST as u64), None);
    }
}
