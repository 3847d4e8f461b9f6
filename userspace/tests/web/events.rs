//! Events as they happen.

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};

use crate::{
    client::{get, request},
    scene,
    server::{Server, TOKEN},
};

/// A stream of events, read line by line.
struct Reader(BufReader<TcpStream>);

/// What is told of one event.
#[derive(Debug, PartialEq)]
struct Told {
    id: Option<u64>,
    kind: String,
    data: Value,
}

impl Reader {
    async fn new(server: &Server, headers: &[(&str, &str)]) -> Self {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(request("GET", "/api/v1/events", headers).as_bytes()).await.unwrap();
        let mut reader = Self(BufReader::new(stream));
        assert_eq!(reader.line().await, "HTTP/1.1 200 OK");
        let mut is_stream = false;
        loop {
            match reader.line().await.as_str() {
                "" => break,
                line => is_stream |= line == "content-type: text/event-stream",
            }
        }
        assert!(is_stream);
        reader
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).await.unwrap();
        let hidden = |c: char| c.is_control() || c == '\u{202e}';
        assert!(!line.trim_end_matches(['\r', '\n']).contains(hidden), "a line moves a cursor: {line:?}");
        line.trim_end_matches(['\r', '\n']).to_owned()
    }

    /// The next event. Lengths of chunks, comments and empty lines are passed over.
    async fn told(&mut self) -> Told {
        let mut told = Told { id: None, kind: String::new(), data: Value::Null };
        loop {
            let line = self.line().await;
            if let Some(id) = line.strip_prefix("id: ") {
                told.id = Some(id.parse().unwrap());
            } else if let Some(kind) = line.strip_prefix("event: ") {
                kind.clone_into(&mut told.kind);
            } else if let Some(data) = line.strip_prefix("data: ") {
                told.data = serde_json::from_str(data).unwrap();
                return told;
            }
        }
    }
}

fn event(nth: u64) -> Value {
    json!({"type": "connect", "connection": nth, "comm": "a\nid: 9\u{1b}<b>\u{9b}31m\u{202e}", "argv": ["x", "--password=y"]})
}

#[tokio::test]
async fn events_come_in_order() {
    let server = Server::of(&scene::quiet());
    let token = format!("Bearer {TOKEN}");
    let mut plain = Reader::new(&server, &[]).await;
    let mut full = Reader::new(&server, &[("Authorization", &token)]).await;
    for nth in 1..=300 {
        server.events.send(event(nth)).unwrap();
    }
    for nth in 1..=300 {
        let told = full.told().await;
        assert_eq!(told, Told { id: Some(nth), kind: "connect".to_owned(), data: event(nth) });
        let told = plain.told().await;
        assert_eq!(told.data["argv"], Value::Null);
        assert_eq!((told.id, &told.data["comm"]), (Some(nth), &event(nth)["comm"]));
    }
    drop((plain, full));
    assert_eq!(get(server.address, "/healthz").await.status, 200);
}

/// A reader that does not keep up is told so, and the others are not held up by it.
#[tokio::test]
async fn a_slow_reader_misses_events_alone() {
    let server = Server::of(&scene::quiet());
    let mut slow = Reader::new(&server, &[]).await;
    let mut quick = Reader::new(&server, &[]).await;
    // More than buffers on the way hold: the slow one falls behind.
    let text = "y".repeat(4000);
    for nth in 1..=8000_u64 {
        server.events.send(json!({"type": "connect", "connection": nth, "text": text})).unwrap();
        assert_eq!(quick.told().await.data["connection"], nth);
    }
    server.events.send(json!({"type": "last"})).unwrap();
    assert_eq!(quick.told().await.kind, "last");
    let (mut seen, mut missed, mut last) = (0, 0, 0);
    loop {
        let told = slow.told().await;
        match told.kind.as_str() {
            "missed" => missed += told.data["count"].as_u64().unwrap(),
            "last" => break,
            _ => {
                let nth = told.data["connection"].as_u64().unwrap();
                assert!(nth > last, "in order");
                (seen, last) = (seen + 1, nth);
            }
        }
    }
    assert!(missed > 0);
    assert_eq!(seen + missed, 8000);
}

/// Whatever a name is, it stays within its event.
#[tokio::test]
async fn names_cannot_leave_their_event() {
    let server = Server::of(&scene::quiet());
    let mut reader = Reader::new(&server, &[]).await;
    let path = "/run/\r\n\r\nevent: forged\ndata: {}\n\n\u{2028}id: 9\r";
    for (id, kind) in [(1, "connect"), (2, "connect\ndata: {}"), (3, "accept")] {
        let event = json!({"type": kind, "program": scene::HOSTILE, "path": path});
        server.events.send(event.clone()).unwrap();
        let kind = if id == 2 { "message" } else { kind };
        assert_eq!(reader.told().await, Told { id: Some(id), kind: kind.to_owned(), data: event });
    }
}
