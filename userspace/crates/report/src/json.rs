//! One JSON object a line; `docs/json.md` describes them.

mod line;

use std::io::{self, Write};

use serde::{
    Serialize, Serializer,
    ser::{Error as _, SerializeMap as _},
};
use serde_json::{Map, Value, json};
use sockleak_core::{
    assess::{Loss, Open, OpenList, Report},
    decode::abstract_name,
    event::Listener,
    session::{FoundConnection, Seen},
    text::escape::HarmlessJson,
    time::Clock,
};

pub use line::Line;

/// The line of a listener that a target means.
#[must_use]
pub fn listener(listener: &Listener) -> Value {
    json!({
        "type": "listener",
        "listener": listener.id,
        "path": text(&listener.path),
        "path_truncated": listener.path_truncated,
        "bind_path": text(&abstract_name(&listener.bind_name)),
        "device": listener.device,
        "inode": listener.inode,
        "mount_ns": listener.mount_namespace,
        "network_ns": listener.network_namespace,
        "socket_type": if listener.is_seqpacket { "seqpacket" } else { "stream" },
        "backlog": listener.backlog,
        "pid": listener.pid,
    })
}

/// The line of a connection whose start was not seen.
#[must_use]
pub fn found<'a>(found: &FoundConnection<'a>, clock: &Clock) -> Line<'a> {
    Line::of_found(found, clock)
}

/// The line of an event.
#[must_use]
pub fn event<'a>(seen: &Seen<'a>, clock: &Clock) -> Line<'a> {
    Line::of_event(seen, clock)
}

/// The object in the line of an event, for whoever keeps it.
#[must_use]
pub fn event_object(seen: &Seen<'_>, clock: &Clock) -> Value {
    // It has no keys but names, and no numbers but integers: there is nothing that JSON could not say.
    serde_json::to_value(event(seen, clock)).unwrap_or_default()
}

/// The line of losses that grew.
#[must_use]
pub fn losses(losses: &[Loss]) -> Value {
    json!({"type": "loss", "lost": losses})
}

/// Writes the line of a report; of one among several with its host and its recording. The open connections are written one by
/// one: there may be millions.
///
/// # Errors
/// If it cannot be written.
pub fn report(
    report: &Report,
    clock: &Clock,
    origin: Option<(&str, &str)>,
    out: &mut dyn Write,
) -> io::Result<()> {
    const OPEN: &str = "open";

    let mut fields = match serde_json::to_value(report)? {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    put("type", "report".into());
    put("time", clock.rfc3339(report.now).into());
    if let Some(window) = report.window {
        put("window", json!({"since": clock.rfc3339(window.since), "until": clock.rfc3339(window.until)}));
    }
    // In the place that its name has among the others.
    put(OPEN, Value::Null);
    if let Some((host, file)) = origin {
        put("host", host.into());
        put("file", file.into());
    }
    let mut line = serde_json::Serializer::with_formatter(&mut *out, HarmlessJson);
    let mut object = line.serialize_map(None)?;
    for (name, value) in &fields {
        if name == OPEN {
            object.serialize_entry(name, &OneByOne(&report.open))?;
        } else {
            object.serialize_entry(name, value)?;
        }
    }
    object.end()?;
    out.write_all(b"\n")
}

struct OneByOne<'r, 's>(&'r OpenList<'s>);

impl Serialize for OneByOne<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(Sorted))
    }
}

/// Its fields are sorted by name, as they are in all other lines.
struct Sorted<'s>(Open<'s>);

impl Serialize for Sorted<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::to_value(&self.0).map_err(S::Error::custom)?.serialize(serializer)
    }
}

fn text(bytes: &[u8]) -> String {
    sockleak_core::event::name::shown(bytes)
}
