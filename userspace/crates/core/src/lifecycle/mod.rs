//! The life of connections, from the events alone: pure, in the order in which the kernel saw them.

mod connection;
mod found;
mod reconcile;
mod table;

pub use connection::{Accepted, Connection, EndState, Origin, State};
pub use found::other;
pub use reconcile::LiveEnds;
pub use table::{Anomaly, Change, Found, Moment, Table};
