use super::*;
use crate::{
    event::{End, Record},
    report::{Frame, Loss},
    session::{
        Settings,
        tests::{SECOND, accept, attempt, connect, event, feed, listener, process, release, session_with},
    },
};

/// One program that closes, one that does not, one that is refused, and a server that keeps an end.
fn records() -> Vec<Record> {
    vec![
        listener(1, "/run/ma.sock"),
        process(1, Some("/usr/sbin/haproxy")),
        process(7, Some("/usr/bin/tidy")),
        process(8, Some("/usr/bin/leaky")),
        process(9, Some("/usr/bin/\x1b[31mlate")),
        event(10, 7, connect(1, 1)),
        event(10, 1, accept(1, 1)),
        event(11, 7, release(1, 1, End::Client)),
        event(11, 1, release(1, 1, End::Server)),
        event(20, 8, connect(2, 1)),
        event(20, 1, accept(2, 1)),
        event(30, 8, connect(3, 1)),
        event(40, 7, connect(4, 1)),
        event(40, 1, accept(4, 1)),
        event(41, 7, release(4, 1, End::Client)),
        event(99, 9, attempt(Some(1), "/run/ma.sock")),
    ]
}

fn frame() -> Frame {
    Frame { now: 110 * SECOND, losses: Vec::new(), skipped_runs: 0, gaps: Vec::new() }
}

/// With a leak age in seconds.
fn rendered(leak_age: u64, frame: Frame) -> String {
    let settings = Settings { started: 5 * SECOND, leak_age: leak_age * SECOND, ..Settings::default() };
    let mut session = session_with(&["/run/ma.sock"], settings);
    feed(&mut session, records());
    render(&Report::new(&session, frame), 120)
}

#[test]
fn the_report_tells_who_left_what_open() {
    let expected = "\
105.0 s on /run/ma.sock: 4 connections opened, 3 of them not closed at both ends

/run/ma.sock
PROGRAM                  OPENED  CLOSED  CLIENT END OPEN  SERVER END OPEN      OLDEST  FAILED
/usr/bin/\\u{1b}[31mlate       0       0                0                0           -  EAGAIN 1
/usr/bin/leaky                2       0                2                2  1 min 30 s  -
/usr/bin/tidy                 2       1                0                1  1 min 10 s  -

Not closed
       AGE  PID  PROGRAM            STATE          CLIENT END            SERVER END
1 min 30 s    8  /usr/bin/leaky -v  open           open (socket:[1002])  open (accepted by /usr/sbin/haproxy 1)
1 min 20 s    8  /usr/bin/leaky -v  queued         open (socket:[1003])  open (not accepted)
1 min 10 s    7  /usr/bin/tidy -v   client-closed  close 1 min 9 s ago   open (accepted by /usr/sbin/haproxy 1)

SERVER-LEAK: /usr/sbin/haproxy does not release its ends on /run/ma.sock: 1
  connection still open there though the client has left, the longest for 1 min
  9 s.
  Uncertain: the program accepted 1 of the connections, but no descriptor scan
  shows who holds them now.
  The clients of these connections have gone, and the server has not released
  its own ends. The fault is the server's, not the clients': look for a newer
  version of it. Until then, restarting it frees them. HAProxy is known to keep
  its ends in three cases. A worker that does not answer holds those of `@1 ...`
  commands until it does, or until a reload (its issue 3351; 2.6.12 to 3.4.0). A
  large answer that is read slowly through the master is kept for good (issue
  3070; 2.6.12 and 3.0.11, not 3.2.26). On a worker's own stats socket, clients
  that leave without a command are (issue 2727; 3.0.0, not 3.0.11).
POOL: /usr/bin/leaky keeps 1 connection to /run/ma.sock open for 1 min 0 s and
  longer, the oldest for 1 min 30 s.
  Uncertain: observed too briefly to tell whether the number grows.
  Whether this is a pool or the beginning of a leak shows when it is observed
  for longer: at least three times the leak age.
";
    assert_eq!(rendered(60, frame()), expected);
}

#[test]
fn young_connections_are_not_pointed_out() {
    let text = rendered(600, frame());
    assert!(text.contains("HEALTHY: no end that is still open was kept for 10 min 0 s"), "{text}");
    assert!(!text.contains("POOL"), "{text}");
}

#[test]
fn what_is_missing_is_said() {
    let losses = vec![Loss { hook: "release".into(), what: "events (ring buffer full)".into(), count: 3 }];
    let gaps = vec!["the accept hook is not attached".to_owned()];
    let text = rendered(60, Frame { losses, gaps, skipped_runs: 2, ..frame() });
    for sentence in [
        "INCOMPLETE: events (ring buffer full) of the release hook lost at least 3 times.\n",
        "INCOMPLETE: the accept hook is not attached.\n",
        "At most 2 failed attempts may be missing: the kernel skipped that many runs.\n",
    ] {
        assert!(text.contains(sentence), "{text}");
    }
}
