//! Arguments of the commands that show what goes on: `replay` and `top`.

use std::{path::PathBuf, time::Duration};

use clap::Args;

use super::duration;
use crate::{
    attribution::{by::By, limits::GivenLimit},
    replay::Speed,
    service::web::listen::Address,
};

/// Arguments of `replay`.
#[derive(Debug, Args)]
pub struct Replay {
    /// A recording of `sockleak capture --output`, finished or not.
    #[arg(required_unless_present = "store", value_name = "TRACE")]
    pub trace: Option<PathBuf>,
    /// Play the last recording that `sockleak serve` has stored in this directory.
    #[arg(long, value_name = "DIRECTORY", conflicts_with = "trace")]
    pub store: Option<PathBuf>,
    /// Which part of the recording is played, and how fast.
    #[command(flatten)]
    pub pace: Pace,
    /// Answer on this address: IP:PORT, [IPv6]:PORT or unix:PATH; may be repeated.
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
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    pub by: By,
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
