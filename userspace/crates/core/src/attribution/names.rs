//! Names of programs and groups, each with a number for as long as somebody uses it.

use std::collections::HashMap;

use rustc_hash::FxHashSet;

use super::who::ProgramId;

/// Names by number, and numbers by name.
#[derive(Debug, Default)]
pub(super) struct Names {
    names: Vec<String>,
    ids: HashMap<String, ProgramId>,
    /// Numbers that nobody uses, the smallest last.
    free: Vec<ProgramId>,
}

impl Names {
    /// How many are in use.
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(super) fn get(&self, id: ProgramId) -> Option<&str> {
        self.names.get(id.0 as usize).map(String::as_str)
    }

    pub(super) fn find(&self, name: &str) -> Option<ProgramId> {
        self.ids.get(name).copied()
    }

    /// The number of a name, a new one if it has none.
    pub(super) fn intern(&mut self, name: &str) -> ProgramId {
        if let Some(id) = self.find(name) {
            return id;
        }
        let id = match self.free.pop() {
            Some(id) => {
                name.clone_into(&mut self.names[id.0 as usize]);
                id
            }
            None => {
                self.names.push(name.to_owned());
                ProgramId(self.names.len() as u32 - 1)
            }
        };
        self.ids.insert(name.to_owned(), id);
        id
    }

    /// Forgets all names but these. Their numbers will be others'.
    pub(super) fn keep_only(&mut self, used: &FxHashSet<ProgramId>) {
        self.ids.retain(|_, id| used.contains(id));
        self.free =
            (0..self.names.len() as u32).rev().map(ProgramId).filter(|id| !used.contains(id)).collect();
        for id in &self.free {
            self.names[id.0 as usize] = String::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_used_again() {
        let mut names = Names::default();
        let ids = ["a", "b", "c", "a", "d"].map(|name| names.intern(name));
        assert_eq!(ids.map(|id| id.0), [0, 1, 2, 0, 3]);
        names.keep_only(&FxHashSet::from_iter([ids[1], ids[4]]));
        assert_eq!((names.len(), names.find("a"), names.find("b")), (2, None, Some(ids[1])));
        let more = ["e", "b", "c", "f"].map(|name| names.intern(name));
        assert_eq!(more.map(|id| id.0), [0, 1, 2, 4]);
        assert_eq!(names.get(more[0]), Some("e"));
        assert_eq!(names.get(ProgramId(9)), None);
    }
}
