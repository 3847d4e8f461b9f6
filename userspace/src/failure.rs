//! What can go wrong for a user, and the exit status that says so: this is the one place that maps them.

use std::{io, path::PathBuf, process::ExitCode};

use sockleak_core::attribution::targets::TargetError;
use sockleak_recording::{TraceError, export::ExportError};

/// A reason to end, in a sentence that names the remedy. `docs/exit-codes.md` lists the statuses.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// An argument cannot be used.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// Arguments do not go together.
    #[error("{0}")]
    Usage(String),
    /// The part of a recording that is wanted lies outside of it.
    #[error("{0}")]
    Outside(String),
    /// Root or a capability is missing.
    #[error("sockleak must run as root, or with {missing}; {remedy}")]
    Privilege {
        /// The capabilities that are missing.
        missing: String,
        /// How to get them.
        remedy: String,
    },
    /// The kernel lacks what tracing needs, or refuses it.
    #[error("{0}")]
    Kernel(String),
    /// Output could not be written.
    #[error("the output cannot be written ({0}); free or change its destination and run again")]
    Output(#[source] io::Error),
    /// A file could not be written.
    #[error("{} cannot be written ({cause}); free or change it and run again", path.display())]
    OutputFile {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// A recording cannot be written or read.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// The service's configuration cannot be used.
    #[error(transparent)]
    Config(anyhow::Error),
    /// The service's store cannot be used.
    #[error(transparent)]
    Store(anyhow::Error),
    /// A verdict that the user wants to hear about as a status.
    #[error("{0}")]
    Found(String),
    /// No socket matches what was asked for.
    #[error("no socket matches {0}")]
    NoSocket(String),
    /// The processes that were asked for are not there.
    #[error("there is no process {0}, or /proc hides it; see its number in ps, or choose by --program")]
    NoProcess(String),
    /// Anything else.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

impl Failure {
    /// The same, with what works where the kernel takes no program: it says who holds what now.
    #[must_use]
    pub fn or_list(self) -> Self {
        match self {
            Self::Kernel(reason) => Self::Kernel(format!(
                "{reason}; sockleak list may work all the same, and says who holds what now"
            )),
            failure => failure,
        }
    }

    /// The process's exit status.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Other(_) => 1,
            // clap's own for usage errors
            Self::Target(_) | Self::Usage(_) | Self::Outside(_) | Self::Config(_) => 2,
            Self::Privilege { .. } => 3,
            Self::Kernel(_) => 4,
            Self::Output(_) | Self::OutputFile { .. } => 5,
            Self::Trace(_) | Self::Store(_) => 6,
            Self::Found(_) => 7,
            Self::NoSocket(_) | Self::NoProcess(_) => 8,
        })
    }
}

impl From<ExportError> for Failure {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Recording(error) => Self::Trace(error),
            ExportError::Output(error) => Self::Output(error),
        }
    }
}
