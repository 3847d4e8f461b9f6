//! `sockleak top` in a real terminal: tmux draws it, keys are sent to it, and what is on its screen is compared.
//!
//! `UPDATE_GOLDENS=1` writes the screens that are expected anew: look at what has changed in them.

mod ends;
mod mouse;
mod refusals;
mod service;
mod storm;
mod tmux;
mod views;

use scenes::scene::{self, Scratch};
use tmux::Tmux;

/// A directory with a recording of a leak.
fn recorded() -> Scratch {
    let scratch = Scratch::new();
    scene::busy().record(&scratch.file("leak.db"), "db1");
    scratch
}

/// A terminal in which a recording is shown as it was at its end.
fn at_the_end(scratch: &Scratch, size: (u16, u16), more: &str) -> Tmux {
    let terminal = Tmux::new(scratch, size);
    terminal.run(&format!("sockleak top --replay leak.db --speed max {more}"));
    terminal.wait_for("cert-renewer opens connections");
    terminal
}
