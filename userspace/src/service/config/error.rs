//! What is wrong with a configuration.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use crate::failure::Failure;

/// What is wrong with a configuration: one sentence that names the file, the line, the key and the remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// The file.
    pub path: PathBuf,
    /// The line in it, counted from 1; none if it is about the file as a whole.
    pub line: Option<usize>,
    /// What is wrong, and what to do.
    pub message: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// A file that is being read: turns places in it into lines.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    /// Where it is.
    pub(super) path: &'a Path,
    /// All of it.
    pub(super) text: &'a str,
}

impl Source<'_> {
    /// The line that a byte is in, counted from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        let before = self.text.as_bytes().iter().take(at);
        before.filter(|&&byte| byte == b'\n').count() + 1
    }

    /// What is wrong at a byte.
    pub(super) fn error(&self, at: usize, message: impl Into<String>) -> ConfigError {
        ConfigError { path: self.path.to_owned(), line: Some(self.line(at)), message: message.into() }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Config(error.into())
    }
}
