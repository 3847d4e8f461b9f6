//! The command line, driven as users drive it: the real binary, its exit status and its words. What depends on the
//! kernel and on privileges is asked of `sockleak check --json` first, so that these tests hold on every machine; the
//! virtual machines of `cargo xtask test` have the rest.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{
        ffi::OsStrExt as _,
        fs::{MetadataExt as _, PermissionsExt as _},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::Value;

const NOBODY: u32 = 65534;

fn sockleak() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sockleak"));
    command.stdin(Stdio::null()).env_remove("SOCKLEAK_LOG").env("RUST_BACKTRACE", "1");
    command
}

fn run(arguments: &[&str]) -> Output {
    sockleak().args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The one sentence on standard error, without what introduces it. Fails on a second one, and on a panic.
#[track_caller]
fn sentence(output: &Output) -> String {
    let stderr = text(&output.stderr);
    for word in ["panicked", "Stack backtrace", "stack backtrace", "RUST_BACKTRACE"] {
        assert!(!stderr.contains(word), "{stderr}");
    }
    let introduced = |line: &&str| line.starts_with("error: ") || line.starts_with("sockleak: ");
    let sentences: Vec<_> = stderr.lines().filter(introduced).collect();
    assert_eq!(sentences.len(), 1, "{stderr}");
    let (_, said) = sentences[0].split_once(": ").unwrap();
    said.to_owned()
}

/// Status 2, nothing on standard output, and a sentence with each of these words.
#[track_caller]
fn assert_unusable(output: &Output, words: &[&str]) {
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "");
    sentence(output);
    let stderr = text(&output.stderr);
    for word in words {
        assert!(stderr.contains(word), "'{word}' is not in: {stderr}");
    }
}

#[test]
fn a_target_is_asked_for() {
    assert_unusable(&run(&["capture"]), &["capture needs a target", "sockleak list shows"]);
}

#[test]
fn malformed_targets_are_named_with_the_remedy() {
    let long = format!("/run/{}", "x".repeat(256));
    let long_abstract = format!("@{}", "x".repeat(108));
    for (target, words) in [
        ("", &["empty", "path", "@abstract"][..]),
        ("@", &["'@'", "write @NAME"]),
        ("/run/", &["'/run/'", "directory", "'/run/*'"]),
        ("/", &["'/'", "directory"]),
        (".", &["'.'", "directory"]),
        ("/run/..", &["'/run/..'", "directory"]),
        (&long, &["longer than 255 bytes", &long]),
        (&long_abstract, &["longer than 107 bytes", &long_abstract]),
        ("/run/[a.sock", &["'/run/[a.sock'", "glob", "unclosed character class"]),
        ("{a,b", &["'{a,b'", "glob"]),
    ] {
        assert_unusable(&run(&["capture", target]), words);
        // One bad target among good ones is as bad.
        assert_unusable(&run(&["capture", "/run/good.sock", target, "@good"]), words);
    }
}

#[test]
fn a_target_need_not_be_text() {
    let run = |target: &[u8]| {
        sockleak().arg("list").arg("--sock-diag").arg(OsStr::from_bytes(target)).output().unwrap()
    };
    let output = run(b"/nowhere/\xff.sock");
    assert_ne!(output.status.code(), Some(2), "{output:?}");
    assert!(!String::from_utf8_lossy(&output.stderr).contains("UTF-8"), "{output:?}");
    let glob = sockleak().arg("capture").arg(OsStr::from_bytes(b"/run/\xff*.sock")).output().unwrap();
    assert_unusable(&glob, &["/run/\\xff*.sock", "UTF-8", "put ? in place"]);
}

#[test]
fn malformed_options_are_named() {
    for (option, value, words) in [
        ("--for", "soon", &["'soon'", "--for", "90s"][..]),
        ("--for", "1.5", &["'1.5'", "--for", "90s"]),
        ("--for", "0", &["'0'", "--for", "longer than nothing"]),
        ("--for", "0s", &["'0s'", "--for", "longer than nothing"]),
        ("--for", "", &["--for", "value"]),
        ("--leak-age", "old", &["'old'", "--leak-age", "90s"]),
        ("--leak-age", "0ms", &["'0ms'", "--leak-age", "longer than nothing"]),
        ("--hooks", "uprobe", &["'uprobe'", "--hooks", "auto, fentry, kprobe"]),
        ("--ring-size", "5000", &["'5000'", "--ring-size", "power of two"]),
        ("--ring-size", "2048", &["'2048'", "--ring-size", "4096"]),
        ("--ring-size", "8M", &["'8M'", "--ring-size"]),
        ("--max-connections", "0", &["'0'", "--max-connections"]),
        ("--count", "0", &["'0'", "--count"]),
        ("--count", "many", &["'many'", "--count"]),
        ("--bogus", "1", &["'--bogus'", "Usage: sockleak capture"]),
    ] {
        assert_unusable(&run(&["capture", "/run/x.sock", option, value]), words);
    }
    for (option, value) in [("--hooks", "uprobe"), ("--ring-size", "5000"), ("--max-connections", "0")] {
        assert_unusable(&run(&["check", option, value]), &[value, option]);
    }
    assert_unusable(&run(&["check", "/run/x.sock"]), &["'/run/x.sock'", "Usage: sockleak check"]);
    assert_unusable(&run(&["trace"]), &["'trace'", "Usage: sockleak"]);
}

#[test]
fn a_negative_time_is_no_option() {
    assert_unusable(&run(&["capture", "x", "--for=-3s"]), &["'-3s'", "--for"]);
}

#[test]
fn without_a_command_the_commands_are_shown() {
    let output = run(&[]);
    assert_eq!(output.status.code(), Some(2));
    let stderr = text(&output.stderr);
    assert!(stderr.contains("capture") && stderr.contains("check") && stderr.contains("Usage:"), "{stderr}");
}

#[test]
fn help_tells_the_exit_statuses() {
    for arguments in [&["--help"][..], &["capture", "--help"], &["check", "--help"], &["help", "capture"]] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert_eq!(text(&output.stderr), "", "{arguments:?}");
        let stdout = text(&output.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
        for part in
            ["Usage: sockleak", "Exit status: 0 done", "2 unusable arguments", "5 output not writable"]
        {
            assert!(stdout.contains(part), "{arguments:?} does not tell '{part}': {stdout}");
        }
    }
}

#[test]
fn version_is_the_packages() {
    for arguments in [&["--version"][..], &["-V"]] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(text(&output.stdout), format!("sockleak {}\n", env!("CARGO_PKG_VERSION")));
    }
}

/// Capabilities of this very process, from /proc: bits 21, 38 and 39 are SYS_ADMIN, PERFMON and BPF.
fn is_privileged() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap();
    let effective = u64::from_str_radix(effective.trim(), 16).unwrap();
    let has = |bit: u32| effective >> bit & 1 == 1;
    has(21) || (has(38) && has(39))
}

/// Entries of /proc belong to the effective user of their process.
fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// The program, where nobody can run it, and the directory to remove afterwards.
struct Public(PathBuf);

impl Public {
    fn new(name: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("sockleak-cli-{}-{name}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).unwrap();
        let program = directory.join("sockleak");
        // By a process of its own: a child that another thread forks meanwhile would have the copy open for writing, and a file that
        // is written is not executed.
        let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_sockleak")).arg(&program).status();
        assert!(copied.unwrap().success());
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        Self(directory)
    }

    /// Runs it without any privilege.
    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(self.0.join("sockleak"));
        command.args(arguments).stdin(Stdio::null()).current_dir(&self.0);
        command.env_remove("SOCKLEAK_LOG").env("RUST_BACKTRACE", "1");
        if is_root() {
            // Becoming another user than root drops every capability, at the latest with exec.
            command.uid(NOBODY).gid(NOBODY);
        }
        command.output().unwrap()
    }
}

impl Drop for Public {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A test that runs with privileges, but not as root, has no way to drop them.
fn can_be_unprivileged() -> bool {
    is_root() || !is_privileged()
}

#[test]
fn without_privileges_sudo_is_the_remedy() {
    if !can_be_unprivileged() {
        eprintln!("not tested: this user has capabilities that it cannot drop");
        return;
    }
    let public = Public::new("unprivileged");
    for arguments in [&["capture", "/run/x.sock"][..], &["capture", "--json", "@x"], &["check"]] {
        let output = public.run(arguments);
        assert_eq!(output.status.code(), Some(3), "{arguments:?}: {}", text(&output.stderr));
        let said = sentence(&output);
        for word in ["CAP_BPF", "CAP_PERFMON", "sudo"] {
            assert!(said.contains(word), "{said}");
        }
    }
    let findings = public.run(&["check", "--json"]);
    assert_eq!(findings.status.code(), Some(3));
    let findings: Value = serde_json::from_slice(&findings.stdout).unwrap();
    assert_eq!(findings["missing_capabilities"], serde_json::json!(["CAP_BPF", "CAP_PERFMON"]));
}

#[test]
fn bad_arguments_come_before_missing_privileges() {
    let public = Public::new("bad-arguments");
    assert_unusable(&public.run(&["capture", "@"]), &["'@'"]);
}

/// What `check --json` finds, and how it ends.
fn findings() -> (i32, Value) {
    let output = run(&["check", "--json"]);
    let findings = serde_json::from_slice(&output.stdout).expect("check --json prints one JSON object");
    (output.status.code().expect("check ends by itself"), findings)
}

/// How many hooks have that outcome.
fn hooks_that_are(findings: &Value, outcome: &str) -> usize {
    let hooks = findings["hooks"].as_array().expect("hooks are a list");
    hooks.iter().filter(|hook| hook["status"] == outcome).count()
}

#[test]
fn check_says_what_capture_will_do() {
    let (status, findings) = findings();
    let conclusion = findings["conclusion"].as_str().expect("there is a conclusion");
    let capture = run(&["capture", "--for", "200ms", "/run/sockleak-cli-test.sock"]);
    assert_eq!(capture.status.code(), Some(status), "{}", text(&capture.stderr));
    let shown = run(&["check"]);
    assert_eq!(shown.status.code(), Some(status));
    match status {
        0 => {
            assert!(conclusion.ends_with('.') && conclusion.contains("can be traced"), "{conclusion}");
            assert!(text(&shown.stdout).ends_with(&format!("\n{conclusion}\n")), "{}", text(&shown.stdout));
            assert_eq!(text(&shown.stderr), "");
        }
        3 => assert!(!is_privileged(), "{conclusion}"),
        4 => {
            assert!(is_privileged(), "privileges are missing, which comes first: {conclusion}");
            if hooks_that_are(&findings, "refused") > 0 {
                assert!(conclusion.contains("refuses tracing programs"), "{conclusion}");
            } else if findings["btf"] == false {
                assert!(conclusion.contains("CONFIG_DEBUG_INFO_BTF"), "{conclusion}");
            } else {
                assert!(conclusion.contains("cannot be watched"), "{conclusion}");
            }
        }
        other => panic!("status {other} is for none of the reasons that check can have: {conclusion}"),
    }
    if status != 0 {
        let list = if status == 4 {
            "; sockleak list may work all the same, and says who holds what now"
        } else {
            ""
        };
        assert_eq!(sentence(&capture), format!("{conclusion}{list}"));
        assert_eq!(sentence(&shown), conclusion);
        assert_eq!(text(&capture.stdout), "", "what cannot be traced has no report");
    }
}

#[test]
fn a_capture_that_works_here_ends_with_its_report() {
    let (status, findings) = findings();
    let target = std::env::temp_dir().join(format!("sockleak-cli-{}.sock", std::process::id()));
    let output = run(&["capture", "--json", "--for", "200ms", target.to_str().unwrap()]);
    let lines = text(&output.stdout);
    if status != 0 {
        assert_eq!((output.status.code(), lines.as_str()), (Some(status), ""));
        return;
    }
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(hooks_that_are(&findings, "attached") > 0);
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["type"], "session");
    let report = lines.last().unwrap();
    assert_eq!(report["type"], "report");
    assert!(report["seconds"].as_f64().unwrap() >= 0.2, "{report}");
    let stderr = text(&output.stderr);
    assert!(stderr.contains("does not exist yet") && stderr.contains(target.to_str().unwrap()), "{stderr}");
}

#[test]
fn a_report_file_says_its_form_by_its_name() {
    for name in ["r", "r.pdf", ".html", "r.db"] {
        assert_unusable(&run(&["capture", "--report", name, "/run/x.sock"]), &[name, ".md or .html"]);
    }
}

/// What is written where nothing can be written.
fn into_full_device(arguments: &[&str]) -> Output {
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    sockleak().args(arguments).stdout(full).output().unwrap()
}

#[test]
fn a_full_device_is_named_before_what_could_not_be_said() {
    if !Path::new("/dev/full").exists() {
        eprintln!("not tested: this machine has no /dev/full");
        return;
    }
    for arguments in [&["check"][..], &["check", "--json"]] {
        let output = into_full_device(arguments);
        assert_eq!(output.status.code(), Some(5), "{}", text(&output.stderr));
        let said = sentence(&output);
        assert!(said.contains("cannot be written") && said.contains("free or change"), "{said}");
    }
}

#[test]
fn an_exit_status_does_not_depend_on_who_reads_the_message() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let status = sockleak().args(["capture", "@"]).stderr(writer).stdout(Stdio::null()).status().unwrap();
    assert_eq!(status.code(), Some(2), "its standard error is a closed pipe");
    let (expected, _) = findings();
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let status = sockleak().arg("check").stderr(full).stdout(Stdio::null()).status().unwrap();
    assert_eq!(status.code(), Some(expected), "its standard error is full");
}

/// Who may not look into the processes of others knows of nobody there that he holds nothing.
#[test]
fn what_may_not_be_looked_at_is_not_known_to_be_empty() {
    if !is_root() {
        return;
    }
    let public = Public::new("partial");
    let path = public.0.join("mine.sock");
    let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let waiting = std::os::unix::net::UnixStream::connect(&path).unwrap();
    let path = path.to_str().unwrap();
    let listed = public.run(&["list", "--sock-diag", "--json", path]);
    if listed.status.code() == Some(4) {
        let error = text(&listed.stderr);
        assert!(error.contains("modprobe unix_diag"), "{error}");
        return;
    }
    let listing: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert!(
        listing["incomplete_because"].to_string().contains("cannot be read: root sees them"),
        "{listing}"
    );
    let socket = &listing["sockets"][0];
    assert_eq!(socket["listeners"], Value::Null, "{listing}");
    assert_eq!(socket["queue"]["length"], 1, "{listing}");
    drop(waiting);
}
