//! The real command.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    os::unix::net::UnixStream,
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

use crate::scene::{self, Scratch};

pub(crate) fn sockleak(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sockleak"));
    command.args(arguments).stdin(Stdio::null()).env_remove("SOCKLEAK_LOG");
    command
}

/// What has not come by then never will.
const PATIENCE: Duration = Duration::from_secs(60);

/// A replay that serves.
struct Replay {
    child: Child,
    said: mpsc::Receiver<String>,
    address: String,
}

impl Replay {
    fn start(arguments: &[&str]) -> Self {
        let mut child = sockleak(&["replay", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (say, said) = mpsc::channel();
        // It ends with the process, or when nobody wants to know any more.
        thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| say.send(line)));
        let line = said.recv_timeout(PATIENCE).expect("it says where it is");
        let address = line.split("http://").nth(1).and_then(|it| it.split('/').next());
        let address = address.unwrap_or_else(|| panic!("it does not say where it is: {line}")).to_owned();
        Self { child, said, address }
    }

    fn get(&self, path: &str) -> Value {
        body(self.connect(), path)
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Waits for the sentence that it is at its end.
    fn wait_for_end(&self) {
        let line = self.said.recv_timeout(PATIENCE).expect("it says that it is at its end");
        assert!(line.contains("the end is reached"), "{line}");
    }

    /// Ends it by a signal; returns its status.
    fn end(mut self, signal: Signal) -> Option<i32> {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
        self.child.wait().unwrap().code()
    }
}

fn body(mut stream: impl std::io::Read + std::io::Write, path: &str) -> Value {
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    serde_json::from_str(body).unwrap_or(Value::String(body.to_owned()))
}

fn recorded(scratch: &Scratch) -> String {
    let file = scratch.file("trace.db");
    scene::busy().record(&file, "db1");
    file.display().to_string()
}

fn report(file: &str) -> Value {
    let output = sockleak(&["report", "--json", file]).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn it_answers_what_the_report_says() {
    let scratch = Scratch::new();
    let file = recorded(&scratch);
    let socket = scratch.file("http.sock");
    let unix = format!("unix:{}", socket.display());
    let replay = Replay::start(&[&file, "--speed", "max", "--listen", &unix]);
    replay.wait_for_end();
    let (report, snapshot) = (report(&file), replay.get("/api/v1/snapshot"));
    assert_eq!(snapshot["findings"], report["findings"]);
    assert_eq!(snapshot["host"], "db1");
    let findings = replay.get("/api/v1/findings?verdict=client-leak");
    assert_eq!(findings["findings"].as_array().unwrap().len(), 1);
    let mut connections = replay.get("/api/v1/connections");
    let mut open = report["open"].clone();
    for connection in
        open.as_array_mut().unwrap().iter_mut().chain(connections["connections"].as_array_mut().unwrap())
    {
        // Without a token it is hidden.
        connection["argv"] = Value::Null;
    }
    assert_eq!(connections["connections"], open);
    let path = "/api/v1/series?socket=/run/haproxy/ma.sock&from=1767324000000&to=1767328000000";
    assert!(replay.get(path)["points"].as_array().unwrap().len() > 50);
    assert!(
        replay
            .get("/metrics")
            .as_str()
            .unwrap()
            .contains("sockleak_opened_total{socket=\"/run/haproxy/ma.sock\"")
    );
    assert_eq!(replay.get("/readyz")["status"], "ok");
    assert_eq!(
        body(UnixStream::connect(&socket).unwrap(), "/api/v1/snapshot")["findings"],
        report["findings"]
    );
    assert_eq!(replay.end(Signal::SIGINT), Some(0));
}

/// The first line of the answer, and its body.
fn sent(replay: &Replay, method: &str, path: &str, headers: &str) -> (String, Value) {
    let mut stream = replay.connect();
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Connection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap_or_default().to_owned();
    (status, serde_json::from_str(body).unwrap_or_default())
}

#[test]
fn a_replay_is_controlled_by_http() {
    const CONTROL: &str = "Sockleak-Control: 1\r\n";
    let scratch = Scratch::new();
    let replay = Replay::start(&[&recorded(&scratch), "--speed", "max"]);
    replay.wait_for_end();
    let (end, begin) = (replay.get("/api/v1/replay"), 1_767_324_045_000_i64);
    assert_eq!((&end["state"], end["begin_ms"].as_i64()), (&"ended".into(), Some(begin)));
    assert_eq!(end["at_ms"], end["end_ms"]);
    let path = format!("/api/v1/replay?at={}&state=paused", begin + 1_800_000);
    let (status, _) = sent(&replay, "POST", &path, CONTROL);
    assert_eq!(status, "200");
    let until = Instant::now() + PATIENCE;
    while replay.get("/api/v1/replay")["state"] != "paused" {
        assert!(Instant::now() < until, "it does not get there");
    }
    let snapshot = replay.get("/api/v1/snapshot");
    assert_eq!(snapshot["at_ms"].as_i64(), Some(begin + 1_800_000));
    // The web server counts from there as well: no other hour is looked at.
    let series = replay.get("/api/v1/series?socket=/run/haproxy/ma.sock");
    assert_eq!(series["to_ms"], snapshot["at_ms"]);
    for (method, path, headers, status) in [
        ("POST", "/api/v1/replay?state=playing", "", "403"),
        (
            "POST",
            "/api/v1/replay?state=playing",
            "Sockleak-Control: 1\r\nSec-Fetch-Site: cross-site\r\n",
            "403",
        ),
        ("GET", "/api/v1/replay?state=playing", CONTROL, "400"),
        ("POST", "/api/v1/replay?state=stopped", CONTROL, "400"),
        ("POST", "/api/v1/replay?speed=0", CONTROL, "400"),
        ("POST", "/api/v1/replay?at=noon", CONTROL, "400"),
        ("POST", "/api/v1/snapshot", CONTROL, "405"),
    ] {
        assert_eq!(sent(&replay, method, path, headers).0, status, "{method} {path}");
    }
    assert_eq!(replay.get("/api/v1/replay")["state"], "paused");
    assert_eq!(replay.end(Signal::SIGTERM), Some(0));
}

#[test]
fn time_goes_on_meanwhile() {
    let scratch = Scratch::new();
    let file = recorded(&scratch);
    let replay = Replay::start(&[&file, "--speed", "100"]);
    let at = || replay.get("/api/v1/snapshot")["at_ms"].as_i64().unwrap();
    let first = at();
    let begun = Instant::now();
    while at() < first + 1000 {
        assert!(begun.elapsed() < PATIENCE, "it is still {first}");
    }
    // Whoever listens hears what happens, until he has heard enough.
    let mut stream = replay.connect();
    write!(stream, "GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut lines = BufReader::new(stream).lines();
    let is_event = |line: std::io::Result<String>| {
        // Something comes even when nothing happens.
        assert!(begun.elapsed() < 2 * PATIENCE, "no event comes");
        line.unwrap().starts_with("data: {")
    };
    assert!(lines.any(is_event));
    assert_eq!(replay.end(Signal::SIGTERM), Some(0));
}

/// Root has nothing to do with what is served.
#[test]
fn it_runs_without_privileges() {
    let scratch = Scratch::new();
    let file = recorded(&scratch);
    let replay = Replay::start(&[&file]);
    replay.get("/healthz");
    let status = fs::read_to_string(format!("/proc/{}/status", replay.child.id())).unwrap();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(field("CapEff:"), ["0000000000000000"]);
    assert_eq!(field("NoNewPrivs:"), ["1"]);
    assert!(!field("Uid:").contains(&"0".to_owned()) && !field("Gid:").contains(&"0".to_owned()), "{status}");
    assert_eq!(replay.end(Signal::SIGTERM), Some(0));
}

#[track_caller]
fn assert_refused(output: &Output, status: i32, words: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), output.stdout.is_empty()), (Some(status), true), "{said}");
    let sentences = said.lines().filter(|line| line.starts_with("sockleak: ") || line.starts_with("error: "));
    assert_eq!(sentences.count(), 1, "{said}");
    for word in words {
        assert!(said.contains(word), "{word} is not in: {said}");
    }
}

#[test]
fn what_cannot_be_played_is_refused() {
    let scratch = Scratch::new();
    let file = recorded(&scratch);
    let directory = scratch.file("").display().to_string();
    let missing = scratch.file("missing").display().to_string();
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml").display().to_string();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let table: [(&[&str], i32, &[&str]); 13] = [
        (&[], 2, &["RECORDING", "--help"]),
        (&[&file, "--store", &directory], 2, &["--store", "cannot be used with"]),
        (&[&missing], 6, &[&missing, "does not exist"]),
        (&[&own], 6, &[&own, "is not a sockleak recording"]),
        (&[&directory], 6, &["is a directory"]),
        (&["--store", &missing], 6, &[&missing]),
        (&["--store", &directory], 6, &["holds no recording"]),
        (&[&file, "--speed", "fast"], 2, &["'fast'", "--speed", "0.5"]),
        (&[&file, "--from", "2h"], 2, &["lasts for 1 h", "--from"]),
        (&[&file, "--listen", "localhost"], 2, &["'localhost'", "127.0.0.1:9436"]),
        (&[&file, "--listen", "0.0.0.0:0"], 2, &["0.0.0.0:0", "--token-file"]),
        (&[&file, "--token-file", &missing], 2, &[&missing, "token"]),
        (&[&file, "--listen", &taken], 1, &[&taken, "--listen"]),
    ];
    for (arguments, status, words) in table {
        let output = sockleak(&["replay"]).args(arguments).output().unwrap();
        assert_refused(&output, status, words);
    }
}

/// Tokio panics where it gets no descriptors.
#[test]
fn too_few_descriptors_are_told() {
    let scratch = Scratch::new();
    let file = recorded(&scratch);
    let command = format!("ulimit -n 8; exec {} replay {file}", env!("CARGO_BIN_EXE_sockleak"));
    let output = Command::new("sh").args(["-c", &command]).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("raise the limit with ulimit -n") && !stderr.contains("panicked"), "{stderr}");
}
