//! Messages on standard error: one line each, safe for a terminal, and no reason to fail if nobody can read them.

use std::{
    fmt,
    io::{self, Write as _},
};

use crate::report::escape::terminal;

/// Prints a message.
pub fn say(message: impl fmt::Display) {
    // Where standard error is closed or full there is nobody to tell.
    let _ = writeln!(io::stderr(), "sockleak: {}", terminal(&message.to_string()));
}
