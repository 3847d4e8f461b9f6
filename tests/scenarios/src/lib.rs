//! Plays scenarios under a capture, and compares what was captured with what happened.

pub mod actor;
pub mod capture;
pub mod cli;
pub mod compare;
pub mod perfect;
pub mod run;
pub mod soak;
