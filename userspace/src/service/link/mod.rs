//! What the process that answers HTTP and the tracer say to each other, over a pair of connected sockets.
//!
//! The tracer reads other people's processes, so it never parses HTTP; the other process does, has no privileges, and is not
//! trusted: what it sends is bounded and checked, and whatever is wrong with it ends the link.
//!
//! Each message is a frame of a length (32 bits, big endian) and so many bytes: a line of JSON, and in the direction of the web
//! process a body after it.

pub mod answer;
mod asker;
mod body;
pub mod closed;
pub mod connections;
mod frame;
pub mod gathered;
pub mod playing;
mod present;
pub mod question;
pub mod story;
mod tracer;

pub use answer::{Answer, Answers, Sight, respond};
pub use asker::{Answered, AskError, Asker, EventText, Subscription};
pub use frame::{LinkError, Settings};
pub use present::{Played, Present};
pub use question::Question;
pub use tracer::{Asked, Link};

#[cfg(test)]
mod tests;
