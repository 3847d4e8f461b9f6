//! The commands: thin, between the command line and the stages.

pub mod capture;
pub mod check;
pub mod list;
mod output;
pub mod report;
mod source;
