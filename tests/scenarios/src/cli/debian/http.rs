//! As much of a client as the cases need.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::Value;

/// Where the service answers, and where Prometheus does.
pub(super) const SERVICE: &str = "127.0.0.1:9436";
pub(super) const PROMETHEUS: &str = "127.0.0.1:9090";
/// Whoever is silent for so long hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is answered with 200.
pub(super) fn get(address: &str, path: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address).with_context(|| address.to_owned())?;
    stream.set_read_timeout(Some(PATIENCE))?;
    // Of 1.0, so that the answer comes in one piece.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no answer")?;
    let mut words = head.split(' ');
    ensure!(words.nth(1) == Some("200"), "{address}{path}: {answer}");
    Ok(body.to_owned())
}

/// The same as JSON.
pub(super) fn get_json(address: &str, path: &str) -> anyhow::Result<Value> {
    let text = get(address, path)?;
    serde_json::from_str(&text).with_context(|| format!("{path}: {text}"))
}

/// A text as it has to be in a query.
pub(super) fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
