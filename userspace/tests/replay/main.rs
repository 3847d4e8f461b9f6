//! Recordings played: what is due when, that the end is the report's, and the real command over HTTP.

mod command;
mod player;
mod strangers;

use scenes::scene;
