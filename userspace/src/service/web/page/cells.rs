//! Small things that are shown: figures with where they come from, names, links, moments.

use std::fmt::Display;

use form_urlencoded::byte_serialize;
use jiff::Timestamp;
use maud::{Markup, Render, html};
use sockleak_core::time::human;
use sockleak_report::html::parts::Text;

use crate::service::model::{Open, SocketSnapshot};

/// Letters of a name that are shown where there are many names.
const LETTERS: usize = 120;
/// Slots that are drawn one by one.
const BOXES: u64 = 24;

/// A figure: what is shown of it, and which field of the answer it is. The answer is told by `data-source` further out.
pub(super) fn figure(pointer: &str, value: impl Display, shown: impl Render) -> Markup {
    html! { span class="figure" data-api=(pointer) data-value=(value) { (shown) } }
}

/// A number as it is.
pub(super) fn number(pointer: &str, value: u64) -> Markup {
    figure(pointer, value, value)
}

/// A number, or a dash if it is not known.
pub(super) fn some_number(pointer: &str, value: Option<u64>) -> Markup {
    value.map_or_else(dash, |value| number(pointer, value))
}

/// Nanoseconds in words.
pub(super) fn duration(pointer: &str, nanoseconds: u64) -> Markup {
    figure(pointer, nanoseconds, human(nanoseconds))
}

/// The same, or a dash if they are not known.
pub(super) fn some_duration(pointer: &str, nanoseconds: Option<u64>) -> Markup {
    nanoseconds.map_or_else(dash, |nanoseconds| duration(pointer, nanoseconds))
}

/// Seconds until a socket is full.
pub(super) fn until_full(pointer: &str, seconds: Option<u64>) -> Markup {
    let words = |seconds: u64| match seconds {
        0 => "full now".to_owned(),
        seconds => format!("in {}", human(seconds.saturating_mul(1_000_000_000))),
    };
    seconds.map_or_else(dash, |seconds| figure(pointer, seconds, words(seconds)))
}

/// Nothing is known.
pub(super) fn dash() -> Markup {
    html! { span class="none" title="not known, or none" { "–" } }
}

/// A moment to the second: milliseconds since 1970.
pub(super) fn moment(pointer: &str, milliseconds: i64) -> Markup {
    time(pointer, milliseconds, "%Y-%m-%d %H:%M:%S UTC")
}

/// A moment to the millisecond, likewise.
pub(super) fn instant(pointer: &str, milliseconds: i64) -> Markup {
    time(pointer, milliseconds, "%Y-%m-%d %H:%M:%S%.3f UTC")
}

/// A moment that is no figure of an answer.
pub(super) fn plain_moment(milliseconds: i64) -> Markup {
    let at = Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::UNIX_EPOCH);
    html! { time datetime=(at.to_string()) { (at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()) } }
}

fn time(pointer: &str, milliseconds: i64, form: &str) -> Markup {
    let at = Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::UNIX_EPOCH);
    html! {
        time class="figure" datetime=(at.to_string()) data-api=(pointer) data-value=(milliseconds) {
            (at.strftime(form).to_string())
        }
    }
}

/// A name, cut if it is long: its end tells the most.
pub(super) fn name(name: &str) -> Markup {
    let count = name.chars().count();
    if count <= LETTERS {
        return html! { code { (Text(name)) } };
    }
    let end: String = name.chars().skip(count - LETTERS + 1).collect();
    html! { code { "…" (Text(&end)) } }
}

/// Text as part of an address.
pub(super) fn encoded(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect()
}

/// Where a socket is shown.
pub(super) fn socket_address(path: &str) -> String {
    format!("/socket?path={}", encoded(path))
}

/// Where a connection is shown.
pub(super) fn connection_address(connection: &Open) -> String {
    format!("/connection/{}", connection.connection)
}

/// A name as a part of a JSON pointer.
pub(super) fn token(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// Connections that wait to be accepted, and how many may.
pub(super) fn queue(pointer: &str, socket: &SocketSnapshot) -> Markup {
    let Some(queue) = socket.queue else { return dash() };
    html! {
        (number(&format!("{pointer}/length"), queue.length.into()))
        " of " (figure(&format!("{pointer}/max"), queue.max, u64::from(queue.max) + 1))
    }
}

/// The slots in use, in numbers and as a bar.
pub(super) fn slots(used: &str, limit: &str, socket: &SocketSnapshot) -> Markup {
    let Some(known) = socket.limit else {
        return html! { (number(used, socket.slots)) " " span class="soft" { "no limit known" } };
    };
    html! {
        span class="slots" {
            (bar(socket.slots, known.slots))
            span { (number(used, socket.slots)) " of " (number(limit, known.slots)) }
            @if socket.slots >= known.slots { span class="full" { "none free" } }
        }
    }
}

/// A box for each slot; of many slots, one for all.
fn bar(used: u64, limit: u64) -> Markup {
    let level = if used >= limit {
        "level full"
    } else if used * 5 >= limit * 4 {
        "level high"
    } else {
        "level fine"
    };
    let boxes = limit.clamp(1, BOXES);
    let filled = if limit <= BOXES { used } else { (used * boxes).div_ceil(limit) };
    let width = boxes * 9;
    html! {
        svg class="slots-bar" viewBox=(format!("0 0 {width} 14")) width=(width) height="14" aria-hidden="true" {
            @for nth in 0..boxes {
                @let class = if nth < filled { level } else { "level free" };
                rect class=(class) x=(nth * 9 + 1) y="1.5" width="7" height="11" rx="1.5" {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_in_a_name_stays_text() {
        let hostile = "</code><script>\u{202e}\"'&\n";
        let shown = name(hostile).into_string();
        assert_eq!(shown, "<code>&lt;/code&gt;&lt;script&gt;\\u{202e}&quot;'&amp;\\u{a}</code>");
        let address = socket_address("/run/a b&path=\"<\u{e4}");
        assert_eq!(address, "/socket?path=%2Frun%2Fa+b%26path%3D%22%3C%C3%A4");
        assert!(name(&"ä".repeat(4096)).into_string().len() < 300);
        assert_eq!(token("a/b~c"), "a~1b~0c");
    }
}
