//! All targets of a session together with what the file system says of them.

use std::{collections::BTreeSet, path::Path};

use super::{
    files::Files,
    targets::{Address, Sight, Target, Wanted},
};
use crate::event::Listener;

/// The targets, and the last look at each.
#[derive(Clone, Debug)]
pub struct Selection {
    targets: Vec<(Target, Sight)>,
    /// The mount namespace that paths are meant in.
    namespace: u32,
    /// In place of targets: what they were when that was decided.
    recorded: Option<Vec<String>>,
}

impl Selection {
    /// Takes a first look. Paths are meant as they are in `files`. A glob that is the path of something that exists now means
    /// that path.
    #[must_use]
    pub fn new(targets: Vec<Target>, files: &impl Files) -> Self {
        let targets = targets.into_iter().map(|target| target.settled(files));
        let targets = targets.map(|target| (target.clone(), target.look(files))).collect();
        Self { targets, namespace: files.namespace(), recorded: None }
    }

    /// Of a recording, which holds nothing but what its targets meant.
    #[must_use]
    pub const fn recorded(given: Vec<String>) -> Self {
        Self { targets: Vec::new(), namespace: 0, recorded: Some(given) }
    }

    /// Looks again: sockets and links come and go.
    pub fn look(&mut self, files: &impl Files) {
        for (target, sight) in &mut self.targets {
            *sight = target.look(files);
        }
    }

    /// The targets as given.
    pub fn given(&self) -> impl Iterator<Item = &str> {
        let recorded = self.recorded.iter().flatten().map(String::as_str);
        recorded.chain(self.targets.iter().map(|(target, _)| target.given()))
    }

    /// The paths of which nothing exists yet.
    pub fn awaited(&self) -> impl Iterator<Item = &str> {
        self.targets
            .iter()
            .filter(|(target, sight)| target.is_awaited(sight))
            .map(|(target, _)| target.given())
    }

    /// What the kernel has to look for.
    #[must_use]
    pub fn wanted(&self) -> BTreeSet<Wanted> {
        self.targets.iter().flat_map(|(target, sight)| target.wanted(sight)).collect()
    }

    /// Does any target mean this listener?
    #[must_use]
    pub fn selects(&self, listener: &Listener) -> bool {
        self.recorded.is_some()
            || self.targets.iter().any(|(target, sight)| target.selects(sight, listener, self.namespace))
    }

    /// The path (or `@name`) that an address without a listener means to a target; None if no target means it.
    /// `mount_namespace` is the client's.
    #[must_use]
    pub fn by_address(
        &self,
        bytes: &[u8],
        directory: Option<&Path>,
        mount_namespace: Option<u32>,
    ) -> Option<Vec<u8>> {
        let same_namespace = mount_namespace == Some(self.namespace);
        let address = Address { bytes, directory, same_namespace };
        self.targets.iter().find_map(|(target, sight)| target.place_of(sight, &address))
    }
}
