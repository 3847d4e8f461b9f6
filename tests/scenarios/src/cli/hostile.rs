//! A host on which everything has a name that means harm, and clients of the service that do: whatever comes out of it is
//! harmless, and others are served.

use std::ffi::OsStr;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use nix::sys::signal::Signal;
use serde_json::Value;
use workload::actor::{Actor, Answer, Command};
use workload::unix::{Kind, Patience};

use super::bench::{Bench, Door, allow_descriptors};
use super::collector::Collector;
use super::names::expect_harmless;
use super::service::{ADDRESS, PATIENCE, Service, get, get_with, mount_bpf_file_system, wait_for};

/// Clears the screen, forges a line, and is markup wherever there is markup. The name of a program's file.
const PROGRAM: &[u8] = b"\x1b[2J\nFORGED <b>`'\"$(x)|=1\xe2\x80\xae";
/// An argument: sets a title, hides text, and goes on for as long as anybody might think enough.
const ROLE: &str = "\u{1b}]0;owned\u{7}\nFORGED <script>alert(1)</script>\r\u{9b}31m\u{200b}";
const FILE: &str = "n-\u{1b}[8m\nFORGED <b>file.sock";
const TOKEN: &str = "Authorization: Bearer hush\r\n";
/// A leak that is not found by then, with two connections a second, never will be.
const MOST: usize = 90;
/// Where alerts are posted to.
const WEBHOOK: &str = "127.0.0.1:9999";

/// Everything that the service tells of a leak on such a host, while clients do their worst.
pub(super) fn hostile(bench: &Bench<'_>) -> anyhow::Result<()> {
    mount_bpf_file_system()?;
    let program = Path::new(&bench.path("")).join(OsStr::from_bytes(PROGRAM));
    fs::copy(bench.workload(), &program).context("cannot copy the workload")?;
    let abstract_name = format!("@sockleak\u{1b}[1A\nFORGED <b>abstract\u{7}{}", std::process::id());
    let (file, alerts, token) = (bench.path(FILE), bench.path("alerts.jsonl"), bench.path("token"));
    let doors = [Door::open(&abstract_name)?, Door::open(&file)?];
    fs::write(&token, "hush")?;
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600))?;
    let (collector, posted) = (Collector::open()?, receive(WEBHOOK)?);
    // TOML writes such texts as JSON does.
    let name = Value::from(abstract_name.as_str());
    let service = Service::configure(
        bench,
        &format!(
            "leak_age = \"1s\"\n[[target]]\nsocket = {name}\n[[target]]\nsocket = {:?}\nlimit = 100\n\
             [http]\nlisten = {ADDRESS:?}\ntoken_file = {token:?}\n\
             [alerts]\nfor = \"100ms\"\n[[alerts.sink]]\nkind = \"log\"\n[[alerts.sink]]\nkind = \"file\"\npath = {alerts:?}\n\
             [[alerts.sink]]\nkind = \"webhook\"\nurl = \"http://{WEBHOOK}/\"\n{}",
            bench.path("n-*"),
            collector.settings()
        ),
    )?;
    let running = service.start()?;
    let events = listen_to_events()?;

    let mut client = Actor::start(&program, &format!("{ROLE}{}", "'".repeat(4096)))?;
    let (mut made, mut held) = (0, Vec::new());
    let mut leak = || -> anyhow::Result<()> {
        for (address, door) in [&abstract_name, &file].into_iter().zip(&doors) {
            let (address, kind, patience) = (address.clone(), Kind::Stream, Patience::None);
            let answer = client.ask(&Command::Connect { address, kind, patience })?;
            ensure!(matches!(answer, Answer::Socket { .. }), "connecting gave {answer:?}");
            held.push(door.accept()?);
            made += 1;
        }
        Ok(())
    };
    let said = || fs::read_to_string(&alerts).unwrap_or_default();
    for _ in 0..MOST {
        if said().contains("client-leak") {
            break;
        }
        leak()?;
        thread::sleep(Duration::from_millis(500));
    }
    let program = program.to_string_lossy().into_owned();
    expect_figures(&program, &file, made / 2)?;
    wait_for(|| Ok(collector.opened(&shown(&file), &shown(&program))? == made / 2))?;
    expect_alerts(&said(), &program)?;
    wait_for(|| Ok(posted.lock().unwrap_or_else(PoisonError::into_inner).contains("client-leak")))?;
    expect_alerts(&posted.lock().unwrap_or_else(PoisonError::into_inner), &program)?;
    expect_events(events, &program)?;

    do_their_worst()?;
    expect_figures(&program, &file, made / 2)?;
    let log = fs::read_to_string(&running.stderr)?;
    ensure!(log.contains("alert firing: client-leak"), "no alert in the log: {log}");
    expect_harmless(&log)?;
    running.end_by(Signal::SIGTERM)?.expect(0)?;
    expect_reports(bench, &service)?;
    bench.run(bench.sockleak().arg("detach"))?.expect(0)
}

/// What HTTP answers: each name within its string, none of them on a line of its own.
fn expect_figures(program: &str, file: &str, opened: i64) -> anyhow::Result<()> {
    let metrics = get_with(ADDRESS, "/metrics", TOKEN)?;
    let stray = metrics.lines().find(|line| !line.starts_with("sockleak_") && !line.starts_with("# "));
    ensure!(stray.is_none(), "a line of its own: {stray:?}");
    ensure!(!metrics.contains(['\u{1b}', '\u{202e}', '\u{7}']), "a scrape moves a cursor: {metrics:?}");
    let label = |text: &str| shown(text).replace('\\', "\\\\").replace('"', "\\\"");
    let series = format!(
        "sockleak_opened_total{{socket=\"{}\",program=\"{}\"}} {opened}\n",
        label(file),
        label(program)
    );
    ensure!(metrics.contains(&series), "no {series:?} in: {metrics}");
    for path in ["/api/v1/snapshot", "/api/v1/findings", "/api/v1/connections"] {
        let text = get_with(ADDRESS, path, TOKEN)?;
        ensure!(text.bytes().all(|byte| byte >= b' '), "{path} moves a cursor: {text:?}");
        let all: Value = serde_json::from_str(&text)?;
        ensure!(has(&all, &|it| it == program), "{path} does not name the program: {text}");
        ensure!(has(&all, &|it| it == file), "{path} does not name the socket: {text}");
    }
    let all: Value = serde_json::from_str(&get_with(ADDRESS, "/api/v1/connections", TOKEN)?)?;
    ensure!(has(&all, &|it| it.starts_with(ROLE)), "no command line: {all}");
    let plain = get(ADDRESS, "/api/v1/connections")?;
    ensure!(!plain.contains("alert(1)"), "a command line without the token: {plain}");
    Ok(())
}

/// A name as labels have it, and texts of ours.
fn shown(name: &str) -> String {
    let is_shown = |c: &char| !c.is_control() && *c != '\u{202e}';
    name.chars().map(|c| if is_shown(&c) { c.to_string() } else { c.escape_unicode().to_string() }).collect()
}

/// Is there such a text anywhere?
fn has(value: &Value, is_it: &impl Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => is_it(text),
        Value::Array(values) => values.iter().any(|value| has(value, is_it)),
        Value::Object(fields) => fields.values().any(|value| has(value, is_it)),
        _ => false,
    }
}

/// Each alert is a line of JSON.
fn expect_alerts(lines: &str, program: &str) -> anyhow::Result<()> {
    let mut named = 0;
    for line in lines.lines() {
        let alert: Value = serde_json::from_str(line).with_context(|| format!("no alert: {line:?}"))?;
        named += usize::from(alert["program"] == program);
    }
    ensure!(named > 0, "no alert names the program: {lines}");
    Ok(())
}

/// Asks to be told of events.
fn listen_to_events() -> anyhow::Result<TcpStream> {
    let mut stream = TcpStream::connect(ADDRESS)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n{TOKEN}\r\n")?;
    // So that nothing is missed.
    let mut greeting = Vec::new();
    while !greeting.ends_with(b"retry: 5000\n\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        greeting.extend(byte);
    }
    Ok(stream)
}

/// Of each event there are three lines and no other.
fn expect_events(mut stream: TcpStream, program: &str) -> anyhow::Result<()> {
    let mut text = Vec::new();
    while !text.windows(12).any(|it| it == b"event: accep") {
        let mut piece = [0; 4096];
        let length = stream.read(&mut piece)?;
        ensure!(length > 0, "the events end: {:?}", String::from_utf8_lossy(&text));
        text.extend_from_slice(&piece[..length]);
    }
    let text = String::from_utf8_lossy(&text);
    // The last line may not be whole.
    let (whole, _) = text.rsplit_once("\r\n").context("no line")?;
    let mut named = 0;
    for line in whole.lines().filter(|line| !line.is_empty()) {
        let is_length = line.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_known = ["id: ", "event: ", "data: ", ":"].iter().any(|start| line.starts_with(start));
        ensure!(is_length || is_known, "a line of its own: {line:?}");
        if let Some(data) = line.strip_prefix("data: ") {
            let event: Value = serde_json::from_str(data).with_context(|| format!("no event: {data:?}"))?;
            named += usize::from(has(&event, &|it| it == program));
        }
    }
    ensure!(named > 0, "no event names the program: {text}");
    Ok(())
}

/// A thousand at once who begin and do not end, and whatever else is no request: in between, one who asks is answered.
fn do_their_worst() -> anyhow::Result<()> {
    allow_descriptors()?;
    let mut slow = Vec::new();
    for nth in 0..1000 {
        // Some may find no room to wait in.
        let Ok(mut stream) = TcpStream::connect(ADDRESS) else { continue };
        let text = [
            "",
            "GET /metrics HTTP/1.1\r\nHost: loc",
            "GET /api/v1/snapshot HTTP/1.1\r\nHost: localhost\r\n\r\n",
        ];
        let _ = stream.write_all(text[nth % 3].as_bytes());
        slow.push(stream);
        if nth % 100 == 0 {
            get(ADDRESS, "/healthz")?;
        }
    }
    ensure!(slow.len() > 500, "only {} connected", slow.len());
    get(ADDRESS, "/healthz")?;
    let long = format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(70_000));
    let header = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "'".repeat(70_000));
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"\0\0\0\0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
        b"GET /api/v1/connections?limit=-1&\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /api/v1/series?socket=%00%1b%5b2J&from=9999999999999999999&to=-1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        long.as_bytes(),
        header.as_bytes(),
    ] {
        let mut stream = TcpStream::connect(ADDRESS)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        // It may have heard enough before the end.
        let _ = stream.write_all(bytes);
        let mut answer = [0; 12];
        let length = stream.read(&mut answer).unwrap_or(0);
        let is_taken = answer[..length].starts_with(b"HTTP/1.1 2");
        ensure!(!is_taken, "that is answered: {:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(80)]));
        get(ADDRESS, "/healthz")?;
    }
    Ok(())
}

/// All forms of the report of what was stored.
fn expect_reports(bench: &Bench<'_>, service: &Service<'_>) -> anyhow::Result<()> {
    for format in ["text", "markdown", "csv", "html"] {
        let mut command = bench.sockleak();
        command.args(["report", "--format", format, "--store", &service.store]);
        let ended = bench.run(&mut command)?;
        ended.expect(0)?;
        expect_harmless(&ended.out).with_context(|| format.to_owned())?;
        ended.expect_output(&["FORGED"])?;
        let is_markup = ["<b>FORGED", "FORGED <b>", "<script>alert"].iter().any(|it| ended.out.contains(it));
        // Text and tables are not read as pages.
        ensure!(!is_markup || ["text", "csv"].contains(&format), "markup in {format}: {}", ended.out);
    }
    let report = service.report()?;
    ensure!(has(&report, &|it| it.starts_with(ROLE)), "the command line is not in the report");
    Ok(())
}

/// Takes whatever is posted, each body a line.
fn receive(address: &str) -> anyhow::Result<Arc<Mutex<String>>> {
    let listener = TcpListener::bind(address)?;
    let bodies = Arc::new(Mutex::new(String::new()));
    let store = Arc::clone(&bodies);
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut request = Vec::new();
            let mut piece = [0; 4096];
            while !request.ends_with(b"}") {
                match stream.read(&mut piece) {
                    Ok(length @ 1..) => request.extend_from_slice(&piece[..length]),
                    _ => break,
                }
            }
            let request = String::from_utf8_lossy(&request);
            let Some((_, body)) = request.split_once("\r\n\r\n") else { continue };
            let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
            store.push_str(body);
            store.push('\n');
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n");
        }
    });
    Ok(bodies)
}
