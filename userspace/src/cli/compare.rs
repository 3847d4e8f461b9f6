//! Arguments of `compare`.

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use sockleak_core::attribution::{by::By, limits::GivenLimit};

use super::{choice::choice, values::duration};

/// Arguments of `compare`.
#[derive(Debug, Args)]
pub struct Compare {
    /// The earlier recording, for example of the release before: `sockleak capture --output FILE`.
    #[arg(value_name = "BEFORE")]
    pub before: PathBuf,
    /// The later recording.
    #[arg(value_name = "AFTER")]
    pub after: PathBuf,
    /// Print one JSON object (described in docs/json.md).
    #[arg(long)]
    pub json: bool,
    /// End with status 7 if one of these is found.
    ///
    /// `new`: a leak (client-leak, server-leak or stale-client) that the earlier recording does not have.
    /// `new-suspect`: a suspect that it does not have. `still`: a leak or suspect in both. `not-enough-seen`: a
    /// program of which the later recording does not show enough to tell. `incomplete`: something is missing in one
    /// of the two.
    #[arg(long, value_enum, value_name = "WHAT,...", value_delimiter = ',')]
    pub fail_on: Vec<FailOnChange>,
    /// Judge both with this leak age instead of the recorded ones.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub leak_age: Option<Duration>,
    /// How many connections a socket's server serves at a time, instead of or besides what was recorded.
    #[arg(long = "limit", value_name = "SOCKET=SLOTS", value_parser = GivenLimit::parse)]
    pub limits: Vec<GivenLimit>,
    /// What both are grouped by: a program whose path has its version in it is another program in each release, a unit
    /// stays the same.
    #[arg(long, value_parser = choice::<By>(), default_value_t, value_name = "WHAT")]
    pub by: By,
}

/// What makes a comparison end with a status of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum FailOnChange {
    /// A leak that is new.
    New,
    /// A suspect that is new.
    NewSuspect,
    /// A leak or a suspect in both.
    Still,
    /// Not enough was seen of a program.
    NotEnoughSeen,
    /// Something is missing in a recording.
    Incomplete,
}

impl FailOnChange {
    /// Its name in arguments.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::NewSuspect => "new-suspect",
            Self::Still => "still",
            Self::NotEnoughSeen => "not-enough-seen",
            Self::Incomplete => "incomplete",
        }
    }
}
