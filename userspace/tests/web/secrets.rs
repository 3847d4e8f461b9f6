//! Command lines hold secrets; names are whatever programs call themselves.

use sockleak::service::link::Settings;
use sockleak_core::attribution::by::By;

use crate::{
    client::{get, get_all},
    scene,
    server::{Fake, Server, settings},
};

const PATHS: [&str; 12] = [
    "/metrics",
    "/api/v1/snapshot",
    "/api/v1/findings",
    "/api/v1/sockets",
    "/api/v1/connections",
    "/api/v1/connections/362",
    "/api/v1/report?width=200",
    "/api/v1/report?format=json",
    "/api/v1/report?format=csv",
    "/api/v1/report?format=csv&table=open",
    "/api/v1/report?format=markdown",
    "/api/v1/report?format=html",
];
/// Where the whole of it is shown to those who may see it: in a report for reading, command lines are cut to a line.
const SHOWING: [&str; 4] = [
    "/api/v1/connections",
    "/api/v1/connections/362",
    "/api/v1/report?format=json",
    "/api/v1/report?format=csv&table=open",
];
/// An argument of a program that holds connections.
const SECRET: &str = "/etc/ssl/private";

#[tokio::test]
async fn command_lines_are_hidden_without_the_token() {
    let server = Server::of(&scene::busy());
    let mut shown = Vec::new();
    for path in PATHS {
        let plain = get(server.address, path).await;
        assert_eq!(plain.status, 200, "{path}");
        assert!(!plain.text().contains(SECRET), "{path}");
        if get_all(server.address, path).await.text().contains(SECRET) {
            shown.push(path);
        }
    }
    assert_eq!(shown, SHOWING, "with the token they are shown");
}

/// With `by = "cmdline"`, names are command lines.
#[tokio::test]
async fn names_that_are_command_lines_need_the_token() {
    let private = Settings { names_are_private: true, ..settings() };
    let server = Server::start(Fake::new(&scene::busy(), By::Cmdline), &private);
    for path in PATHS {
        let plain = get(server.address, path).await;
        assert_eq!(plain.status, 401, "{path}");
        assert!(!plain.text().contains(SECRET), "{path}");
        assert_eq!(get_all(server.address, path).await.status, 200, "{path}");
    }
    assert!(get_all(server.address, "/metrics").await.text().contains(SECRET));
    for path in ["/healthz", "/readyz", "/api/v1/openapi.json"] {
        assert_eq!(get(server.address, path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn names_cannot_leave_their_strings() {
    let server = Server::of(&scene::busy());
    for path in ["/api/v1/snapshot", "/api/v1/connections"] {
        let answer = get_all(server.address, path).await;
        assert_eq!(answer.headers["content-type"], "application/json", "{path}");
        assert!(answer.body.iter().all(|&byte| byte >= b' '), "{path} has control characters");
        assert!(answer.text().contains(r"\u001b[31m"), "{path}");
        assert!(answer.json().to_string().contains(r#"<script>alert(1)</script>"#), "{path}");
    }
    // What was asked for is repeated in a refusal, in JSON and on a page.
    let asked = "%1b%5b2J%e2%80%ae%c2%9b%c2%ad";
    for path in [format!("/api/v1/connections?state={asked}"), format!("/socket?path=/s&range={asked}")] {
        let refusal = get(server.address, &path).await;
        assert_eq!(refusal.status, 400, "{path}");
        assert!(!refusal.text().contains(['\u{1b}', '\u{202e}', '\u{9b}', '\u{ad}']), "{}", refusal.text());
    }
    let metrics = get(server.address, "/metrics").await.text();
    assert!(!metrics.contains(|c: char| c != '\n' && c.is_control() || c == '\u{202e}'), "{metrics:?}");
    assert!(metrics.contains(r"\\u{1b}[31m"), "{metrics}");
    let lines = metrics.lines().filter(|line| line.contains("<script>"));
    assert!(lines.clone().count() > 3 && lines.clone().all(|line| line.starts_with("sockleak_")));
}
