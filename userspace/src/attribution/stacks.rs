//! The stacks of openers, each kept once.

use std::{num::NonZeroUsize, sync::Arc};

use lru::LruCache;
use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::event::{Frame, Stack};

/// A stack, by the order in which they were first met.
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
    awaited: LruCache<u64, StackId, FxBuildHasher>,
}

impl Default for Stacks {
    fn default() -> Self {
        Self {
            ids: FxHashMap::default(),
            frames: Vec::new(),
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

    fn intern(&mut self, frames: &Arc<[Frame]>) -> Option<StackId> {
        if let Some(&id) = self.ids.get(frames) {
            return Some(id);
        }
        if self.frames.len() >= MOST {
            return None;
        }
        let id = StackId(self.frames.len() as u32);
        self.frames.push(Arc::clone(frames));
        self.ids.insert(Arc::clone(frames), id);
        Some(id)
    }
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
    fn their_number_is_bounded() {
        let mut stacks = Stacks::default();
        for number in 0..=MOST as u64 {
            stacks.insert(&stack(number, &number.to_string()));
        }
        assert_eq!(stacks.frames.len(), MOST);
        assert_eq!(stacks.take(MOST as u64), None);
    }
}
