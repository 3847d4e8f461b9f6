//! The life of connections, from the events alone: pure, in the order in which the kernel saw them.

mod connection;
mod table;

pub use connection::{Accepted, Connection, EndState, State};
pub use table::{Anomaly, Change, Table};
