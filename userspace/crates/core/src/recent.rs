//! A memory of bounded size: what was neither entered nor asked for lately is forgotten.

use std::hash::Hash;

use rustc_hash::FxHashMap;

/// Remembers at least the last `capacity` keys that were entered or asked for, and at most twice as many. Of what an exact
/// order of use costs it saves the most: a look-up that finds a key among the young changes nothing.
#[derive(Debug)]
pub struct Recent<K, V> {
    young: FxHashMap<K, V>,
    /// Those that were young before: whoever is asked for is young again.
    old: FxHashMap<K, V>,
    capacity: usize,
}

impl<K: Hash + Eq + Copy, V: Clone> Recent<K, V> {
    /// An empty one.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { young: FxHashMap::default(), old: FxHashMap::default(), capacity }
    }

    /// What is remembered of a key. It is remembered anew.
    pub fn get(&mut self, key: &K) -> Option<V> {
        if let Some(value) = self.young.get(key) {
            return Some(value.clone());
        }
        let value = self.old.remove(key)?;
        self.enter(*key, value.clone());
        Some(value)
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        if !self.young.contains_key(key) {
            let value = self.old.remove(key)?;
            self.enter(*key, value);
        }
        self.young.get_mut(key)
    }

    /// What is remembered of a key, if it is among the young: there is nothing to change then.
    #[must_use]
    pub fn young(&self, key: &K) -> Option<&V> {
        self.young.get(key)
    }

    /// What is remembered of a key.
    #[must_use]
    pub fn peek(&self, key: &K) -> Option<&V> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    /// Is it remembered?
    #[must_use]
    pub fn contains(&self, key: &K) -> bool {
        self.peek(key).is_some()
    }

    /// Remembers it, instead of what was remembered of this key.
    pub fn put(&mut self, key: K, value: V) {
        self.old.remove(&key);
        self.enter(key, value);
    }

    /// Everything that is remembered, in no order. That remembers nothing anew.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.young.values().chain(self.old.values())
    }

    /// Everything that is remembered, in no order, to be changed. That remembers nothing anew.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.young.values_mut().chain(self.old.values_mut())
    }

    fn enter(&mut self, key: K, value: V) {
        if self.young.len() >= self.capacity && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_are_remembered() {
        let mut recent = Recent::new(4);
        for key in 0..100 {
            recent.put(key, key * 2);
            // One that is asked for stays.
            assert_eq!(recent.get(&0), Some(0));
            for last in (key - 2).max(0)..=key {
                assert_eq!(recent.peek(&last), Some(&(last * 2)), "after {key}");
            }
            assert!(recent.young.len() + recent.old.len() <= 8);
        }
        assert!(!recent.contains(&50));
        recent.put(99, 1);
        assert_eq!(recent.get(&99), Some(1));
    }
}
