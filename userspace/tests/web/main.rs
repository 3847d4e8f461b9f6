//! The real web server, asked over real sockets, with a tracer that answers from a session that is made up.

mod client;
mod events;
mod fake;
mod hostile;
mod listing;
mod model;
mod openapi;
mod page;
mod process;
mod prometheus;
mod report;
#[allow(dead_code, reason = "the scenes are shared with other tests, and not all of them are of use here")]
#[path = "../formats/scene.rs"]
mod scene;
mod secrets;
mod server;
