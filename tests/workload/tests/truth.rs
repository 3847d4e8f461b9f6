//! The truth is true: at the end of each scenario, what it calls open is in the descriptor tables that it names, and what
//! it calls released is in nobody's.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use workload::scenario::{ALL, First, Group, Scenario};
use workload::truth::{Holder, Truth};

/// They mount, enter namespaces, or take another user id.
const NEED_ROOT: [&str; 4] = ["names", "refused", "before-trace", "verdict-before-trace"];

struct Playing {
    child: Child,
    truth: Truth,
}

impl Drop for Playing {
    fn drop(&mut self) {
        // The end of its standard input is its cue.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn play(scenario: &Scenario, dir: &Path) -> Playing {
    let stage = dir.join("d");
    fs::create_dir_all(&stage).unwrap();
    let truth = dir.join("truth.jsonl");
    let mut child = Command::new(env!("CARGO_BIN_EXE_workload"))
        .arg(scenario.name)
        .arg("--dir")
        .arg(&stage)
        .arg("--truth")
        .arg(&truth)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    if scenario.first == First::Workload {
        writeln!(child.stdin.as_mut().unwrap(), "go").unwrap();
    }
    let lines: Vec<_> = BufReader::new(child.stdout.as_mut().unwrap())
        .lines()
        .map(Result::unwrap)
        .take(if scenario.first == First::Workload { 2 } else { 1 })
        .collect();
    assert_eq!(lines.last().map(String::as_str), Some("ready"), "{}", scenario.name);
    let truth = Truth::read(BufReader::new(fs::File::open(truth).unwrap())).unwrap();
    Playing { child, truth }
}

/// Process and descriptor, for each inode of a socket, in all descriptor tables.
fn held() -> HashMap<u64, Vec<(u32, i32)>> {
    let mut held: HashMap<u64, Vec<_>> = HashMap::new();
    for process in fs::read_dir("/proc").unwrap() {
        let process = process.unwrap();
        let Ok(pid) = process.file_name().to_string_lossy().parse() else { continue };
        // Processes and descriptors come and go while they are read.
        let Ok(descriptors) = fs::read_dir(process.path().join("fd")) else { continue };
        for descriptor in descriptors.flatten() {
            let Ok(target) = fs::read_link(descriptor.path()) else { continue };
            let text = target.to_string_lossy();
            let inode = text.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']'));
            if let Some(inode) = inode.and_then(|inode| inode.parse().ok()) {
                let fd = descriptor.file_name().to_string_lossy().parse().unwrap();
                held.entry(inode).or_default().push((pid, fd));
            }
        }
    }
    held
}

/// Is there a socket of this inode at all? One that is under way between processes is in no descriptor table.
fn exists(inode: u64) -> bool {
    let inode = inode.to_string();
    let table = fs::read_to_string("/proc/net/unix").unwrap();
    table.lines().any(|line| line.split_ascii_whitespace().nth(6) == Some(&inode))
}

fn check_end(
    what: &str,
    truth: &Truth,
    holders: &[Holder],
    is_open: bool,
    held: &HashMap<u64, Vec<(u32, i32)>>,
    inode: u64,
) {
    let mut held = held.get(&inode).cloned().unwrap_or_default();
    // Some processes do not tell their descriptors.
    let mut expected: Vec<_> = holders
        .iter()
        .map(|holder| {
            let pid = truth.processes[holder.process].pid;
            let fd = holder.fd.or_else(|| held.iter().find(|it| it.0 == pid).map(|it| it.1));
            (pid, fd.unwrap_or(-1))
        })
        .collect();
    held.sort_unstable();
    expected.sort_unstable();
    assert_eq!(held, expected, "{what} {inode}: holders");
    assert_eq!(!held.is_empty() || exists(inode), is_open, "{what} {inode}");
}

fn check(scenario: &Scenario) {
    // A user without rights has to get there, which the folders above a target directory may forbid.
    let open_to_all = fs::Permissions::from_mode(0o755);
    let dir = tempfile::Builder::new().permissions(open_to_all).tempdir().unwrap();
    let playing = play(scenario, dir.path());
    let (name, truth, held) = (scenario.name, &playing.truth, held());
    let nothing = truth.connections.is_empty() && truth.attempts.is_empty();
    assert!(!nothing, "{name}: nothing happened");
    let mut seen = HashSet::new();
    for connection in &truth.connections {
        let inode = connection.client_inode;
        assert!(seen.insert(inode), "{name}: {inode} is there twice");
        let (clients, servers) = (&connection.client_holders, &connection.server_holders);
        let what = format!("{name}: client's end");
        check_end(&what, truth, clients, connection.client.is_none(), &held, inode);
        if let Some(inode) = connection.server_inode {
            let what = format!("{name}: server's end");
            check_end(&what, truth, servers, connection.server.is_none(), &held, inode);
        }
        // An end that nobody accepted goes with its listener, and only with it.
        if connection.accepted_by.is_none() {
            let closed = truth.listeners[connection.listener].closed_by;
            assert_eq!(
                connection.server.as_ref().map(|release| release.by),
                closed,
                "{name}: waiting {inode}"
            );
        }
    }
}

fn possible(group: Group) -> impl Iterator<Item = &'static Scenario> {
    let is_root = fs::metadata("/proc/self").is_ok_and(|it| std::os::unix::fs::MetadataExt::uid(&it) == 0);
    ALL.iter()
        .filter(move |scenario| scenario.group == group && (is_root || !NEED_ROOT.contains(&scenario.name)))
}

#[test]
fn what_is_open_is_held_and_what_is_released_is_not() {
    possible(Group::Kernel).for_each(check);
}

#[test]
fn so_it_is_where_verdicts_are_due() {
    // They mostly wait.
    std::thread::scope(|scope| {
        for scenario in possible(Group::Verdicts) {
            scope.spawn(|| check(scenario));
        }
    });
}

#[test]
fn a_real_haproxy_behaves_as_the_scenarios_say() {
    for (installed, is_3_0) in [("/usr/sbin/haproxy", false), ("/opt/haproxy-3.0/haproxy", true)] {
        if Path::new(installed).exists() {
            let fits = |scenario: &&Scenario| scenario.name.starts_with("haproxy-3.0") == is_3_0;
            possible(Group::Haproxy).filter(fits).for_each(check);
        }
    }
}
