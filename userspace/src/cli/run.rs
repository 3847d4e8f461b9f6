//! Arguments of `run`.

use std::{ffi::OsString, str::FromStr, time::Duration};

use clap::Args;
use sockleak_core::verdict::Verdict;

use super::{Names, Probe, StackPolicy, choice::choice, values::duration};

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct Run {
    /// Sockets, as for `capture`: a path, a glob, a bare file name, or @abstract [default: all sockets that have a name]
    #[arg(long = "socket", short, value_name = "TARGET")]
    pub sockets: Vec<OsString>,
    /// How many connections each process may keep open to its end on each socket: the last that it opened there.
    ///
    /// The default allows for one connection that a process uses as long as it lives. A pool of four needs 4. With 0
    /// every connection has to be closed.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(..=10_000))]
    pub allow: u32,
    /// A connection that a process closes so short a time before its end counts as left open, unless it is the last one
    /// that it opened on that socket: an interpreter such as Python closes at its end what the program forgot.
    ///
    /// Without this option, what is closed is closed.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub late: Option<Duration>,
    /// End with status 7 if one of these is found: a connection that was lost, a verdict, or that something is
    /// missing.
    #[arg(long, value_name = "WHAT,...", value_delimiter = ',', value_parser = FailOnRun::names(),
          default_value = "lost,client-leak,server-leak,stale-client")]
    pub fail_on: Vec<FailOnRun>,
    /// Run the command as this user; without a name, as the one who called sudo.
    ///
    /// Without this option the command runs as sockleak does: under sudo as root.
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub user: Option<String>,
    /// A server loses its end of a connection if it still has it at its exit, and the client left longer ago than this.
    /// Verdicts are found by it too.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    pub leak_age: Duration,
    /// Whether to say where in the program connections were opened.
    #[arg(long, value_parser = choice::<StackPolicy>(), value_name = "WHEN", num_args = 0..=1, require_equals = true,
          default_value_t = StackPolicy::On, default_missing_value = "on")]
    pub stacks: StackPolicy,
    /// How to hook into the kernel.
    #[command(flatten)]
    pub probe: Probe,
    /// The command and its arguments.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

/// What makes `run` end with a status of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailOnRun {
    /// Something is known to be missing.
    Incomplete,
    /// A verdict.
    Verdict(Verdict),
    /// A connection that a process left open.
    Lost,
}

impl FailOnRun {
    /// Parses it; the help lists all.
    #[must_use]
    pub fn names() -> Names<Self> {
        Names::verdicts_and(&["lost", "incomplete"])
    }

    /// Its name in arguments.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Incomplete => "incomplete",
            Self::Verdict(verdict) => verdict.name(),
            Self::Lost => "lost",
        }
    }
}

impl FromStr for FailOnRun {
    type Err = <Verdict as FromStr>::Err;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "lost" => Ok(Self::Lost),
            "incomplete" => Ok(Self::Incomplete),
            verdict => verdict.parse().map(Self::Verdict),
        }
    }
}
