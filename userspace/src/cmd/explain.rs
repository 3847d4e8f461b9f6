//! `sockleak explain`: what a verdict means, from the same document that is read on the web.

use sockleak_report::{explain, text::WIDTH};

use super::output::{Output, terminal_width};
use crate::{cli::Explain, failure::Failure};

/// Longer lines are hard to read.
const WIDEST: usize = 100;

/// Runs it.
///
/// # Errors
/// If it cannot be written.
pub fn run(arguments: &Explain) -> Result<(), Failure> {
    let width = terminal_width().unwrap_or(WIDTH).min(WIDEST);
    let text = arguments.verdict.map_or_else(|| explain::list(width), |it| explain::text(it, width));
    let mut out = Output::default();
    out.buffer.extend_from_slice(text.as_bytes());
    out.flush()
}
