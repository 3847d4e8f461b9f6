//! Credentials of an object store, in a file of their own so that the configuration can be shown.

use std::{
    fmt,
    fs::OpenOptions,
    io::{self, Read as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use super::error::ConfigError;

/// Longest file, in bytes: a key of Google's has some 2,400.
const LONGEST: u64 = 64 << 10;
/// Under this name Google's library takes the text of a key.
const GOOGLE_KEY: &str = "GOOGLE_SERVICE_ACCOUNT_KEY";

/// A file with credentials in it: lines `NAME=VALUE` as for a unit's environment, a credentials file of Amazon's, or a key of Google's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialsFile {
    /// Where it is.
    pub path: PathBuf,
    /// The line of the configuration that names it.
    pub(super) line: usize,
}

/// Credentials cannot be used. The sentence names their file and the remedy.
#[derive(Debug, thiserror::Error)]
#[error("the credentials file {} {fault}", path.display())]
pub struct CredentialsError {
    path: PathBuf,
    fault: Fault,
}

/// What is wrong with the file, as the end of a sentence about it.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("cannot be read ({0}); create it, readable by the service alone")]
    Unreadable(#[from] io::Error),
    #[error("is no file; write the credentials into a plain one")]
    NoFile,
    #[error("is open to everybody; run chmod 600 {}", .0.display())]
    Open(PathBuf),
    #[error("is no text of at most 64 KiB; write lines like AWS_ACCESS_KEY_ID=... into it")]
    NoText,
    #[error("has no lines like AWS_ACCESS_KEY_ID=... for this store; add them")]
    Empty,
}

impl CredentialsFile {
    pub(super) const fn new(path: PathBuf, line: usize) -> Self {
        Self { path, line }
    }

    /// Reads names and values.
    ///
    /// # Errors
    /// If the file cannot be read, or may be read by everybody.
    pub fn read(&self) -> Result<Variables, CredentialsError> {
        self.try_read().map_err(|fault| CredentialsError { path: self.path.clone(), fault })
    }

    fn try_read(&self) -> Result<Variables, Fault> {
        // A pipe without a writer would block.
        let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&self.path)?;
        let facts = file.metadata()?;
        if !facts.is_file() {
            return Err(Fault::NoFile);
        }
        if facts.permissions().mode() & 0o007 != 0 {
            return Err(Fault::Open(self.path.clone()));
        }
        let mut text = Vec::new();
        file.take(LONGEST + 1).read_to_end(&mut text)?;
        let text = String::from_utf8(text).ok().filter(|text| text.len() as u64 <= LONGEST);
        let variables = variables(&text.ok_or(Fault::NoText)?);
        if variables.0.is_empty() { Err(Fault::Empty) } else { Ok(variables) }
    }

    /// Can the credentials be read?
    ///
    /// # Errors
    /// If they cannot, naming the line of the configuration at `config`.
    pub(super) fn check(&self, config: &Path) -> Result<(), ConfigError> {
        self.read().map(drop).map_err(|error| ConfigError {
            path: config.to_owned(),
            line: Some(self.line),
            message: error.to_string(),
        })
    }
}

/// Names and values, which show up in no log.
#[derive(Clone, PartialEq, Eq)]
pub struct Variables(Vec<(String, String)>);

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Variables(..)")
    }
}

impl IntoIterator for Variables {
    type Item = (String, String);
    type IntoIter = std::vec::IntoIter<(String, String)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

fn variables(text: &str) -> Variables {
    if text.trim_start().starts_with('{') {
        return Variables(vec![(GOOGLE_KEY.to_owned(), text.to_owned())]);
    }
    // Of Amazon's file the first profile counts, or the one that is called so.
    let mut is_ours = true;
    let mut variables = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(profile) = line.strip_prefix('[') {
            is_ours = profile.trim_end_matches(']').trim() == "default";
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        let Some((name, value)) = line.split_once('=').filter(|_| is_ours && !line.starts_with(['#', ';']))
        else {
            continue;
        };
        let value = value.trim();
        let quoted = ['"', '\''].into_iter().find_map(|it| value.strip_prefix(it)?.strip_suffix(it));
        variables.push((name.trim().to_ascii_uppercase(), quoted.unwrap_or(value).to_owned()));
    }
    Variables(variables)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        variables(text).into_iter().collect()
    }

    #[test]
    fn files_of_all_kinds_are_read() {
        let expected = [("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b=c")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        for text in [
            "# a unit's\nAWS_ACCESS_KEY_ID=a\nexport AWS_SECRET_ACCESS_KEY='b=c'\n",
            "[other]\naws_access_key_id = x\n[default]\naws_access_key_id = a\naws_secret_access_key = b=c\n",
        ] {
            assert_eq!(pairs(text), expected, "{text}");
        }
        let key = "{\"client_email\": \"a\"}";
        assert_eq!(pairs(key), [(GOOGLE_KEY.to_owned(), key.to_owned())]);
    }

    #[test]
    fn a_file_that_cannot_be_used_is_refused() {
        let directory = tempfile::tempdir().expect("a directory can be created");
        let path = directory.path().join("credentials");
        let file = CredentialsFile::new(path.clone(), 3);
        let said = || file.read().map(drop).expect_err("it cannot be used").to_string();
        assert!(said().contains("cannot be read"), "{}", said());
        fs::write(&path, "AWS_ACCESS_KEY_ID=a").expect("it can be written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("it is ours");
        assert!(
            said().ends_with(&format!("is open to everybody; run chmod 600 {}", path.display())),
            "{}",
            said()
        );
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("it is ours");
        assert!(file.read().is_ok());
        fs::write(&path, "nothing").expect("it can be written");
        assert!(said().contains("has no lines like"), "{}", said());
    }
}
