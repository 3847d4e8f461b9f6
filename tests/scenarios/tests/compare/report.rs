//! Figures of the report that say something wrong.

use serde_json::json;

use crate::fixture::{differences, truth};
use scenarios::perfect::capture_of;

#[test]
fn wrong_figures_of_the_report_are_found() {
    for (pointer, value, word) in [
        ("/complete", json!(false), "incomplete"),
        ("/incomplete_because", json!(["a reason"]), "a reason"),
        ("/programs/1/opened", json!(3), "opened"),
        ("/programs/1/closed", json!(0), "closed"),
        ("/programs/2/open_client", json!(2), "open_client"),
        ("/programs/2/open_server", json!(0), "open_server"),
        ("/programs/2/failed", json!({"EAGAIN": 1}), "EAGAIN"),
        ("/programs/2/program", json!("/bin/other"), "missing"),
        ("/programs/2/path", json!("/d/x"), "invented"),
        ("/programs", json!([]), "missing"),
        ("/open", json!([]), "open connection of inode 1002 is missing"),
        ("/open/0/client_inode", json!(1001), "not open"),
        ("/open/0/connection", json!(100), "another's"),
        ("/open/0/pid", json!(30), "pid"),
        ("/open/0/start_ns", json!(0), "start"),
        ("/open/0/program", json!("/bin/ill"), "program"),
        ("/open/0/argv", json!(null), "argument"),
        ("/open/0/path", json!("/d/x"), "path"),
        ("/open/0/state", json!("queued"), "state"),
        ("/open/0/server_inode", json!(1), "server inode"),
        ("/open/0/server", json!(null), "server"),
        ("/open/0/client_end/state", json!("unknown"), "client end"),
        ("/open/2/client_end/reason", json!("exit"), "client end"),
        ("/open/2/client_end/pid", json!(20), "client end"),
        ("/open/2/server_end/state", json!("released"), "server end"),
        ("/programs/1/before_trace", json!(1), "before_trace"),
        ("/open/0/before_trace", json!(true), "before the trace"),
        ("/open/0/client_end/held_by", json!(null), "client end: nobody looked"),
        ("/open/0/client_end/held_by", json!([]), "client end, held by"),
        ("/open/0/client_end/held_by/0/pid", json!(30), "client end, held by"),
        ("/open/0/client_end/held_by/0/program", json!("/bin/ill"), "client end, held by"),
        ("/open/0/client_end/held_by/0/fd", json!(6), "client end, held by"),
        (
            "/open/0/server_end/held_by",
            json!([{"pid": 10, "program": "/bin/server", "fd": 6}, {"pid": 20, "program": "/bin/good", "fd": 6}]),
            "server end, held by",
        ),
        (
            "/open/1/server_end/held_by",
            json!([{"pid": 10, "program": "/bin/server", "fd": 3}]),
            "server end, held by",
        ),
        ("/open/2/client_end/held_by", json!([]), "client end: it is released, and yet held"),
    ] {
        let mut lines = capture_of(&truth());
        let report = lines.last_mut().unwrap();
        let place = report.pointer_mut(pointer).unwrap_or_else(|| panic!("the report has no {pointer}"));
        assert_ne!(*place, value, "{pointer} is not changed");
        *place = value;
        let found = differences(&lines);
        assert!(found.iter().any(|it| it.contains(word)), "{pointer}: nothing about '{word}' in {found:#?}");
    }
}
