//! What the API answers is what clients read: no field is forgotten, and none is read as another.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use sockleak::service::{
    link::{Answers as _, question::ConnectionFilter},
    model::{self, What},
};
use sockleak_core::{attribution::by::By, session::Notice};
use sockleak_report::json;

use crate::{
    client::{Answer, get, get_all},
    scene::{self, Scene},
    server::{Fake, Server},
};

/// Reads an answer, and checks that writing what was read leads to the same again.
#[track_caller]
fn read<T: DeserializeOwned + Serialize>(answer: &Answer) -> T {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let read: T =
        serde_json::from_slice(&answer.body).unwrap_or_else(|error| panic!("{error}: {}", answer.text()));
    assert_same(&serde_json::to_value(&read).unwrap(), &answer.json());
    read
}

#[track_caller]
fn assert_same(again: &Value, answered: &Value) {
    assert_eq!(again, answered, "what is read is not what was answered");
}

fn scenes() -> [Scene; 3] {
    [scene::quiet(), scene::busy(), scene::incomplete()]
}

#[tokio::test]
async fn clients_read_what_is_answered() {
    for scene in scenes() {
        let server = Server::of(&scene);
        let address = server.address;
        let snapshot: model::Snapshot = read(&get(address, "/api/v1/snapshot").await);
        let sockets: model::Sockets = read(&get(address, "/api/v1/sockets").await);
        assert_eq!(sockets.sockets, snapshot.sockets);
        let findings: model::Findings = read(&get(address, "/api/v1/findings").await);
        assert_eq!(findings.findings, snapshot.findings);
        let _: model::Health = read(&get(address, "/healthz").await);
        let _: model::Health = read(&get(address, "/readyz").await);
        let series: model::SeriesOf =
            read(&get(address, "/api/v1/series?socket=/run/haproxy/ma.sock&from=60000&to=120000").await);
        assert_eq!((series.from_ms, series.to_ms, series.series.points.len()), (60_000, 120_000, 2));
        let plain: model::Page = read(&get(address, "/api/v1/connections?limit=1000").await);
        let full: model::Page = read(&get_all(address, "/api/v1/connections?limit=1000").await);
        assert_eq!(plain.total, full.connections.len());
        for open in &full.connections {
            let path = format!("/api/v1/connections/{}", open.connection);
            let story: model::Story = read(&get_all(address, &path).await);
            assert_eq!(story.connection, *open);
        }
        // A field of another name would be empty.
        assert!(plain.connections.iter().all(|open| open.opener.argv.is_none()));
        let known = |open: &&model::Open| open.opener.argv.is_some() && open.server.is_some();
        assert_eq!(full.connections.iter().any(|open| known(&open)), plain.total > 0);
    }
    let server = Server::of(&scene::quiet());
    let refused = get(server.address, "/api/v1/connections/1").await;
    let refused: model::Refused = serde_json::from_slice(&refused.body).unwrap();
    assert!(refused.error.contains("has the number 1"), "{}", refused.error);
}

/// What borrows from the session, and what is made of it for pictures, say the same.
#[test]
fn twins_are_alike() {
    let fake = Fake::new(&scene::busy(), By::Program);
    for state in [None, Some("closed".to_owned())] {
        let filter = ConnectionFilter { limit: 1000, state, with_argv: true, ..ConnectionFilter::default() };
        let page = fake.connections(&filter);
        assert!(page.connections.len() > 10);
        for open in &page.connections {
            let twin = model::Open::from(open);
            assert_same(&serde_json::to_value(twin).unwrap(), &serde_json::to_value(open).unwrap());
        }
    }
}

/// Everything that a session tells of, as the stream of events has it.
#[test]
fn clients_read_events() {
    let clock = sockleak::clock::booted_at(1_767_323_045_000_000_000);
    let scene = scene::busy();
    let mut session = scene::quiet().session(By::Program);
    let mut kinds = [0; 4];
    for record in scene.records() {
        if let Some(Notice::Seen(seen)) = session.feed(record).notice {
            let told = json::event_object(&seen, &clock);
            let event: model::Event =
                serde_json::from_value(told.clone()).unwrap_or_else(|error| panic!("{error}: {told}"));
            assert_same(&serde_json::to_value(&event).unwrap(), &told);
            match event.what {
                What::Connect { .. } => kinds[0] += 1,
                What::Accept { .. } => kinds[1] += 1,
                What::Release { .. } => kinds[2] += 1,
                What::Attempt { .. } => kinds[3] += 1,
                What::ListenerClosed { .. } | What::Other => panic!("{told}"),
            }
        }
    }
    assert!(kinds.iter().all(|&count| count >= 40), "{kinds:?}");
    let newer: model::Event = serde_json::from_str(
        r#"{"time": "", "boot_ns": 1, "path": "/a", "open": 0, "type": "moved", "to": "/b", "pid": 7}"#,
    )
    .unwrap();
    assert_eq!((newer.what, newer.who.pid), (What::Other, Some(7)));
}

/// How an end went is told in fields of its own.
#[test]
fn clients_read_how_a_listener_was_closed() {
    for (reason, more) in [
        ("close", serde_json::json!({})),
        ("exit", serde_json::json!({"exit_status": 3})),
        ("killed", serde_json::json!({"signal": 9})),
    ] {
        let mut told = serde_json::json!({
            "time": "2026-01-02T03:20:45.000000000Z", "boot_ns": 1, "path": "@a", "open": 2,
            "type": "listener-closed", "listener": 5, "reason": reason, "pid": null, "tid": null, "start_ns": null,
            "comm": null, "thread_comm": null, "uid": 0, "gid": 0, "program": null, "argv": null, "argv_truncated": true,
            "ppid": null, "pid_in_namespace": null, "cgroup_id": null, "container": null, "mount_ns": null, "network_ns": null, "pid_ns": null,
        });
        told.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let event: model::Event = serde_json::from_value(told.clone()).unwrap();
        assert_same(&serde_json::to_value(&event).unwrap(), &told);
    }
}
