//! Where a report and an export go, and in which form.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    process::{Command, Output, Stdio},
};

use crate::{
    printed,
    scene::{self, Scratch},
    sockleak,
};

/// A recording, and its scratch directory.
fn recorded() -> (Scratch, String) {
    let scratch = Scratch::new();
    let trace = scratch.file("t.db");
    scene::busy().record(&trace, "db1");
    let trace = trace.to_str().unwrap().to_owned();
    (scratch, trace)
}

#[track_caller]
fn refused(output: &Output, status: i32, words: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{said}");
    assert!(words.iter().all(|word| said.contains(word)), "{said}");
}

/// Has a shell run it, for what only a shell can do with descriptors: the program is `$0`, the recording `$1`, a file `$2`.
fn shell(script: &str, trace: &str, file: &str) -> Output {
    let mut shell = Command::new("sh");
    shell.args(["-c", script, env!("CARGO_BIN_EXE_sockleak"), trace, file]).stdin(Stdio::null());
    shell.output().unwrap()
}

#[test]
fn the_name_chooses_the_form() {
    let (scratch, trace) = recorded();
    let written = |command: &str, name: &str| {
        let file = scratch.file(name);
        assert_eq!(printed(&[command, &trace, "-o", file.to_str().unwrap()]), "");
        fs::read(file).unwrap()
    };
    let asked = |command: &str, form: &str| printed(&[command, &trace, "--format", form]).into_bytes();
    for (name, form) in [
        ("r.txt", "text"),
        ("r.json", "json"),
        ("r.csv", "csv"),
        ("r.md", "markdown"),
        ("r.html", "html"),
        ("r.out", "text"),
    ] {
        assert!(written("report", name) == asked("report", form), "{name}");
    }
    assert!(written("export", "e.csv") == asked("export", "csv"));
    assert!(written("export", "e.jsonl") == asked("export", "jsonl"));
    assert!(written("export", "e.parquet").starts_with(b"PAR1"));
    let file = scratch.file("x.html");
    printed(&["report", &trace, "--format", "json", "-o", file.to_str().unwrap()]);
    assert!(fs::read(file).unwrap().starts_with(b"{"), "what is asked for comes first");
    for (command, name) in [("report", "r.parquet"), ("report", "r.jsonl"), ("export", "e.html")] {
        let file = scratch.file(name);
        refused(&sockleak(&[command, &trace, "-o", file.to_str().unwrap()]), 2, &[name, "--format"]);
        assert!(!file.exists());
    }
}

#[test]
fn a_dash_is_standard_output() {
    let (_scratch, trace) = recorded();
    for command in ["report", "export"] {
        assert_eq!(printed(&[command, &trace, "-o", "-"]), printed(&[command, &trace]));
    }
    refused(&sockleak(&["capture", "-o", "-", "/run/x.sock"]), 2, &["a recording is a database"]);
}

#[test]
fn what_a_descriptor_leads_to_is_added_to() {
    let (scratch, trace) = recorded();
    let (file, expected) = (scratch.file("log"), printed(&["report", &trace]));
    let path = file.to_str().unwrap();
    for script in [
        r#""$0" report "$1" -o /dev/stdout >> "$2""#,
        r#""$0" report "$1" -o /dev/fd/3 3>> "$2""#,
        r#""$0" report "$1" -o /proc/self/fd/1 >> "$2""#,
    ] {
        fs::write(&file, "before\n").unwrap();
        let output = shell(script, &trace, path);
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{script}");
        assert_eq!(fs::read_to_string(&file).unwrap(), format!("before\n{expected}"), "{script}");
    }
}

#[test]
fn a_closed_standard_output_is_a_failure() {
    let (_scratch, trace) = recorded();
    for script in
        [r#""$0" report "$1" >&-"#, r#""$0" export "$1" >&-"#, r#""$0" report --json "$1" -o - >&-"#]
    {
        refused(&shell(script, &trace, ""), 5, &["cannot be written"]);
    }
    let output = shell(r#""$0" report "$1" > /dev/null"#, &trace, "");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_recording_and_its_log_are_not_written_over() {
    let (scratch, trace) = recorded();
    let (other, log) = (scratch.file("k.db"), scratch.file("k.db-wal"));
    scene::quiet().record(&other, "db2");
    fs::write(&log, "pages").unwrap();
    for file in [&other, &log] {
        let before = fs::read(file).unwrap();
        for command in ["report", "export"] {
            let output = sockleak(&[command, &trace, "-o", file.to_str().unwrap()]);
            refused(&output, 5, &["recording", "name another file"]);
        }
        assert!(fs::read(file).unwrap() == before);
    }
}

/// What the kernel refuses the shell's `>` in a directory like /tmp.
#[test]
fn root_does_not_write_where_another_user_leads() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("not tested: only root can act as another user");
        return;
    }
    let (scratch, trace) = recorded();
    let shared = scratch.file("shared");
    fs::create_dir(&shared).unwrap();
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o1777)).unwrap();
    let victim = scratch.file("victim.txt");
    fs::write(&victim, "mine").unwrap();
    let (link, file, pipe) = (shared.join("link.txt"), shared.join("file.txt"), shared.join("pipe.txt"));
    symlink(&victim, &link).unwrap();
    fs::write(&file, "theirs").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    for planted in [&link, &file, &pipe] {
        std::os::unix::fs::lchown(planted, Some(65_534), Some(65_534)).unwrap();
        for command in ["report", "export"] {
            let path = planted.to_str().unwrap();
            refused(&sockleak(&[command, &trace, "-o", path]), 5, &[path, "belongs to user 65534"]);
        }
    }
    assert_eq!(fs::read_to_string(&victim).unwrap(), "mine");
    assert_eq!(fs::read_to_string(&file).unwrap(), "theirs");
}
