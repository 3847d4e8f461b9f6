//! Names of containers, read from the files of the engines that run them: no engine is asked, and no program of theirs is run.
//!
//! Whoever starts a container chooses what stands there, and a user's own engine keeps its files in his home. So no symbolic link is
//! followed below an engine's folder, only regular files of a bounded size are read, and only so many bytes a second.

mod engines;
mod files;

use std::{
    num::NonZeroUsize,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use lru::LruCache;
use serde::Serialize;
use sockleak_core::{attribution::container::Sought, event::ContainerNames};

use crate::{proc, view::View};
use engines::{Engine, SYSTEM};
use files::Reading;

/// Containers that are remembered, those without names as well.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(2048).unwrap();
/// After so long, a container without names is looked for again: an engine may write its files late.
const AGAIN: Duration = Duration::from_secs(30);
/// And one with names: it may have been renamed.
const RENEWED: Duration = Duration::from_mins(10);

/// Finds the names of containers.
#[derive(Debug)]
pub struct Containers {
    view: View,
    engines: Vec<Engine>,
    known: LruCache<Key, (Instant, Option<Arc<ContainerNames>>)>,
    reading: Reading,
}

/// A user whose engine it is, containerd's namespace where it is known, and the id.
type Key = (Option<u32>, Option<Box<str>>, Box<str>);

/// The files of an engine, as `check` tells of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EngineFiles {
    /// The engine.
    pub engine: &'static str,
    /// Its folder on the host.
    pub path: PathBuf,
    /// Why the names of its containers cannot be read; None if they can.
    pub problem: Option<String>,
}

impl Containers {
    /// Looks where process 1 does, as far as that can be seen.
    #[must_use]
    pub fn of_host() -> Self {
        Self::new(host())
    }

    fn new(view: View) -> Self {
        let mut reading = Reading::default();
        let engines =
            SYSTEM.into_iter().map(Engine::from).chain(engines::moved(&view, &mut reading)).collect();
        Self { view, engines, known: LruCache::new(REMEMBERED), reading }
    }

    /// The names of the container that a control group belongs to; None if there is none, or if no engine's files name it.
    pub fn names(&mut self, cgroup: &str) -> Option<Arc<ContainerNames>> {
        let sought = Sought::of(cgroup)?;
        let key: Key = (sought.user, sought.namespace.map(Into::into), sought.id.into());
        if let Some((since, names)) = self.known.get(&key) {
            let lasts = if names.is_some() { RENEWED } else { AGAIN };
            if since.elapsed() < lasts {
                return names.clone();
            }
        }
        // Nothing is known then, and the next process of the container is looked up.
        if !self.reading.may_begin() {
            return None;
        }
        let names = engines::find(&self.view, &self.engines, &sought, &mut self.reading).map(Arc::new);
        self.known.put(key, (Instant::now(), names.clone()));
        names
    }
}

/// The engines whose folders are on this host, and whether the names of their containers can be read.
#[must_use]
pub fn survey() -> Vec<EngineFiles> {
    let view = host();
    let moved = engines::moved(&view, &mut Reading::default());
    let engines = SYSTEM.into_iter().map(Engine::from).chain(moved);
    let found = engines.filter_map(|it| {
        let problem = it.problem(&view)?;
        Some(EngineFiles { engine: it.runtime.name(), path: it.folder, problem })
    });
    found.collect()
}

fn host() -> View {
    // In a pid namespace of its own, process 1 is another one.
    let seen = proc::shows_host().then(|| View::of_host(0).ok()).flatten();
    seen.unwrap_or_else(|| View::own(0))
}

#[cfg(test)]
mod tests;
