//! The kernel side from userspace: what the kernel offers (facts), what to attach (plan, pure), doing so, and reading
//! the records.

pub mod attach;
pub mod btf;
pub mod control;
pub mod facts;
pub mod offsets;
pub mod plan;
pub mod ring;
mod shared;
pub mod status;
