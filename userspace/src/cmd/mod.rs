//! The commands: thin, between the command line and the stages.

pub mod capture;
pub mod check;
mod destination;
pub mod export;
pub mod list;
mod output;
pub mod replay;
pub mod report;
pub mod serve;
pub mod stacks;
pub mod top;
pub mod web;
