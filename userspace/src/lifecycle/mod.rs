//! The life of connections, from the events alone: pure, in the order in which the kernel saw them.

mod connection;
mod reconcile;
mod table;

pub use connection::{Accepted, Connection, EndState, State};
pub use reconcile::{LiveEnds, Repair};
pub use table::{Anomaly, Change, Table};
