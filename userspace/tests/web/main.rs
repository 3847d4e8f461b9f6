//! The real web server, asked over real sockets, with a tracer that answers from a session that is made up.

mod client;
mod events;
mod hostile;
mod leads;
mod listing;
mod model;
mod openapi;
mod page;
mod process;
mod prometheus;
mod report;
mod secrets;
mod server;

use scenes::{fake, scene};
