//! `sockleak list` where nothing matches.

use serde_json::Value;

use crate::{run, text};

#[test]
fn no_socket_has_a_status_of_its_own() {
    let output = run(&["list", "--sock-diag", "--json", "/nowhere/x.sock", "nobody-has-this.sock"]);
    let said = text(&output.stderr);
    if output.status.code() == Some(4) {
        assert!(said.contains("modprobe unix_diag"), "{said}");
        return;
    }
    assert_eq!(output.status.code(), Some(8), "{said}");
    assert!(said.ends_with("sockleak: no socket matches /nowhere/x.sock nobody-has-this.sock\n"), "{said}");
    let listing: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(listing["sockets"], serde_json::json!([]));
}

#[test]
fn a_bare_number_is_one_of_seconds() {
    // The wrong target comes after the right durations.
    for duration in ["30", "30s", "1h 5m"] {
        let output = run(&["capture", "--for", duration, "--leak-age", duration, "@"]);
        let said = text(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains("'@'") && !said.contains("--for"), "{said}");
    }
}
