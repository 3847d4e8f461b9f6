//! Recordings: everything that a [`Session`](sockleak_core::session::Session) was fed, in order, and what surrounds it, in
//! SQLite. A replay of it leads to the report of the moment that it was recorded up to.
//!
//! It is written by a thread of its own, in transactions: after a crash it holds whole batches, and others can read it while
//! it grows. `schema.sql` describes the tables, which `sqlite3` can query, and the views `connection` and `attempt`.

mod bounds;
mod code;
mod error;
pub mod export;
mod insert;
pub mod new_file;
pub mod output_path;
mod reader;
mod replay;
mod rows;
mod scan;
mod schema;
pub mod segment;
mod shape;
mod writer;

pub use error::TraceError;
pub use reader::Trace;
pub use segment::Segment;
pub use writer::Writer;
pub use writer::{Closing, Committed};

use sockleak_core::assess::Coverage;

/// What is known of a session when it begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// The sockleak that records.
    pub version: String,
    /// Name of the host.
    pub host: String,
    /// The kernel's id of this boot.
    pub boot_id: String,
    /// The kernel's release.
    pub kernel: String,
    /// When the host was booted: nanoseconds since 1970. Turns the times of records into time of day.
    pub boot_time: i64,
    /// The targets as given.
    pub targets: Vec<String>,
    /// Age from which a connection counts as old, in nanoseconds.
    pub leak_age: u64,
    /// Slots of sockets, as given: `ma.sock=10`.
    pub limits: Vec<String>,
    /// The hooks and how each came out.
    pub hooks: serde_json::Value,
    /// When observation began: nanoseconds since boot.
    pub started: u64,
}

/// What changes while a session goes on, as a report is made with it. Up to its moment the records are complete.
pub type Progress = Coverage;

#[cfg(test)]
mod tests;
