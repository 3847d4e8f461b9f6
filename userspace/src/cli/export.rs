//! Arguments of `export`.

use std::path::PathBuf;

use clap::Args;
use sockleak_recording::export;

use super::{Part, choice::choice};

/// Arguments of `export`.
#[derive(Debug, Args)]
pub struct Export {
    /// A recording of `sockleak capture --output`, finished or not.
    #[arg(value_name = "RECORDING")]
    pub trace: PathBuf,
    /// How rows are written, described in docs/export.md [default: as the name of --output ends (.csv, .jsonl or .parquet),
    /// else csv]
    #[arg(long, value_parser = choice::<export::Format>(), value_name = "FORMAT")]
    pub format: Option<export::Format>,
    /// What a row stands for.
    #[arg(long, value_parser = choice::<export::What>(), default_value_t, value_name = "ROWS")]
    pub what: export::What,
    /// The part of the recording whose rows are written.
    #[command(flatten)]
    pub part: Part,
    /// Write to this file, which is replaced when everything is written; `-` is standard output.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}
