//! Requests that are malformed, slow, oversized, too many, or meant for somebody else.

use std::{net::SocketAddr, time::Duration};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, Interest},
    net::TcpStream,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    client::{Answer, ask, exchange, get, request},
    scene,
    server::Server,
};

#[tokio::test]
async fn what_is_no_request_is_refused_and_others_are_served() {
    let server = Server::of(&scene::busy());
    let long = format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(20_000));
    let header = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(20_000));
    let many = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "X: y\r\n".repeat(100));
    for (bytes, expected) in [
        (&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], &[400][..]),
        (b"GET\r\n\r\n", &[400]),
        (b"GET / HTTP/9.9\r\n\r\n", &[400, 505]),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\nConnection: close\r\n\r\n", &[400]),
        (b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", &[400]),
        (b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n", &[400]),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n folded\r\n\r\n", &[400]),
        (b"GET / HTTP/1.1\r\nHost: local\0host\r\n\r\n", &[400]),
        (b"GET /\xff HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", &[400, 404]),
        (b"GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", &[404]),
        (b"GET /%2e%2e/metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", &[404]),
        (b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", &[405]),
        (b"CONNECT localhost:22 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", &[405]),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", &[400]),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n", &[413]),
        (long.as_bytes(), &[414, 431]),
        (header.as_bytes(), &[431]),
        (many.as_bytes(), &[431]),
    ] {
        let answer = exchange(server.address, bytes).await;
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(80)]);
        assert!(!answer.is_empty(), "{shown:?} is not answered");
        let status = Answer::parse(&answer).status;
        assert!(expected.contains(&status), "{shown:?} is answered {status}");
        assert_eq!(get(server.address, "/healthz").await.status, 200, "after {shown:?}");
    }
    // Another version of HTTP is not answered at all.
    assert!(exchange(server.address, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.is_empty());
    assert_eq!(get(server.address, "/healthz").await.status, 200);
}

/// A page of another site can make a browser ask here, by a name that leads here: it does not get to read the answer.
#[tokio::test]
async fn other_names_are_not_served() {
    let server = Server::of(&scene::busy());
    for host in [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example:9436",
        "10.9.8.7",
        "evil@localhost",
    ] {
        let bytes = format!("GET /api/v1/connections HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let answer = Answer::parse(&exchange(server.address, bytes.as_bytes()).await);
        assert_eq!(answer.status, 421, "{host}");
        assert!(!answer.text().contains("sock"), "{host}");
    }
    for host in ["localhost", "127.0.0.1:9436", "[::1]", "DB1.example:80"] {
        let bytes = format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        assert_eq!(Answer::parse(&exchange(server.address, bytes.as_bytes()).await).status, 200, "{host}");
    }
    let cross = ask(server.address, "GET", "/metrics", &[("Origin", "https://evil.example")]).await;
    assert!(cross.headers.keys().all(|name| !name.starts_with("access-control-")));
}

/// Both sides are in this process, and shells often allow 1024 descriptors.
fn allow_descriptors() {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, most.min(1 << 16), most).unwrap();
}

#[tokio::test]
async fn a_thousand_at_once_are_all_served() {
    allow_descriptors();
    let server = Server::of(&scene::busy());
    let crowd: Vec<_> = (0..1000)
        .map(|nth| {
            let path = ["/metrics", "/api/v1/snapshot", "/api/v1/connections", "/healthz"][nth % 4];
            let address = server.address;
            tokio::spawn(async move { get(address, path).await.status })
        })
        .collect();
    for (nth, it) in crowd.into_iter().enumerate() {
        assert_eq!(it.await.unwrap(), 200, "request {nth}");
    }
}

/// Clients that begin a request and never end it, that say nothing, and that never take up their answer, more than there are
/// places, and new ones as soon as they are sent away: others are served. That it takes no longer than it has to, the tests of
/// the room tell; here it is only much less than if each had to wait for slow ones to be given up on.
#[tokio::test]
async fn a_thousand_slow_clients_keep_nobody_from_being_served() {
    allow_descriptors();
    let server = Server::of(&scene::busy());
    let mut slow = JoinSet::new();
    for nth in 0..1000 {
        slow.spawn(linger(server.address, nth % 3));
    }
    let polite = async {
        for _ in 0..20 {
            assert_eq!(get(server.address, "/metrics").await.status, 200);
        }
    };
    timeout(Duration::from_mins(1), polite).await.expect("it is served");
    // As many as were in the way still are: none of them was only let off.
    assert_eq!(slow.len(), 1000);
    assert!(slow.try_join_next().is_none());
}

/// Connects again and again.
async fn linger(address: SocketAddr, how: usize) {
    let begun = "GET /metrics HTTP/1.1\r\nHost: loc".to_owned();
    // Hundreds of answers, none of which is read.
    let many = "GET /api/v1/snapshot HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(200);
    let text = [begun, many, String::new()][how].clone();
    loop {
        // Where too many try at once, some are turned away.
        let Ok(mut stream) = TcpStream::connect(address).await else {
            sleep(Duration::from_millis(10)).await;
            continue;
        };
        let _ = stream.write_all(text.as_bytes()).await;
        let mut byte = [0];
        if how == 1 {
            // Until it is sent away.
            while !matches!(stream.ready(Interest::WRITABLE).await, Ok(it) if it.is_write_closed()) {
                sleep(Duration::from_millis(10)).await;
            }
        } else {
            let _ = stream.read(&mut byte).await;
        }
    }
}

/// Slow ones that are not in the way are served if they go on.
#[tokio::test]
async fn a_slow_client_is_served() {
    let server = Server::of(&scene::busy());
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    for piece in ["GET /met", "rics HTTP/1.1\r\nHo", "st: localhost\r\nConnection: close\r\n\r\n"] {
        stream.write_all(piece.as_bytes()).await.unwrap();
        sleep(Duration::from_millis(10)).await;
    }
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert_eq!(Answer::parse(&answer).status, 200);
}

#[tokio::test]
async fn one_connection_serves_many_requests() {
    let server = Server::of(&scene::quiet());
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let keep = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(3);
    stream.write_all(keep.as_bytes()).await.unwrap();
    stream.write_all(request("GET", "/readyz", &[]).as_bytes()).await.unwrap();
    let mut answers = Vec::new();
    stream.read_to_end(&mut answers).await.unwrap();
    assert_eq!(String::from_utf8(answers).unwrap().matches("HTTP/1.1 200 OK").count(), 4);
}
