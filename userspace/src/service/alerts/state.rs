//! What has to outlive the service, so that a restart neither tells anything twice nor forgets what was told.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use sockleak_core::{text::escape, time::nanoseconds};
use tempfile::NamedTempFile;

use super::{
    condition::Condition,
    engine::{Alerts, Entry, Moment, Phase},
    notification::{Key, Kind, Notification},
};
use crate::service::health;

/// The form of what is saved.
const VERSION: u32 = 1;

/// What was told and is not over, and what was not delivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    version: u32,
    pub(super) firing: Vec<SavedAlert>,
    pub(super) undelivered: Vec<Undelivered>,
}

/// An alert that was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SavedAlert {
    #[serde(flatten)]
    condition: Condition,
    since: String,
}

/// What waits for a webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undelivered {
    /// Scheme and host. No more of the address is kept: it may hold a secret.
    pub(super) origin: String,
    /// The oldest first.
    pub(super) notifications: Vec<Notification>,
}

/// Why what was saved cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It cannot be read or written.
    #[error("the state of alerts in {} cannot be read or written ({cause}); check the folder's owner and free space", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// It is not what was written.
    #[error("the state of alerts in {} cannot be understood ({cause}); remove the file, and alerts are told anew", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: serde_json::Error,
    },
    /// A later sockleak wrote it.
    #[error("the state of alerts in {} is of a newer sockleak (form {found}); update sockleak, or remove the file", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its form.
        found: u32,
    },
}

impl Saved {
    /// What there is to save: alerts that fire, and what [`Sinks::undelivered`](super::Sinks::undelivered) has.
    #[must_use]
    pub fn of(alerts: &Alerts, undelivered: Vec<Undelivered>) -> Self {
        let firing = alerts.entries.values().filter(|entry| matches!(entry.phase, Phase::Firing { .. }));
        let firing = firing.map(|it| SavedAlert { condition: it.condition.clone(), since: it.since.clone() });
        Self { version: VERSION, firing: firing.collect(), undelivered }
    }

    /// Is there as little to write as if both were the same? What alerts say changes from second to second, and is said anew
    /// after a restart.
    #[must_use]
    pub fn is_as_good_as(&self, other: &Self) -> bool {
        self.told().eq(other.told()) && self.undelivered == other.undelivered
    }

    fn told(&self) -> impl Iterator<Item = (&Key, &str)> {
        self.firing.iter().map(|it| (&it.condition.key, it.since.as_str()))
    }

    /// Reads what was written; nothing if nothing was.
    ///
    /// # Errors
    /// If the file cannot be read, or is not what was written.
    pub fn read(path: &Path) -> Result<Self, StateError> {
        /// What every form has.
        #[derive(Deserialize)]
        struct Form {
            version: u32,
        }

        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(cause) => return Err(StateError::Io { path: path.to_owned(), cause }),
        };
        let malformed = |cause| StateError::Malformed { path: path.to_owned(), cause };
        let Form { version } = serde_json::from_slice(&text).map_err(malformed)?;
        if version > VERSION {
            return Err(StateError::Newer { path: path.to_owned(), found: version });
        }
        serde_json::from_slice(&text).map_err(malformed)
    }

    /// Writes it, whole or not at all, for its owner alone.
    ///
    /// # Errors
    /// If that fails.
    pub fn write(&self, path: &Path) -> Result<(), StateError> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let write = || {
            let mut file = NamedTempFile::new_in(folder)?;
            file.write_all(&escape::json_bytes(self)?)?;
            file.as_file().sync_all()?;
            file.persist(path).map_err(|error| error.error)
        };
        write().map(drop).map_err(|cause| StateError::Io { path: path.to_owned(), cause })
    }
}

impl Default for Saved {
    fn default() -> Self {
        Self { version: VERSION, firing: Vec::new(), undelivered: Vec::new() }
    }
}

impl Alerts {
    /// Takes up what was told before a restart. It is not told again while it holds, and is over when it has not held for
    /// the quiet period.
    ///
    /// Verdicts and forecasts rest on what was observed, which begins anew where a new recording does: that they are not
    /// there at first says nothing then. They are not over before `settle` has passed, which should be the time that a leak needs to be
    /// found again, some leak ages. Nor is it known when something was lost before: it counts as just now. With
    /// a `settle` of zero nothing begins anew.
    pub fn restore(&mut self, saved: &Saved, now: &Moment, settle: Duration) {
        for SavedAlert { condition, since } in saved.firing.iter().cloned() {
            let settled = match condition.key.kind {
                Kind::Finding | Kind::Forecast => now.boot_ns.saturating_add(nanoseconds(settle)),
                Kind::Degraded if !settle.is_zero() => {
                    now.boot_ns.saturating_add(nanoseconds(health::RECENT))
                }
                Kind::Slots | Kind::Degraded => 0,
            };
            let phase = Phase::Firing { gone: None, settled };
            self.entries.insert(condition.key.clone(), Entry { condition, since, phase });
        }
    }
}
