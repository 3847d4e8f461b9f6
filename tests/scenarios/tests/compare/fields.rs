//! Fields of events that say something wrong.

use serde_json::{Value, json};

use crate::fixture::{differences, kind, truth};
use scenarios::perfect::capture_of;

/// Changes one field of the first line of a type, and looks for a word in the differences.
fn assert_found(of: &str, table: &[(&str, Value, &str)]) {
    for (field, value, word) in table {
        let mut lines = capture_of(&truth());
        let index = kind(&lines, of);
        assert_ne!(lines[index][field], *value, "{of}.{field} is not changed");
        lines[index][field] = value.clone();
        let found = differences(&lines);
        assert!(
            found.iter().any(|it| it.contains(word)),
            "{of}.{field}: nothing about '{word}' in {found:#?}"
        );
    }
}

#[test]
fn of_connect() {
    let table = [
        ("pid", json!(21), "opener, pid"),
        ("tid", json!(22), "opener, thread"),
        ("start_ns", json!(61 * 10_000_000), "opener, start"),
        ("start_ns", json!(null), "opener, start"),
        ("program", json!("/bin/ill"), "opener, program"),
        ("program", json!(null), "opener, program"),
        ("argv", json!(["/bin/good", "21"]), "opener, argv"),
        ("argv_truncated", json!(true), "opener, argv"),
        ("comm", json!("thread"), "opener, comm"),
        ("uid", json!(1), "opener, uid"),
        ("gid", json!(1), "opener, gid"),
        ("ppid", json!(2), "opener, parent"),
        ("pid_in_namespace", json!(2), "opener, pid in"),
        ("mount_ns", json!(9), "opener, mount"),
        ("network_ns", json!(9), "opener, net"),
        ("pid_ns", json!(9), "opener, pid namespace"),
        ("path", json!("/d/t.sock.9.tmp"), "path"),
        ("listener", json!(12), "several numbers"),
        ("queue", json!({"length": 1, "max": 1}), "queue"),
        ("queue", json!({"length": 0, "max": 2}), "backlog"),
        ("open", json!(7), "open"),
    ];
    assert_found("connect", &table);
}

#[test]
fn of_accept() {
    let table = [
        ("pid", json!(20), "acceptor, pid"),
        ("server_inode", json!(4), "acceptor, inode"),
        ("program", json!("/bin/ill"), "acceptor, program"),
        ("open", json!(7), "open"),
    ];
    assert_found("accept", &table);
}

#[test]
fn of_release() {
    let table = [
        ("pid", json!(30), "client end, pid"),
        ("tid", json!(20), "client end, thread"),
        ("start_ns", json!(1), "client end, start"),
        ("program", json!("/bin/ill"), "client end, program"),
        ("reason", json!("exit"), "client end, reason"),
        ("signal", json!(9), "client end, signal"),
        ("exit_status", json!(0), "client end, status"),
        ("end", json!("server"), "server end"),
        ("state", json!("closed"), "state"),
        ("open", json!(0), "open"),
    ];
    assert_found("release", &table);
}

#[test]
fn of_attempt() {
    let table = [
        ("pid", json!(20), "times: 2, captured 1"),
        ("error", json!("EPERM"), "times: 2, captured 1"),
        ("errno", json!(12), "times: 2, captured 1"),
        ("address", json!("t.sock"), "times: 2, captured 1"),
        ("path", json!("/d/x"), "times: 2, captured 1"),
        ("listener", json!(null), "listener"),
        ("queue", json!({"length": 1, "max": 1}), "queue"),
        ("program", json!(null), "program"),
    ];
    assert_found("attempt", &table);
}

#[test]
fn of_listener() {
    let table = [
        ("path", json!("/d/x.sock"), "no target"),
        ("bind_path", json!("/d/t.sock"), "bind path"),
        ("socket_type", json!("seqpacket"), "type"),
        ("backlog", json!(2), "backlog"),
        ("inode", json!(78), "inode"),
        ("pid", json!(20), "owner"),
        ("mount_ns", json!(9), "mount namespace"),
        ("network_ns", json!(9), "net namespace"),
    ];
    assert_found("listener", &table);
}
