//! `sockleak list`: the survey of all sockets, and where nothing matches.

use std::{
    io::{BufRead as _, BufReader},
    os::unix::net::{UnixListener, UnixStream},
    process::{Command, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
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
    let expected = "sockleak: no socket matches /nowhere/x.sock nobody-has-this.sock; sockleak list --all shows every socket, and \
                    @name means an abstract one\n";
    assert!(said.ends_with(expected), "{said}");
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

/// The survey, or None where the kernel lists no unix sockets.
fn survey(arguments: &[&str]) -> Option<Value> {
    let output = run(&[&["list", "--json"], arguments].concat());
    (output.status.code() != Some(4)).then(|| serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn without_a_target_each_socket_has_a_row() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("busy.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let clients: Vec<_> = (0..5).map(|_| UnixStream::connect(&path).unwrap()).collect();
    let accepted = [listener.accept().unwrap(), listener.accept().unwrap()];
    let (pid, path) = (std::process::id().to_string(), path.to_str().unwrap());
    let pair = UnixStream::pair().unwrap();
    let Some(survey) = survey(&["--pid", &pid, "--limit", "busy.sock=4"]) else { return };
    let rows = survey["sockets"].as_array().unwrap();
    let row = rows.iter().find(|row| row["path"] == path).unwrap();
    let expected = serde_json::json!({ "slots": 4, "source": "given" });
    assert_eq!((&row["open"], &row["slots_used"], &row["limit"]), (&5.into(), &2.into(), &expected));
    assert_eq!(row["queue"]["length"], 3);
    assert_eq!(row["clients"][0]["count"], 5);
    assert_eq!(row["listeners"][0]["pids"], serde_json::json!([std::process::id()]));
    assert!(row["oldest_ns"].is_null() && row["idle_ns"].is_null(), "{row}");
    assert!(rows.iter().any(|row| row["kind"] == "unnamed"), "{survey}");
    drop((clients, accepted, pair));
}

#[test]
fn the_descriptors_of_a_process_are_counted_by_kind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("most.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let clients: Vec<_> = (0..100).map(|_| UnixStream::connect(&path).unwrap()).collect();
    let (pid, path) = (std::process::id().to_string(), path.to_str().unwrap());
    let Some(survey) = survey(&["--pid", &pid]) else { return };
    let found = &survey["descriptors"][0];
    let number = |field: &str| found[field].as_u64().unwrap();
    assert_eq!(number("pid"), u64::from(std::process::id()));
    assert!(number("sockets") > 100 && number("limit") >= number("open"), "{found}");
    let kinds = ["sockets", "files", "pipes", "other"].map(number);
    assert_eq!(kinds.iter().sum::<u64>(), number("open"));
    assert_eq!(found["most_used"], serde_json::json!({ "path": path, "side": "client", "count": 100 }));
    let said = text(&run(&["list", "--pid", &pid]).stdout);
    let first = said.lines().next().unwrap();
    assert!(
        first.contains(" descriptors: ") && first.contains(&format!("of all are connections to {path})")),
        "{said}"
    );
    drop((clients, listener));
}

/// Reads the looks of a watch until one is as wanted; then it is interrupted, and must end well.
fn watched(arguments: &[&str], mut is_enough: impl FnMut(&Value) -> bool) -> Option<Value> {
    let mut watch = Command::new(env!("CARGO_BIN_EXE_sockleak"));
    watch.args(["list", "--json", "--watch=100ms"]).args(arguments).stdin(Stdio::null());
    let mut watch = watch.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut found = None;
    for line in BufReader::new(watch.stdout.take().unwrap()).lines() {
        let look: Value = serde_json::from_str(&line.unwrap()).unwrap();
        assert!(look["time"].as_str().unwrap().ends_with('Z'), "{look}");
        if is_enough(&look) {
            found = Some(look);
            kill(Pid::from_raw(watch.id() as i32), Signal::SIGINT).unwrap();
            break;
        }
    }
    let status = watch.wait().unwrap();
    assert_eq!(status.code(), Some(if found.is_some() { 0 } else { 4 }));
    found
}

#[test]
fn a_watch_marks_what_changed_and_ends_well() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("watched.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let mut clients = vec![UnixStream::connect(&path).unwrap()];
    let pid = std::process::id().to_string();
    let name = path.to_str().unwrap();
    let row = |look: &Value| {
        let rows = look["sockets"].as_array().unwrap().iter();
        rows.clone().find(|row| row["path"] == name).cloned().unwrap_or_default()
    };
    let mut looks = 0;
    let found = watched(&["--pid", &pid], |look| {
        looks += 1;
        assert_eq!(look.get("gone").is_some(), looks > 1, "the first has nothing before it: {look}");
        if looks == 1 {
            clients.extend((0..3).map(|_| UnixStream::connect(&path).unwrap()));
        }
        row(look)["change"] == 3
    });
    let Some(found) = found else { return };
    assert_eq!(row(&found)["open"], 4);
    let mut looks = 0;
    watched(&["--sock-diag", name], |look| {
        looks += 1;
        let socket = &look["sockets"][0];
        match looks {
            1 => assert!(socket.get("gone").is_none(), "{socket}"),
            2 => {
                clients.remove(0);
                clients.push(UnixStream::connect(&path).unwrap());
            }
            _ => {}
        }
        let new = socket["connections"].as_array().unwrap().iter().filter(|it| it["is_new"] == true).count();
        looks > 2 && (new, &socket["gone"]) == (1, &1.into())
    });
    drop(listener);
}

#[test]
fn where_there_is_no_terminal_each_look_is_a_block() {
    let mut watch = Command::new(env!("CARGO_BIN_EXE_sockleak"));
    watch.args(["list", "--watch=50ms", "--program", "nobody-has-this-name"]).stdin(Stdio::null());
    let mut watch = watch.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let out = BufReader::new(watch.stdout.take().unwrap());
    let times: Vec<String> =
        out.lines().map(Result::unwrap).filter(|line| line.starts_with("20")).take(2).collect();
    // The reader is gone now: it ends by itself.
    let status = watch.wait().unwrap();
    assert!(status.code() == Some(0) && times.len() == 2 || status.code() == Some(4), "{status}");
}

#[test]
fn a_filter_that_matches_nobody_has_the_status_of_no_match() {
    let output = run(&["list", "--program", "nobody-has-this-name"]);
    let said = text(&output.stderr);
    assert!(matches!(output.status.code(), Some(4 | 8)), "{said}");
    if output.status.code() == Some(8) {
        assert_eq!(said, "sockleak: no socket matches --program nobody-has-this-name\n");
    }
}

#[test]
fn a_process_that_is_not_there_is_one_sentence() {
    // No process has this number: pid_max is at most 4194304.
    for watch in [&["--watch=1"][..], &[]] {
        let output = run(&[&["list", "--pid", "4200000"], watch].concat());
        let said = text(&output.stderr);
        let expected = "sockleak: there is no process 4200000, or /proc hides it; see its number in ps, or choose by --program\n";
        assert_eq!((output.status.code(), said.as_str(), output.stdout.len()), (Some(8), expected, 0));
    }
}

#[test]
fn arguments_that_would_do_something_else_are_refused() {
    for (arguments, told) in [
        (&["list", "--watch", "2", "ma.sock"][..], "--watch=2"),
        (&["list", "--watch", "0.5", "ma.sock"], "--watch=0.5"),
        (&["capture", "--stacks", "off", "ma.sock"], "--stacks=off"),
        (&["list", "--pid", "-5"], "'-5'"),
        (&["list", "--user", ""], "--user"),
        (&["list", "--pod", "a/b/c"], "NAMESPACE/POD"),
        (&["capture", "--ring-size", "x", "ma.sock"], "power of two"),
    ] {
        let output = run(arguments);
        let said = text(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains(told), "{arguments:?}: {said}");
    }
    let said = text(&run(&["webb"]).stderr);
    assert!(said.contains("webb") && !said.contains("tip:"), "{said}");
    let said = text(&run(&["expor"]).stderr);
    assert!(said.contains("tip:") && said.contains("'export'"), "{said}");
}

#[test]
fn a_limit_that_no_socket_has_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let _listener = UnixListener::bind(folder.path().join("limited.sock")).unwrap();
    let pid = std::process::id().to_string();
    let limits = ["--limit", "limited.sock=3", "--limit", "other.sock=4"];
    let output = run(&[&["list", "--pid", &pid], &limits[..]].concat());
    let said = text(&output.stderr);
    let expected = "sockleak: --limit other.sock=4 means no socket that is listed\n";
    assert!(output.status.code() == Some(4) || said == expected, "{said}");
}

#[test]
fn capture_without_a_target_says_what_to_type() {
    let folder = tempfile::tempdir().unwrap();
    let _listener = UnixListener::bind(folder.path().join("here.sock")).unwrap();
    let output = run(&["capture"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.starts_with("sockleak: capture needs a target") && said.contains("sockleak list"), "{said}");
}
