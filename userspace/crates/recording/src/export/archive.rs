//! A closed segment of a store as Parquet files for an object store: each row in exactly one file.
//!
//! The columns are those of the other exports, and a few at the end that say where the rows come from. The same segment gives the
//! same bytes each time.

mod part;

use std::ops::ControlFlow;

use sockleak_core::{
    attribution::{limits::GivenLimit, selection::Selection},
    choices,
    session::{Session, Settings},
};

use super::{
    ExportError,
    attempts::{Attempt, Attempts},
    connections::{Connections, life, oldest_first},
    findings::{Findings, found},
};
use crate::Trace;
use part::Parts;

pub use part::Part;

/// Version of the columns. Columns are only added, at the end, and each time this grows by one.
pub const SCHEMA: u64 = 1;

choices! {
    /// What the rows of a file stand for.
    #[derive(Debug, PartialOrd, Ord, Hash, Default)]
    pub enum Kind {
        /// A connection that was closed in the segment.
        #[default]
        Connections = "connections",
        /// A connect() that failed in it.
        Attempts = "attempts",
        /// A verdict on a program on a socket, as it stood at the segment's end.
        Findings = "findings",
        /// A connection that was open at the segment's end, and what its ends had sent by then.
        Open = "open",
    }
}

/// What goes into the files.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Command lines too. They may hold secrets.
    pub command_lines: bool,
    /// Rows of a file at most; 0 for as many as is usual.
    pub rows: u64,
}

/// Writes a segment as files, and hands over each when it is complete. Kinds without rows have no file.
///
/// # Errors
/// If the segment is damaged, or a file cannot be taken.
pub fn archive(
    trace: &Trace,
    options: Options,
    take: &mut dyn FnMut(Part) -> std::io::Result<()>,
) -> Result<(), ExportError> {
    let mut session = session(trace);
    let now = trace.progress().now;
    let mut closed: Parts<Connections> = Parts::new(Kind::Connections, trace, options);
    let mut attempts: Parts<Attempts> = Parts::new(Kind::Attempts, trace, options);
    let mut outcome = Ok(());
    trace.replay(|record| {
        let effect = session.feed(record);
        if let Some(attempt) = effect.notice.and_then(Attempt::of) {
            outcome = attempts.write(&attempt, take);
        }
        if let (Ok(()), Some(it)) = (&outcome, effect.closed) {
            outcome = closed.write(&life(it.session, it.socket, it.connection, now), take);
        }
        if outcome.is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    let rest = || {
        outcome?;
        closed.finish(take)?;
        attempts.finish(take)?;
        let mut findings: Parts<Findings> = Parts::new(Kind::Findings, trace, options);
        found(trace, &session).iter().try_for_each(|found| findings.write(found, take))?;
        findings.finish(take)?;
        let mut open: Parts<Connections> = Parts::new(Kind::Open, trace, options);
        let all = oldest_first(&session).into_iter();
        all.map(|(socket, it)| life(&session, socket, it, now)).try_for_each(|it| open.write(&it, take))?;
        open.finish(take)
    };
    rest().map_err(ExportError::Output)
}

/// An empty session that judges as the service did.
fn session(trace: &Trace) -> Session {
    let header = trace.header();
    let settings = Settings {
        started: header.started,
        leak_age: header.leak_age,
        limits: header.limits.iter().filter_map(|limit| GivenLimit::parse(limit).ok()).collect(),
        ..Settings::default()
    };
    Session::new(Selection::recorded(header.targets.clone()), settings)
}
