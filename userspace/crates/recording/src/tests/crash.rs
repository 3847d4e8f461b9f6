use std::{
    env,
    process::{Child, Command},
    thread::sleep,
    time::{Duration, Instant},
};

use super::*;

/// Where the process that is killed writes to.
const PATH: &str = "SOCKLEAK_TEST_TRACE";
/// Where one does that writes many.
const DIRECTORY: &str = "SOCKLEAK_TEST_TRACES";

/// Runs as a process of its own, for the test below; else does nothing.
#[test]
fn writes_until_it_is_killed() {
    let Some(path) = env::var_os(PATH) else { return };
    let mut writer = Writer::create(Path::new(&path), &header(), || {}).expect("it can be created");
    let mut index = 0;
    let mut size = 1;
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(60) {
        for _ in 0..size {
            writer.record(endless(index), None);
            index += 1;
        }
        writer.flush(progress(index));
        // Sizes on both sides of a batch's.
        size = size * 7 % 20_011 + 1;
        assert_eq!(writer.status(), None);
    }
}

#[test]
fn a_trace_whose_writer_is_killed_is_read_up_to_its_last_batch() {
    for milliseconds in [1, 5, 10, 20, 40, 80, 160, 320] {
        let scratch = Scratch::new();
        let path = scratch.file("trace.db");
        let mut child = run("writes_until_it_is_killed", PATH, &path);
        let before = wait_for(&path);
        sleep(Duration::from_millis(milliseconds));
        let alive = check_front(&opened(&path));
        child.kill().expect("it can be killed");
        child.wait().expect("it can be waited for");

        let copy = Scratch::new();
        for name in ["trace.db", "trace.db-wal"] {
            fs::copy(scratch.file(name), copy.file(name)).expect("it can be copied");
        }
        let without_locks = check_front(&opened(&copy.file("trace.db")));
        let dead = check_front(&opened(&path));
        assert!(before <= alive && alive <= dead && dead == without_locks);
        assert!(!opened(&path).is_ended());
    }
}

/// Runs as a process of its own, for the test below; else does nothing.
#[test]
fn closes_until_it_is_killed() {
    let Some(directory) = env::var_os(DIRECTORY) else { return };
    let began = Instant::now();
    for number in 0.. {
        if began.elapsed() > Duration::from_secs(60) {
            return;
        }
        recorded(
            &Path::new(&directory).join(number.to_string()),
            &(0..3000).map(endless).collect::<Vec<_>>(),
        );
    }
}

#[test]
fn a_trace_whose_writer_is_killed_at_either_end_is_read() {
    for milliseconds in [100, 110, 125, 140, 160, 175, 190, 205, 220, 240] {
        let scratch = Scratch::new();
        let mut child = run("closes_until_it_is_killed", DIRECTORY, &scratch.0);
        sleep(Duration::from_millis(milliseconds));
        child.kill().expect("it can be killed");
        child.wait().expect("it can be waited for");
        let files = scratch.names().into_iter().filter(|name| !name.contains('-'));
        let mut numbers: Vec<u32> = files.filter_map(|name| name.parse().ok()).collect();
        numbers.sort_unstable();
        let Some((last, whole)) = numbers.split_last() else { continue };
        for number in whole {
            assert_eq!(check_front(&opened(&scratch.file(&number.to_string()))), 3000);
        }
        let last = scratch.file(&last.to_string());
        match Trace::open(&last) {
            Ok(trace) => assert!([0, 3000].contains(&check_front(&trace))),
            Err(error) => assert_eq!(error, TraceError::NotATrace(last)),
        }
    }
}

fn run(test: &str, variable: &str, value: &Path) -> Child {
    Command::new(env::current_exe().expect("a test has a file"))
        .args(["--exact", &format!("tests::crash::{test}")])
        .env(variable, value)
        .stdout(process::Stdio::null())
        .spawn()
        .expect("a test can run itself")
}

/// Until there is something to read.
fn wait_for(path: &Path) -> u64 {
    let began = Instant::now();
    loop {
        match Trace::open(path) {
            Ok(trace) if trace.progress().now > 0 => return check_front(&trace),
            _ => sleep(Duration::from_millis(1)),
        }
        assert!(began.elapsed() < Duration::from_secs(50), "nothing was written");
    }
}
