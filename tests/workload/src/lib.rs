//! Programs that use unix sockets in every way sockleak has to follow, and that write down what they did.
//!
//! A scenario is a script, played by a director: it starts actors (real processes), tells them one by one what to
//! do, waits for each answer, and keeps the truth of every connection. Nothing is timed: an action is over when its
//! actor has answered.

pub mod actor;
pub mod haproxy;
pub mod identity;
pub mod scenario;
pub mod stage;
pub mod stopped;
pub mod truth;
pub mod unix;
pub mod wait;
