//! Where the output of a command goes: standard output, a file that is there when it is complete, or a device or pipe.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use sockleak_recording::output_path::{self, Place};
use tempfile::NamedTempFile;

use super::output::Stdout;
use crate::failure::Failure;

/// Bytes that are gathered before they are written.
const BUFFER: usize = 256 << 10;
/// What the name of a file begins with that is not complete yet.
const UNFINISHED: &str = ".sockleak-";

/// Where it goes.
#[derive(Debug)]
pub(super) struct Destination {
    out: Out,
    /// As the user gave it.
    path: Option<PathBuf>,
}

#[derive(Debug)]
enum Out {
    Stdout(BufWriter<Stdout>),
    /// What is no file, or was opened by whoever started sockleak: it is written to, never replaced.
    Stream(BufWriter<File>),
    /// Beside the file that it will become.
    File {
        out: BufWriter<NamedTempFile>,
        target: PathBuf,
    },
}

impl Destination {
    /// Makes ready to write, to standard output if no path is given or `-`; `sources` are what is read, and never written over.
    ///
    /// # Errors
    /// If it cannot be written to.
    pub(super) fn open(path: Option<&Path>, sources: &[PathBuf]) -> Result<Self, Failure> {
        let Some(path) = path.filter(|path| !is_stdout(path)) else {
            return Ok(Self { out: stdout(), path: None });
        };
        if sources.iter().any(|source| is_same(path, source)) {
            let path = path.display();
            return Err(Failure::Usage(format!(
                "{path} is the recording itself; name another file for the output"
            )));
        }
        let out = open(path).map_err(|cause| named(path, cause))?;
        Ok(Self { out, path: Some(path.to_owned()) })
    }

    /// Has all of a document written. That the reader of standard output leaves is no error.
    ///
    /// # Errors
    /// If that fails: a file is as it was then.
    pub(super) fn put(mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
        let is_stdout = matches!(self.out, Out::Stdout(_));
        let written = write(self.writer());
        let written = written.map_err(|error| self.name(Failure::Output(error)));
        match written.and_then(|()| self.finish()) {
            Err(Failure::Output(cause) | Failure::OutputFile { cause, .. })
                if is_stdout && cause.kind() == io::ErrorKind::BrokenPipe =>
            {
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// What to write to.
    pub(super) fn writer(&mut self) -> &mut (dyn Write + Send) {
        match &mut self.out {
            Out::Stdout(out) => out,
            Out::Stream(out) => out,
            Out::File { out, .. } => out,
        }
    }

    /// Says of a failed output which it is.
    pub(super) fn name(&self, failure: Failure) -> Failure {
        match (failure, &self.path) {
            (Failure::Output(cause), Some(path)) => named(path, cause),
            (failure, _) => failure,
        }
    }

    /// Writes what is left, and gives a file its name.
    ///
    /// # Errors
    /// If that fails.
    pub(super) fn finish(self) -> Result<(), Failure> {
        let Self { out, path } = self;
        let outcome = match out {
            Out::Stdout(mut out) => out.flush(),
            Out::Stream(mut out) => out.flush(),
            Out::File { out, target } => keep(out, &target),
        };
        outcome.map_err(|error| match path {
            Some(path) => named(&path, error),
            None => Failure::Output(error),
        })
    }
}

/// Does it stand for standard output, by convention?
pub(super) fn is_stdout(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn stdout() -> Out {
    Out::Stdout(BufWriter::with_capacity(BUFFER, Stdout))
}

fn open(path: &Path) -> io::Result<Out> {
    // Where a link leads to is replaced, not the link.
    let target = match output_path::resolve(path)? {
        Place::Descriptor(libc::STDOUT_FILENO) => return Ok(stdout()),
        Place::Descriptor(descriptor) => {
            let stream = output_path::duplicate(descriptor)?.into();
            return Ok(Out::Stream(BufWriter::with_capacity(BUFFER, stream)));
        }
        Place::Name(target) => target,
    };
    let there = fs::symlink_metadata(&target).ok();
    if there.as_ref().is_some_and(|there| !there.is_file()) {
        let stream = output_path::open(&target, None)?;
        return Ok(Out::Stream(BufWriter::with_capacity(BUFFER, stream)));
    }
    output_path::refuse_planted(&target, there.as_ref())?;
    output_path::refuse_database(&target)?;
    let folder = target.parent().ok_or(io::ErrorKind::IsADirectory)?;
    // Only its owner may read it, unless it was his before, and others could: command lines are in it.
    let file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder)?;
    if let Some(there) = there.filter(|there| there.uid() == nix::unistd::geteuid().as_raw()) {
        file.as_file().set_permissions(there.permissions())?;
    }
    Ok(Out::File { out: BufWriter::with_capacity(BUFFER, file), target })
}

fn keep(out: BufWriter<NamedTempFile>, target: &Path) -> io::Result<()> {
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.as_file().sync_all()?;
    file.persist(target).map_err(|error| error.error)?;
    Ok(())
}

/// Do two paths lead to the same file?
pub(super) fn is_same(path: &Path, other: &Path) -> bool {
    let id = |path| fs::metadata(path).map(|file| (file.dev(), file.ino())).ok();
    id(path).is_some_and(|path| Some(path) == id(other))
}

fn named(path: &Path, cause: io::Error) -> Failure {
    let is_missing = cause.kind() == io::ErrorKind::NotFound;
    let folder =
        path.parent().filter(|folder| is_missing && !folder.as_os_str().is_empty() && !folder.exists());
    let cause = match folder {
        Some(folder) => io::Error::new(
            io::ErrorKind::NotFound,
            format!("there is no directory {}; make it, or name another", folder.display()),
        ),
        None => cause,
    };
    Failure::OutputFile { path: path.to_owned(), cause }
}

#[cfg(test)]
mod tests {
    use std::{fs::Permissions, os::unix::fs::PermissionsExt as _};

    use super::*;

    fn replace(path: &Path, content: &[u8]) -> Result<(), Failure> {
        Destination::open(Some(path), &[])?.put(|out| out.write_all(content))
    }

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).expect("it is readable").flatten();
        let mut names: Vec<_> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("it is there").permissions().mode() & 0o777
    }

    #[test]
    fn a_file_is_replaced_and_nothing_is_left() {
        let directory = tempfile::tempdir().expect("a directory can be created");
        let (file, link) = (directory.path().join("r.txt"), directory.path().join("link"));
        replace(&file, b"one").expect("it is written");
        fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("it is mine");
        std::os::unix::fs::symlink("r.txt", &link).expect("it can be linked to");
        replace(&link, b"two").expect("it is written");
        assert_eq!(fs::read(&file).expect("it is there"), b"two");
        assert_eq!(mode(&file), 0o600, "what was private stays so");
        assert!(fs::symlink_metadata(&link).expect("it is there").is_symlink());
        assert_eq!(names(directory.path()), ["link", "r.txt"]);
    }

    #[test]
    fn what_cannot_be_written_is_named() {
        let directory = tempfile::tempdir().expect("a directory can be created");
        let missing = directory.path().join("none/r.txt");
        let said = replace(&missing, b"x").expect_err("there is no such directory").to_string();
        assert!(said.contains("none/r.txt"), "{said}");
        let said = replace(directory.path(), b"x").expect_err("it is a directory").to_string();
        assert!(said.contains(&*directory.path().to_string_lossy()), "{said}");
        assert!(names(directory.path()).is_empty());
    }

    #[test]
    fn a_long_name_and_a_dangling_link_are_written_to() {
        let directory = tempfile::tempdir().expect("a directory can be created");
        let (long, link) = (directory.path().join("x".repeat(255)), directory.path().join("link"));
        replace(&long, b"one").expect("a name may have 255 bytes");
        std::os::unix::fs::symlink("later.txt", &link).expect("it can be linked to");
        replace(&link, b"two").expect("it is written");
        assert!(fs::symlink_metadata(&link).expect("it is there").is_symlink());
        assert_eq!(fs::read(directory.path().join("later.txt")).expect("it is there"), b"two");
        assert_eq!(mode(&directory.path().join("later.txt")), 0o600);
    }

    #[test]
    fn a_recording_and_what_belongs_to_it_stay() {
        let directory = tempfile::tempdir().expect("a directory can be created");
        let (recording, log) = (directory.path().join("k.db"), directory.path().join("k.db-wal"));
        fs::write(&recording, b"SQLite format 3\0").expect("it is mine");
        fs::write(&log, b"pages").expect("it is mine");
        for path in [&recording, &log] {
            let said = replace(path, b"x").expect_err("it is a recording's").to_string();
            assert!(said.contains("recording"), "{said}");
        }
        assert_eq!(fs::read(&log).expect("it is there"), b"pages");
    }

    #[test]
    fn a_device_stays_one() {
        replace(Path::new("/dev/null"), b"x").expect("it takes everything");
        assert!(!fs::metadata("/dev/null").expect("it is there").is_file());
    }
}
