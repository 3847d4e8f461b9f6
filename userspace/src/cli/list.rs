//! Arguments of `list`.

use std::{ffi::OsString, time::Duration};

use clap::Args;
use sockleak_core::attribution::limits::GivenLimit;
use sockleak_report::survey::SortKey;

use super::{Chosen, ColorWhen, choice::choice, duration};

/// Arguments of `list`.
#[derive(Debug, Args)]
pub struct List {
    /// Sockets: a path, a glob, a bare file name (in any directory and container), or @abstract.
    ///
    /// Without a target, the unix stream sockets of the host with the most open connections have a row each; with --all, every
    /// one has.
    #[arg(value_name = "TARGET", conflicts_with = "Chosen")]
    pub targets: Vec<OsString>,
    /// Which processes are wanted.
    #[command(flatten)]
    pub chosen: Chosen,
    /// Sort the rows of the survey by this.
    #[arg(long, value_parser = choice::<SortKey>(), default_value_t, value_name = "KEY", conflicts_with = "targets")]
    pub sort: SortKey,
    /// Show only so many rows of the survey [default: 20; with --json all]
    #[arg(long, value_name = "N", conflicts_with_all = ["targets", "all"], value_parser = clap::value_parser!(u32).range(1..))]
    pub top: Option<u32>,
    /// Show all rows of the survey.
    #[arg(long, conflicts_with = "targets")]
    pub all: bool,
    /// Look again every so often until Ctrl-C, and mark what changed since the last look; without a time, every 2 s.
    ///
    /// On a terminal the listing is redrawn in place. Elsewhere each look is a block that begins with its time; with --json
    /// it is a line.
    #[arg(long, value_name = "TIME", value_parser = duration, num_args = 0..=1, require_equals = true, default_missing_value = "2s")]
    pub watch: Option<Duration>,
    /// Print one JSON object (described in docs/json.md).
    #[arg(long)]
    pub json: bool,
    /// How many connections a socket's server serves at a time: a path, file name, @name or glob, and the number.
    ///
    /// Of HAProxy's master socket it is known.
    #[arg(long = "limit", value_name = "SOCKET=SLOTS", value_parser = GivenLimit::parse)]
    pub limits: Vec<GivenLimit>,
    /// Ask sock_diag(7) and /proc instead of a program in the kernel, as where the kernel allows none. Finds less. The survey always
    /// asks these.
    #[arg(long)]
    pub sock_diag: bool,
    /// When text has colours: by default on a terminal, unless the variable NO_COLOR is set or TERM is dumb.
    #[arg(long, value_parser = choice::<ColorWhen>(), default_value_t, value_name = "WHEN")]
    pub color: ColorWhen,
}

impl List {
    /// How often `--watch` looks if no time is given.
    pub(crate) const EVERY: Duration = Duration::from_secs(2);
}
