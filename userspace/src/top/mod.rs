//! `sockleak top`: sockets, programs and connections in a terminal, live.
//!
//! What is shown follows from a `state`, and a state from what happened before: keys, answers, sizes of the terminal. Both are
//! free of I/O. Answers come from a [source], which is polled (`poll`) beside all that, so that a key never waits for one.

mod poll;
mod run;
pub mod source;
mod state;
mod terminal;
mod text;
mod theme;
mod view;
#[cfg(test)]
mod world;

pub use run::{Show, Watched, check, run};
