//! Files that are written whole or not at all.

use std::{
    fs::{self, File, Permissions},
    io::{self, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use crate::failure::Failure;

/// What a new file allows, less what the process's mask takes away.
const MODE: u32 = 0o666;

/// Puts `content` into a file: it is written beside it first, and takes its place when it is complete. Whoever reads the file
/// meanwhile has the old one. What is no file, such as a pipe or `/dev/stdout`, is written to.
///
/// # Errors
/// If that cannot be done: the file is as it was then.
pub(super) fn replace(path: &Path, content: &[u8]) -> Result<(), Failure> {
    write(path, content).map_err(|cause| Failure::OutputFile { path: path.to_owned(), cause })
}

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let known = match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => {
            return File::options().write(true).open(path)?.write_all(content);
        }
        Ok(metadata) => Some(metadata.permissions()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    // A link goes on leading there. One that leads nowhere makes way.
    let target = if known.is_some() { fs::canonicalize(path)? } else { path.to_owned() };
    let beside = match target.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let mut file = tempfile::Builder::new()
        .prefix(".sockleak-")
        .permissions(Permissions::from_mode(MODE))
        .tempfile_in(beside)?;
    if let Some(permissions) = known {
        file.as_file().set_permissions(permissions)?;
    }
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(&target).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_device_stays_one() {
        replace(Path::new("/dev/null"), b"x").expect("it takes everything");
        assert!(!fs::metadata("/dev/null").expect("it is there").is_file());
    }
}
