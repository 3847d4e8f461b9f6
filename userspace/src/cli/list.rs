//! Arguments of `list`.

use std::ffi::OsString;

use clap::Args;
use sockleak_core::attribution::{
    filter::{Filter, Glob},
    limits::GivenLimit,
};
use sockleak_report::survey::SortKey;

use super::{ColorWhen, choice::choice};

/// Arguments of `list`.
#[derive(Debug, Args)]
pub struct List {
    /// Sockets: a path, a glob, a bare file name (in any directory and container), or @abstract.
    ///
    /// Without a target, every unix stream socket of the host has a row, the busiest first.
    #[arg(value_name = "TARGET")]
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

/// Which processes are wanted. Several values of one option mean any of them; different options must all match.
#[derive(Clone, Debug, Args)]
pub struct Chosen {
    /// Only what this process holds an end of or listens on; may be repeated.
    #[arg(short, long = "pid", value_name = "PID", value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "targets")]
    pub pids: Vec<u32>,
    /// Only programs whose path, file name or process name matches, for example 'nginx*'; may be repeated.
    #[arg(long = "program", value_name = "GLOB", value_parser = Glob::parse, conflicts_with = "targets")]
    pub programs: Vec<Glob>,
    /// Only processes of this user, by name or number; may be repeated.
    #[arg(long = "user", value_name = "USER", conflicts_with = "targets")]
    pub users: Vec<String>,
    /// Only processes of this systemd unit, with or without .service; may be a glob, and be repeated.
    #[arg(long = "unit", value_name = "GLOB", value_parser = Glob::parse, conflicts_with = "targets")]
    pub units: Vec<Glob>,
    /// Only processes of this container: the beginning of its id or of its pod's uid; may be repeated.
    #[arg(long = "container", value_name = "ID", value_parser = Glob::parse, conflicts_with = "targets")]
    pub containers: Vec<Glob>,
}

impl Chosen {
    /// As a filter.
    #[must_use]
    pub fn filter(&self) -> Filter {
        let Self { pids, programs, users, units, containers } = self.clone();
        Filter { pids, programs, users, units, containers }
    }
}
