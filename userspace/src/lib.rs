//! Follows unix-socket connections from connect to the release of both ends, and tells which program opens without
//! closing.
//!
//! Data flows one way: [`probe`] → [`decode`] → [`session`] ([`attribution`] and [`lifecycle`]) → [`verdict`] → [`report`].
//! What lies between the ring buffer, or a [`trace_file`], and the output is free of I/O.

pub mod attribution;
pub mod child;
pub mod cli;
pub mod clock;
pub mod cmd;
pub mod console;
pub mod decode;
pub mod diag;
mod elide;
pub mod event;
pub mod export;
pub mod failure;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
pub mod lifecycle;
pub mod namespaces;
mod output_path;
pub mod privilege;
pub mod probe;
pub mod proc;
mod recent;
pub mod replay;
pub mod report;
pub mod runtime;
pub mod service;
pub mod session;
pub mod stacks;
pub mod top;
pub mod trace_file;
pub mod tracer;
pub mod verdict;
