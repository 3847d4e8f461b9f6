//! Tokens, which are in files of their own so that the configuration can be shown.

use std::{
    fmt,
    fs::OpenOptions,
    io::{self, Read as _},
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

/// A token cannot be used. The sentence names its file and the remedy.
#[derive(Debug, thiserror::Error)]
#[error("the token file {} {fault}", path.display())]
pub struct TokenError {
    path: PathBuf,
    fault: TokenFault,
}

/// What is wrong with the file of a token, as the end of a sentence about it.
#[derive(Debug, thiserror::Error)]
enum TokenFault {
    #[error("cannot be read ({0}); create it, readable by the service alone")]
    Unreadable(#[from] io::Error),
    #[error("is no file; write the token into a plain one")]
    NoFile,
    #[error("is open to everybody; run chmod 600 {}", .0.display())]
    Open(PathBuf),
    #[error("is not text; write one line into it")]
    NoText,
    #[error("is empty; write the token into it")]
    Empty,
    #[error("holds more than one word of plain letters; write the token alone into it")]
    NoWord,
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
    /// If the file cannot be read, may be read by everybody, or holds no token.
    pub fn read(&self) -> Result<Token, TokenError> {
        self.try_read().map_err(|fault| TokenError { path: self.path.clone(), fault })
    }

    fn try_read(&self) -> Result<Token, TokenFault> {
        // A pipe without a writer would block.
        let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&self.path)?;
        let facts = file.metadata()?;
        if !facts.is_file() {
            return Err(TokenFault::NoFile);
        }
        if facts.permissions().mode() & 0o007 != 0 {
            return Err(TokenFault::Open(self.path.clone()));
        }
        let mut token = Vec::new();
        file.take(LONGEST + 1).read_to_end(&mut token)?;
        let token = String::from_utf8(token).map_err(|_| TokenFault::NoText)?;
        let token = token.trim();
        if token.is_empty() {
            return Err(TokenFault::Empty);
        }
        if token.len() as u64 > LONGEST || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenFault::NoWord);
        }
        Ok(Token(token.to_owned()))
    }

    /// Can the token be read?
    ///
    /// # Errors
    /// If it cannot, naming the line of the configuration at `config`.
    pub(super) fn check(&self, config: &Path) -> Result<(), ConfigError> {
        self.read().map(drop).map_err(|error| ConfigError {
            path: config.to_owned(),
            line: Some(self.line),
            message: error.to_string(),
        })
    }
}

#[cfg(test)]
mod tests;
