//! The kernel side from userspace: what the kernel offers (facts), what to attach (plan, pure), doing so, and reading
//! the records.

pub mod attach;
pub mod control;
pub mod facts;
mod functions;
mod gauges;
mod hooks;
pub mod offsets;
pub mod options;
pub mod pins;
pub mod plan;
pub mod ring;
pub mod rounds;
mod shared;
pub mod sizes;
pub mod status;
mod verify;
mod waiting;
