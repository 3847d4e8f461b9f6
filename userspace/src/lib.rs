//! Follows unix-socket connections from connect to the release of both ends, and tells which program opens without
//! closing.
//!
//! Data flows one way: [`probe`] → [`sockleak_core`] (decode, lifecycle, attribution, verdict) → [`sockleak_report`]. Here is what
//! has to do with the live system: the kernel side, [`tracer`], the [`service`], [`top`], and the commands. What lies between the
//! ring buffer, or a [`sockleak_recording`], and the output is free of I/O.

pub mod cgroups;
pub mod child;
pub mod cli;
pub mod client;
pub mod clock;
pub mod cmd;
pub mod confinement;
pub mod console;
pub mod containers;
pub mod diag;
pub mod failure;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
pub mod namespaces;
pub mod privilege;
pub mod probe;
pub mod proc;
pub mod replay;
pub mod runtime;
pub mod service;
pub mod signals;
pub mod stacks;
pub mod top;
pub mod tracer;
pub mod view;
