//! Tokens, which are in files of their own so that the configuration can be shown.

use std::{
    fmt,
    fs::OpenOptions,
    io::Read as _,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use super::error::ConfigError;

/// Longest token, in bytes.
const LONGEST: u64 = 4096;

/// A file with a token in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenFile {
    /// Where it is.
    pub path: PathBuf,
    /// The line of the configuration that names it.
    pub(super) line: usize,
}

/// A secret that shows up in no log.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// The secret.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

impl TokenFile {
    /// A file that no configuration names.
    #[must_use]
    pub fn at(path: PathBuf) -> Self {
        Self { path, line: 1 }
    }

    /// Reads the token. Space around it does not count.
    ///
    /// # Errors
    /// A sentence, if the file cannot be read, may be read by everybody, or holds no token.
    pub fn read(&self) -> Result<Token, String> {
        let named = |what: &str| format!("the token file {} {what}", self.path.display());
        let unreadable = |error: std::io::Error| {
            named(&format!("cannot be read ({error}); create it, readable by the service alone"))
        };
        // A pipe without a writer would block.
        let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&self.path);
        let file = file.map_err(unreadable)?;
        let facts = file.metadata().map_err(unreadable)?;
        if !facts.is_file() {
            return Err(named("is no file; write the token into a plain one"));
        }
        if facts.permissions().mode() & 0o007 != 0 {
            return Err(named(&format!("is open to everybody; run chmod 600 {}", self.path.display())));
        }
        let mut token = Vec::new();
        file.take(LONGEST + 1).read_to_end(&mut token).map_err(unreadable)?;
        let token = String::from_utf8(token).map_err(|_| named("is not text; write one line into it"))?;
        let token = token.trim();
        if token.is_empty() {
            return Err(named("is empty; write the token into it"));
        }
        if token.len() as u64 > LONGEST || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(named("holds more than one word of plain letters; write the token alone into it"));
        }
        Ok(Token(token.to_owned()))
    }

    /// Can the token be read?
    ///
    /// # Errors
    /// If it cannot, naming the line of the configuration at `config`.
    pub(super) fn check(&self, config: &Path) -> Result<(), ConfigError> {
        let error = |message| ConfigError { path: config.to_owned(), line: Some(self.line), message };
        self.read().map(drop).map_err(error)
    }
}
