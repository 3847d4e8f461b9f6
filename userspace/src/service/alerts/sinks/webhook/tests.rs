//! With real servers on this host. Time is only ever waited for, never asserted.

use std::{fs, net::SocketAddr, os::unix::fs::PermissionsExt as _, sync::Arc, time::Duration};

use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use sockleak_core::text::escape::is_unsafe;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::service::alerts::tests::notification;

const FAST: Timing = Timing {
    first: Duration::from_millis(1),
    longest: Duration::from_millis(4),
    attempt: Duration::from_secs(10),
};

/// A program may call itself anything.
const HOSTILE: &str = "b\n\u{1b}[2J\u{9b}31m\u{202e}";

/// Runs a test on the kind of runtime that the service has; none may take a minute.
fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = crate::runtime::start().expect("there are resources");
    let limited = async { tokio::time::timeout(Duration::from_mins(1), test).await };
    runtime.block_on(limited).expect("it comes to an end")
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a port");
    let address = listener.local_addr().expect("it is bound");
    (listener, address)
}

fn start(url: &str, token: Option<TokenFile>, roots: Option<RootCertStore>, timing: Timing) -> Webhook {
    let url = url.parse().expect("it is an address");
    let (webhook, delivery) = open(&url, Form::Json, token, roots, timing).expect("it can be set up");
    tokio::spawn(delivery.run());
    webhook
}

fn push(webhook: &Webhook, summaries: &[&str]) {
    summaries.iter().for_each(|summary| webhook.push(notification(summary)));
}

/// A request as it came.
#[derive(Debug)]
struct Received {
    head: String,
    summary: String,
}

/// Reads a request and gives an answer; none if `answer` is empty. None if the client gives up before it has asked.
async fn serve_one<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, answer: &str) -> Option<Received> {
    let mut text = Vec::new();
    let (head, body) = loop {
        let read = stream.read_buf(&mut text).await.ok().filter(|&read| read > 0)?;
        assert!(read < 1 << 20, "it is no alert");
        let text = String::from_utf8_lossy(&text);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let head = head.to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length = length.expect("it has a length").parse::<usize>().expect("it is a number");
        if body.len() == length {
            break (head, body.to_owned());
        }
    };
    assert!(!body.contains(is_unsafe), "a body moves a cursor: {body:?}");
    let body: Notification = serde_json::from_str(&body).expect("it is a notification");
    if !answer.is_empty() {
        let answer = format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.ok()?;
    }
    Some(Received { head, summary: body.summary })
}

/// Takes as many requests as there are answers.
async fn serve(listener: &TcpListener, answers: &[&str]) -> Vec<Received> {
    let mut all = Vec::new();
    // Kept: a connection on which nothing is said must stay open.
    let mut open = Vec::new();
    for answer in answers {
        let received = loop {
            let (mut stream, _) = listener.accept().await.expect("somebody connects");
            let received = serve_one(&mut stream, answer).await;
            open.push(stream);
            if let Some(received) = received {
                break received;
            }
        };
        all.push(received);
    }
    all
}

fn summaries(received: &[Received]) -> Vec<&str> {
    received.iter().map(|it| it.summary.as_str()).collect()
}

async fn until(webhook: &Webhook, reached: impl Fn(&SinkCounts) -> bool) -> SinkCounts {
    while !reached(&webhook.counts()) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    webhook.counts()
}

#[test]
fn alerts_arrive_in_order_and_are_tried_again() {
    run(async {
        let (listener, address) = listen().await;
        let webhook = start(&format!("http://{address}/in?key=1"), None, None, FAST);
        push(&webhook, &["a", HOSTILE, "c"]);
        let answers = ["500 X", "503 X", "200 OK", "429 X", "401 X", "204 X", "200 OK"];
        let received = serve(&listener, &answers).await;
        assert_eq!(summaries(&received), ["a", "a", "a", HOSTILE, HOSTILE, HOSTILE, "c"]);
        let head = &received[0].head;
        assert!(head.starts_with("post /in?key=1 http/1.1\r\n"), "{head}");
        assert!(
            head.contains("content-type: application/json") && head.contains("user-agent: sockleak/"),
            "{head}"
        );
        assert!(!head.contains("authorization"), "{head}");
        let counts = until(&webhook, |counts| counts.waiting == 0).await;
        assert_eq!((counts.delivered, counts.retried, counts.refused, counts.dropped), (3, 4, 0, 0));
        assert_eq!(counts.destination, format!("http://{address}"), "no more of it is shown");
        // And what comes when all was delivered.
        push(&webhook, &["d"]);
        assert_eq!(summaries(&serve(&listener, &["200 OK"]).await), ["d"]);
    });
}

#[test]
fn a_server_that_comes_later_gets_it_all() {
    run(async {
        // An address of its own: nobody else takes the port meanwhile.
        let listener = TcpListener::bind("127.83.1.2:0").await.expect("there is a port");
        let address = listener.local_addr().expect("it is bound");
        drop(listener);
        let webhook = start(&format!("http://{address}/"), None, None, FAST);
        push(&webhook, &["a", "b"]);
        let counts = until(&webhook, |counts| counts.retried > 1).await;
        assert_eq!((counts.delivered, counts.waiting), (0, 2));
        let listener = TcpListener::bind(address).await.expect("it is free");
        assert_eq!(summaries(&serve(&listener, &["200 OK", "200 OK"]).await), ["a", "b"]);
    });
}

#[test]
fn a_server_that_says_nothing_is_given_up_on() {
    run(async {
        let (listener, address) = listen().await;
        let timing = Timing { attempt: Duration::from_millis(200), ..FAST };
        let webhook = start(&format!("http://{address}/"), None, None, timing);
        push(&webhook, &["a"]);
        assert_eq!(summaries(&serve(&listener, &[""]).await), ["a"]);
        let counts = until(&webhook, |counts| counts.retried > 0).await;
        assert_eq!((counts.delivered, counts.waiting), (0, 1));
        // It answers now, and on a busy machine perhaps too late once more.
        tokio::spawn(async move {
            loop {
                serve(&listener, &["200 OK"]).await;
            }
        });
        until(&webhook, |counts| counts.delivered == 1).await;
    });
}

#[test]
fn what_a_server_will_not_have_does_not_hold_up_the_rest() {
    run(async {
        let (listener, address) = listen().await;
        let (other, elsewhere) = listen().await;
        let webhook = start(&format!("http://{address}/"), None, None, FAST);
        push(&webhook, &["a", "b", "c"]);
        let redirect = format!("307 X\r\nlocation: http://{elsewhere}/");
        let received = serve(&listener, &[&redirect, "404 X", "200 OK"]).await;
        assert_eq!(summaries(&received), ["a", "b", "c"]);
        let counts = until(&webhook, |counts| counts.waiting == 0).await;
        assert_eq!((counts.delivered, counts.refused, counts.retried), (1, 2, 0));
        let other = other.into_std().expect("it is a socket");
        assert_eq!(other.accept().expect_err("nobody was led there").kind(), std::io::ErrorKind::WouldBlock);
    });
}

#[test]
fn the_token_is_sent_as_it_is_at_the_moment() {
    run(async {
        let directory = tempfile::tempdir().expect("a directory can be created");
        let path = directory.path().join("token");
        let (listener, address) = listen().await;
        let webhook = start(&format!("http://{address}/"), Some(TokenFile::at(path.clone())), None, FAST);
        push(&webhook, &["a", "b"]);
        // Without it nothing is sent.
        until(&webhook, |counts| counts.retried > 1).await;
        let write = |token: &str| {
            // Never there with less than the whole, or open to all.
            let new = directory.path().join("new");
            fs::write(&new, token).expect("it is written");
            fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).expect("it is mine");
            fs::rename(&new, &path).expect("it can be renamed");
        };
        write("hush\n");
        let first = serve(&listener, &["401 X"]).await;
        assert!(first[0].head.contains("authorization: bearer hush"), "{first:?}");
        write("other");
        // One more attempt may have been under way.
        loop {
            let next = serve(&listener, &["401 X"]).await;
            if next[0].head.contains("authorization: bearer other") {
                break;
            }
        }
        assert_eq!(summaries(&serve(&listener, &["200 OK", "200 OK"]).await), ["a", "b"]);
    });
}

#[test]
fn the_queue_is_bounded_and_can_be_saved() {
    run(async {
        let url = "http://127.0.0.1:9/secret".parse().expect("it is an address");
        let (webhook, delivery) = open(&url, Form::Json, None, None, FAST).expect("it can be set up");
        for n in 0..super::super::queue::LONGEST + 5 {
            webhook.push(notification(&n.to_string()));
        }
        let counts = webhook.counts();
        assert_eq!((counts.waiting, counts.dropped), (1000, 5));
        let saved = webhook.undelivered();
        assert_eq!((saved.origin.as_str(), saved.notifications.len()), ("http://127.0.0.1:9", 1000));
        assert_eq!(saved.notifications[0].summary, "5");
        assert!(!format!("{webhook:?}{delivery:?}").contains("secret"));
    });
}

#[test]
fn servers_are_verified() {
    let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("it can be made");
    let certificate: CertificateDer<'static> = own.cert.der().clone();
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).expect("it is a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.expect("there are versions").with_no_client_auth();
    let config = config.with_single_cert(vec![certificate.clone()], key).expect("they fit");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let mut trusted = RootCertStore::empty();
    trusted.add(certificate).expect("it is one");
    run(async {
        let (listener, address) = listen().await;
        let url = format!("https://{address}/");
        // One that trusts nobody, and gives up before it has said anything.
        let stranger = start(&url, None, Some(RootCertStore::empty()), FAST);
        push(&stranger, &["a"]);
        let (stream, _) = listener.accept().await.expect("it connects");
        acceptor.accept(stream).await.expect_err("it does not trust the server");
        until(&stranger, |counts| counts.retried > 0 && counts.delivered == 0).await;

        let (listener, address) = listen().await;
        let friend = start(&format!("https://{address}/"), None, Some(trusted), FAST);
        push(&friend, &["a"]);
        let (stream, _) = listener.accept().await.expect("it connects");
        let mut stream = acceptor.accept(stream).await.expect("it trusts the server");
        let received = serve_one(&mut stream, "200 OK").await.expect("it asks");
        assert_eq!(received.summary, "a");
        until(&friend, |counts| counts.delivered == 1).await;
    });
}

#[test]
fn answers_are_understood() {
    let outcome = |status| form::judge_webhook(hyper::StatusCode::from_u16(status).expect("it is one"));
    for status in [200, 201, 202, 204] {
        assert_eq!(outcome(status), Outcome::Taken);
    }
    for (status, hint) in
        [(301, "redirects"), (307, "redirects"), (400, "check url"), (404, "check url"), (413, "check url")]
    {
        assert!(matches!(outcome(status), Outcome::Refused(said) if said.contains(hint)), "{status}");
    }
    for (status, hint) in
        [(401, "token_file"), (403, "token_file"), (408, ""), (429, ""), (500, ""), (503, "503"), (599, "")]
    {
        assert!(
            matches!(outcome(status), Outcome::Failed { reason, .. } if reason.contains(hint)),
            "{status}"
        );
    }
}
