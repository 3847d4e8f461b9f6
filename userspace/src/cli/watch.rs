//! Arguments of the commands that show what goes on: `replay` and `top`.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::Args;
use sockleak_core::attribution::{by::By, limits::GivenLimit};

use super::{Probe, choice::choice, values::duration};
use crate::{
    client::Server,
    probe::options::{StackPolicy, UsePolicy},
    replay::Speed,
    service::web::listen::Address,
};

/// Arguments of `replay`.
#[derive(Debug, Args)]
pub struct Replay {
    /// A recording of `sockleak capture --output`, finished or not.
    #[arg(required_unless_present = "store", value_name = "RECORDING")]
    pub trace: Option<PathBuf>,
    /// Play the last recording that `sockleak serve` has stored in this directory.
    #[arg(long, value_name = "DIRECTORY", conflicts_with = "trace")]
    pub store: Option<PathBuf>,
    /// Which part of the recording is played, and how fast.
    #[command(flatten)]
    pub pace: Pace,
    /// Answer on this address: IP:PORT, also of IPv6, or unix:PATH; may be repeated.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9436")]
    pub listen: Vec<Address>,
    /// A file with the token that shows command lines, and without which nobody is answered who asks from another host.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Judge with this leak age instead of the recorded one.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub leak_age: Option<Duration>,
    /// How many connections a socket's server serves at a time, instead of or besides what was recorded.
    #[arg(long = "limit", value_name = "SOCKET=SLOTS", value_parser = GivenLimit::parse)]
    pub limits: Vec<GivenLimit>,
    /// What figures and findings are grouped by.
    #[arg(long, value_parser = choice::<By>(), default_value_t, value_name = "WHAT")]
    pub by: By,
}

/// Arguments of `top`.
#[derive(Debug, Args)]
pub struct Top {
    /// Sockets to trace, which needs root: a path, a glob, a bare file name (in any directory and container), or @abstract.
    ///
    /// Without any, a service is asked.
    #[arg(value_name = "TARGET", conflicts_with_all = ["service", "replay"])]
    pub targets: Vec<OsString>,
    /// Ask the service there: http://HOST:PORT or unix:PATH [default: http://127.0.0.1:9436]
    #[arg(long, value_name = "URL", conflicts_with = "replay")]
    pub service: Option<Server>,
    /// A file with the service's token, which shows command lines.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["targets", "replay"])]
    pub token_file: Option<PathBuf>,
    /// Play this recording.
    #[arg(long, value_name = "RECORDING")]
    pub replay: Option<PathBuf>,
    /// Which part of the recording is played, and how fast.
    #[command(flatten)]
    pub pace: Pace,
    /// How often to ask what is new, for example 500ms.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    pub every: Duration,
    /// Draw with nothing but ASCII. That is done in any case where the locale has no Unicode.
    #[arg(long)]
    pub ascii: bool,
    /// Leave the mouse to the terminal, which selects text with it.
    #[arg(long)]
    pub no_mouse: bool,
    /// Age from which a connection counts as old [default: 60s, or the recorded one]
    #[arg(long, value_name = "TIME", value_parser = duration, conflicts_with = "service")]
    pub leak_age: Option<Duration>,
    /// How many connections a socket's server serves at a time: a path, file name, @name or glob, and the number.
    #[arg(long = "limit", value_name = "SOCKET=SLOTS", value_parser = GivenLimit::parse, conflicts_with = "service")]
    pub limits: Vec<GivenLimit>,
    /// What figures and findings are grouped by [default: program]
    #[arg(long, value_parser = choice::<By>(), value_name = "WHAT", conflicts_with = "service")]
    pub by: Option<By>,
    /// Tell where in the program connections are opened, as for `capture`.
    #[arg(long, value_parser = choice::<StackPolicy>(), value_name = "WHEN", num_args = 0..=1, require_equals = true, default_missing_value = "on",
          requires = "targets")]
    pub stacks: Option<StackPolicy>,
    /// When to note that an end of a connection sends something, as for `capture`.
    #[arg(long = "use", value_parser = choice::<UsePolicy>(), value_name = "WHEN", requires = "targets")]
    pub usage: Option<UsePolicy>,
    /// How to hook into the kernel.
    #[command(flatten)]
    pub probe: Probe,
}

/// Which part of a recording is played, and how fast.
#[derive(Clone, Copy, Debug, Args)]
pub struct Pace {
    /// How many times as fast as it happened, for example 10 or 0.5; max is all at once [default: 1]
    #[arg(long, value_name = "TIMES")]
    pub speed: Option<Speed>,
    /// Play it from so long after its beginning, for example 10m; what was before happens at once.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub from: Option<Duration>,
    /// Stop so long after its beginning: what was known then stays.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub to: Option<Duration>,
}
