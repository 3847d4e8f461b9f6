//! What a report of several hosts is made from: recordings and stores, by the hosts that they are of.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::anyhow;
use sockleak_recording::Trace;
use sockleak_report::fleet::Unreadable;

use crate::{
    console::say,
    failure::Failure,
    service::store::{Recording, Recordings, StoreError},
};

/// Folders within each other that are looked through.
const DEPTH: u32 = 4;

/// A file with a recording, or the directory of a service's store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    Recording(PathBuf),
    Store(PathBuf),
}

/// What was found, and what cannot be read.
#[derive(Debug, Default)]
pub(super) struct Sources {
    pub(super) by_host: BTreeMap<String, BTreeSet<Source>>,
    /// Every file that is read.
    pub(super) files: Vec<PathBuf>,
    pub(super) unreadable: Vec<Unreadable>,
    /// Why the first of those cannot be read.
    pub(super) failure: Option<Failure>,
}

impl Sources {
    /// The recordings that are named.
    pub(super) fn of_files(files: &[PathBuf]) -> Self {
        let mut sources = Self::default();
        files.iter().for_each(|file| sources.add_file(file));
        sources
    }

    /// The stores and recordings in directories and what is below them.
    pub(super) fn in_directories(directories: &[PathBuf]) -> Self {
        let mut sources = Self::default();
        for directory in directories {
            let before = sources.files.len() + sources.unreadable.len();
            sources.look_through(directory, DEPTH);
            if sources.files.len() + sources.unreadable.len() == before {
                sources.note(directory, StoreError::Empty(directory.clone()).into());
            }
        }
        sources
    }

    /// How many files and stores there are; one of two hosts counts twice.
    pub(super) fn len(&self) -> usize {
        self.by_host.values().map(BTreeSet::len).sum()
    }

    /// Notes what cannot be read.
    pub(super) fn note(&mut self, path: &Path, failure: Failure) {
        self.unreadable.push(Unreadable { file: path.display().to_string(), because: failure.to_string() });
        self.failure.get_or_insert(failure);
    }

    /// Why nothing of all this can be read; of several reasons, each is said before. None if nothing was tried.
    pub(super) fn refusal(unreadable: &[Unreadable], failure: Option<Failure>) -> Option<Failure> {
        if unreadable.len() < 2 {
            return failure;
        }
        unreadable.iter().for_each(|it| say(&it.because));
        let count = unreadable.len();
        Some(Failure::Store(anyhow!(
            "none of these {count} files and stores holds a recording that can be read; name one that sockleak wrote"
        )))
    }

    fn add_file(&mut self, file: &Path) {
        match Trace::open(file) {
            Ok(trace) => self.insert(&trace.header().host, Source::Recording(file.to_owned()), [file]),
            Err(error) => self.note(file, error.into()),
        }
    }

    fn insert<'p>(&mut self, host: &str, source: Source, files: impl IntoIterator<Item = &'p Path>) {
        self.by_host.entry(host.to_owned()).or_default().insert(source);
        self.files.extend(files.into_iter().map(Path::to_owned));
    }

    fn look_through(&mut self, directory: &Path, depth: u32) {
        let (files, folders) = match contents(directory) {
            Ok(contents) => contents,
            Err(error) => {
                let error = StoreError::unreadable(directory, &error);
                return self.note(directory, error.into());
            }
        };
        let (segments, files): (Vec<_>, Vec<_>) =
            files.into_iter().partition(|file| Recording::is_segment(file));
        let is_store = !segments.is_empty() && self.add_store(directory);
        // A copy of recordings may be called as segments are.
        let others = if is_store { Vec::new() } else { segments };
        files.iter().chain(&others).for_each(|file| self.add_file(file));
        if depth > 1 {
            folders.iter().for_each(|folder| self.look_through(folder, depth - 1));
        }
    }

    /// Is it a store?
    fn add_store(&mut self, directory: &Path) -> bool {
        match Recording::all(directory) {
            Err(error) => self.note(directory, error.into()),
            Ok(Recordings { recordings, damaged }) => {
                if recordings.is_empty() && damaged.is_empty() {
                    return false;
                }
                for error in damaged {
                    self.note(directory, error.into());
                }
                for recording in recordings {
                    let source = Source::Store(directory.to_owned());
                    self.insert(&recording.header().host, source, recording.paths());
                }
            }
        }
        true
    }
}

/// Files whose names end as those of recordings do, and folders; each in the order of names.
fn contents(directory: &Path) -> io::Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    /// Beside the segments of a store, and no recording.
    const HISTORY: &str = "history.db";

    let paths = fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    // A folder that is called as a segment is none of those that hold stores, and is named as what cannot be read.
    let holds_more = |path: &PathBuf| path.is_dir() && !Recording::is_segment(path);
    let (mut folders, mut files): (Vec<_>, Vec<_>) = paths.into_iter().partition(holds_more);
    files.retain(|file| {
        let is_database = file.extension().is_some_and(|extension| extension == "db");
        is_database && file.file_name().is_none_or(|name| name != HISTORY)
    });
    folders.sort();
    files.sort();
    Ok((files, folders))
}
