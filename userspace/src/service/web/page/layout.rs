//! What is around each view.

use maud::{DOCTYPE, Markup, html};
use sockleak_report::html::parts::{self, Text};

use super::cells::plain_moment;
use crate::service::{link::Played, model::Snapshot};

/// What a page says of itself.
pub(crate) struct Frame<'a> {
    /// Where it was asked for, with what came after the question mark.
    pub(crate) address: &'a str,
    /// What is said of command lines.
    pub(crate) argv: Argv,
    /// The recording that is replayed, if it is one.
    pub(crate) replay: Option<Played>,
}

/// Command lines on a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Argv {
    /// They are shown.
    Shown,
    /// They are not; there is a token that shows them.
    Hidden,
    /// They are not, and there is no token.
    Never,
    /// Nothing is shown that could have any.
    Nowhere,
}

/// A whole document.
pub(super) fn document(title: &str, frame: &Frame<'_>, main: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (Text(title)) }
                link rel="icon" href="/assets/icon.svg" type="image/svg+xml";
                link rel="stylesheet" href="/assets/style.css";
                script type="module" src="/assets/page.js" {}
            }
            body class="page" {
                a class="skip" href="#main" { "Skip to the content" }
                (parts::patterns())
                header class="top" {
                    a class="brand" href="/" { span aria-hidden="true" { "◍ " } "sockleak" }
                    div class="live" {
                        span id="live" role="status" { "as of when it was loaded" }
                        button id="zone" type="button" hidden aria-pressed="false" { "Local time" }
                        button id="pause" type="button" hidden { "Pause" }
                        noscript { a href=(frame.address) { "Load again" } }
                    }
                }
                @if let Some(played) = &frame.replay { (replay(played)) }
                p id="outage" class="outage" role="alert" hidden {}
                main id="main" tabindex="-1" { (main) }
                footer {
                    p {
                        "sockleak " (env!("CARGO_PKG_VERSION")) " · "
                        a href="/api/v1/report?format=html" { "report" } " · "
                        a href="/api/v1/" { "API" } " · " a href="/metrics" { "metrics" }
                        @match frame.argv {
                            Argv::Shown => " · command lines are shown",
                            Argv::Hidden => { " · " a href="/login" { "show command lines (needs the token)" } }
                            Argv::Never => " · command lines are hidden: no token is set",
                            Argv::Nowhere => "",
                        }
                    }
                }
            }
        }
    }
}

/// That it is a recording, and what can be done with it. The script fills in where it stands.
fn replay(played: &Played) -> Markup {
    let Played { begin_ms, to_ms, .. } = played;
    html! {
        section class="replay" id="replay" aria-label="Replay" data-begin=(begin_ms) data-end=(to_ms) {
            p {
                strong { "▶ Replay" } " of a recording: nothing here happens now. From "
                (plain_moment(*begin_ms)) " to " (plain_moment(*to_ms)) "."
            }
            div class="controls" id="controls" hidden {
                button id="play" type="button" { "Pause" }
                label { "Speed " select id="speed" {
                    @for (times, words) in SPEEDS { option value=(times) { (words) } }
                } }
                label class="seek" {
                    span { "Moment " output id="moment" {} }
                    input id="seek" type="range" min=(begin_ms) max=(to_ms) step="1" value=(begin_ms);
                }
            }
        }
    }
}

/// Speeds that are offered, and in words.
const SPEEDS: [(&str, &str); 8] = [
    ("0.25", "¼ ×"),
    ("1", "1 ×"),
    ("2", "2 ×"),
    ("5", "5 ×"),
    ("10", "10 ×"),
    ("60", "60 ×"),
    ("600", "600 ×"),
    ("3600", "3,600 ×"),
];

/// What is missing from the evidence, if anything is.
pub(super) fn doubts(snapshot: &Snapshot) -> Markup {
    html! {
        @if !snapshot.complete { (sockleak_report::html::incomplete(&snapshot.incomplete_because)) }
    }
}
