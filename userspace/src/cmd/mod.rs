//! The commands: thin, between the command line and the stages.

pub mod archive;
pub mod capture;
pub mod check;
pub mod compare;
pub mod completions;
mod destination;
pub mod explain;
pub mod export;
pub mod list;
mod output;
mod part;
pub mod replay;
pub mod report;
pub mod run;
pub mod serve;
pub mod stacks;
mod stray;
pub mod top;
pub mod web;
