//! Threads of this process that answer as a service does: one plays a recording, the other traces.

mod local;
mod trace;

pub use local::Local;
pub use trace::Tracing;
