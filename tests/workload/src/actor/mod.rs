//! Actors: processes which do one thing at a time, as the director tells them.

mod act;
mod bulk;
mod handle;
mod protocol;
mod restless;
mod thread;
mod using;

pub use act::run;
pub use handle::Actor;
pub use protocol::{Answer, Command, Made, Pair, Place};
pub use using::{Taken, Way};
