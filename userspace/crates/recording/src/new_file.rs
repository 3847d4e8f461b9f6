//! A new file: made where nothing is in the way, with its tables and the session's row.

use std::{
    fs::{self, OpenOptions},
    io,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, named_params};

use super::{Header, Progress, TraceError, code::unsigned, schema};
use crate::output_path::{self, BESIDE_DATABASES, Place};

/// How long somebody else may lock the file, say to add an index, before the recording is given up.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes that the write-ahead log is cut back to after a long read made it grow.
const LOG_SIZE: i64 = 64 << 20;

/// Creates the file, or takes one that is empty and ours; nothing that a link leads to, for sockleak runs as root.
pub fn create_file(path: &Path, mode: u32) -> Result<Connection, TraceError> {
    let unwritable = |error: io::Error| TraceError::unwritable(path, &error);
    let name = path.file_name().filter(|_| !output_path::names_directory(path));
    let name = name.ok_or_else(|| TraceError::Directory(path.to_owned()))?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    // SQLite takes a path with any link in it for one that may lead elsewhere.
    let full = match output_path::resolve(parent.unwrap_or(Path::new("."))).map_err(unwritable)? {
        Place::Name(parent) => parent.join(name),
        Place::Descriptor(_) => return Err(TraceError::unwritable(path, &"it is no directory")),
    };
    refuse_planted_log(&full)?;
    match OpenOptions::new().write(true).create_new(true).mode(mode).open(&full) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => take_empty(path, &full)?,
        Err(error) => return Err(unwritable(error)),
    }
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    Connection::open_with_flags(&full, flags).map_err(|error| TraceError::writing(path, &error))
}

/// SQLite would take the log that somebody else has put beside the file.
fn refuse_planted_log(full: &Path) -> Result<(), TraceError> {
    for suffix in BESIDE_DATABASES {
        let mut beside = full.to_owned().into_os_string();
        beside.push(suffix);
        let beside = Path::new(&beside);
        let Ok(there) = fs::symlink_metadata(beside) else { continue };
        if !there.is_file() || there.uid() != nix::unistd::geteuid().as_raw() {
            return Err(TraceError::Exists(beside.to_owned()));
        }
    }
    Ok(())
}

fn take_empty(path: &Path, full: &Path) -> Result<(), TraceError> {
    let unwritable = |error: io::Error| TraceError::unwritable(path, &error);
    let there = fs::symlink_metadata(full).map_err(unwritable)?;
    if there.is_dir() {
        return Err(TraceError::Directory(path.to_owned()));
    }
    let is_ours = there.uid() == nix::unistd::geteuid().as_raw();
    if !there.is_file() || there.len() > 0 || !is_ours {
        return Err(TraceError::Exists(path.to_owned()));
    }
    let flags = libc::O_NOFOLLOW;
    let file = OpenOptions::new().write(true).custom_flags(flags).open(full).map_err(unwritable)?;
    file.set_permissions(fs::Permissions::from_mode(0o600)).map_err(unwritable)
}

/// Makes the tables and the session's row.
pub(super) fn prepare(connection: &Connection, header: &Header) -> rusqlite::Result<()> {
    set_up(connection)?;
    let transaction = connection.unchecked_transaction()?;
    make_tables(connection, header)?;
    transaction.commit()
}

/// How the file is written.
pub fn set_up(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // What is committed survives the end of the process, and all but the end of it the host's.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "journal_size_limit", LOG_SIZE)
}

/// Within a transaction.
pub(super) fn make_tables(connection: &Connection, header: &Header) -> rusqlite::Result<()> {
    schema::create(connection)?;
    let Header { version, host, boot_id, kernel, boot_time, targets, leak_age, limits, hooks, started } =
        header;
    connection.execute(
        "INSERT INTO session (version, host, boot_id, kernel, boot_time, targets, leak_age, limits, hooks, started, now, ended, \
         losses, skipped_runs, gaps) VALUES (:version, :host, :boot_id, :kernel, :boot_time, :targets, :leak_age, :limits, :hooks, \
         :started, :started, 0, '[]', 0, '[]')",
        named_params! {
            ":version": version,
            ":host": host,
            ":boot_id": boot_id,
            ":kernel": kernel,
            ":boot_time": boot_time,
            ":targets": json(targets)?,
            ":leak_age": unsigned(*leak_age),
            ":limits": json(limits)?,
            ":hooks": json(hooks)?,
            ":started": unsigned(*started),
        },
    )?;
    Ok(())
}

/// Writes how far the session is into its row.
pub(super) fn put_progress(
    connection: &Connection,
    progress: &Progress,
    is_ended: bool,
) -> rusqlite::Result<()> {
    let Progress { now, losses, skipped_runs, gaps } = progress;
    connection.execute(
        "UPDATE session SET now = :now, ended = :ended, losses = :losses, skipped_runs = :skipped_runs, gaps = :gaps",
        named_params! {
            ":now": unsigned(*now),
            ":ended": is_ended,
            ":losses": json(losses)?,
            ":skipped_runs": unsigned(*skipped_runs),
            ":gaps": json(gaps)?,
        },
    )?;
    Ok(())
}

fn json(value: &impl serde::Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_ends_with_a_slash_makes_no_file() {
        let scratch = tempfile::tempdir().expect("a directory can be created");
        let named = scratch.path().join("recordings/");
        let refused = create_file(&named, 0o600).expect_err("it names a directory");
        assert!(matches!(refused, TraceError::Directory(_)), "{refused}");
        assert!(!named.exists());
    }
}
