//! Recordings played: what is due when, that the end is the report's, and the real command over HTTP.

mod command;
mod player;
#[allow(dead_code, reason = "the scenes are shared with other tests, and not all of them are of use here")]
#[path = "../formats/scene.rs"]
mod scene;
mod strangers;
