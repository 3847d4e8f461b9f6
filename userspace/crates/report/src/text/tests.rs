use sockleak_core::{
    assess::{Coverage, Loss},
    event::{End, Record},
    session::{Session, Settings},
    testing::{SECOND, accept, attempt, connect, event, feed, listener, process, release, session_with},
    time::Clock,
};

use super::*;

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

fn frame() -> Coverage {
    Coverage { now: 110 * SECOND, losses: Vec::new(), skipped_runs: 0, gaps: Vec::new() }
}

/// With a leak age in seconds.
fn rendered(leak_age: u64, frame: Coverage) -> String {
    styled(leak_age, frame, Style::Plain)
}

fn styled(leak_age: u64, frame: Coverage, style: Style) -> String {
    let settings = Settings { started: 5 * SECOND, leak_age: leak_age * SECOND, ..Settings::default() };
    let mut session = session_with(&["/run/ma.sock"], settings);
    feed(&mut session, records());
    let report = Report::new(&session, frame);
    let section = Section {
        host: "db\u{202e}1".to_owned(),
        file: String::new(),
        report,
        clock: Clock::utc(1_767_323_045_000_000_000),
        pictures: Vec::new(),
    };
    render(&section, Layout { width: 120, is_whole: false, style })
}

#[test]
fn the_report_tells_who_left_what_open() {
    let expected = "\
db\\u{202e}1, 2026-01-02 03:04:10 to 2026-01-02 03:05:55 UTC, sockleak 0.1.0
1 min 45 s on /run/ma.sock: 4 connections opened, 3 of them not closed at both ends

UNDECIDED: /usr/bin/leaky keeps 1 connection to /run/ma.sock: a pool or a leak,
  it is too early to tell.
  Watched for 1 min 45 s; with this leak age 3 min 0 s are needed, or --leak-age
  26s.
  Trace for longer, or with a shorter leak age, to tell a pool from the
  beginning of a leak.

/run/ma.sock
PROGRAM                  OPENED  CLOSED  CLIENT END OPEN  SERVER END OPEN      OLDEST  PIDS  FAILED
/usr/bin/leaky                2       0                2                2  1 min 30 s  8     -
/usr/bin/tidy                 2       1                0                1  1 min 10 s  7     -
/usr/bin/\\u{1b}[31mlate       0       0                0                0           -  -     EAGAIN 1

Not closed
       AGE  PID  PROGRAM            STATE          CLIENT END            SERVER END
1 min 30 s    8  /usr/bin/leaky -v  open           open (socket:[1002])  open (accepted by /usr/sbin/haproxy 1)
1 min 20 s    8  /usr/bin/leaky -v  queued         open (socket:[1003])  open (not accepted)
1 min 10 s    7  /usr/bin/tidy -v   client-closed  close 1 min 9 s ago   open (accepted by /usr/sbin/haproxy 1)
";
    assert_eq!(rendered(60, frame()), expected);
}

#[test]
fn labels_are_coloured_and_lines_stay_as_they_are() {
    let incomplete = Coverage { gaps: vec!["the accept hook is not attached".to_owned()], ..frame() };
    let text = styled(60, incomplete.clone(), Style::Coloured);
    for label in
        ["\n\x1b[1;34mUNDECIDED\x1b[0m: /usr/bin/leaky", "\n\x1b[1;33mINCOMPLETE\x1b[0m: the accept hook"]
    {
        assert!(text.contains(label), "{label:?} is not in {text}");
    }
    // What others wrote is escaped all the same.
    assert!(text.contains("\\u{1b}[31mlate"), "{text}");
    let sequences = ["\x1b[1;34m", "\x1b[1;33m", "\x1b[0m"];
    let without = sequences.iter().fold(text, |text, sequence| text.replace(sequence, ""));
    assert_eq!(without, rendered(60, incomplete));
    let well = styled(600, frame(), Style::Coloured);
    assert!(!well.contains("\x1b[1;31m"), "nobody is accused: {well}");
}

#[test]
fn young_connections_are_not_pointed_out() {
    let text = rendered(600, frame());
    assert!(text.contains("with this leak age 30 min 0 s"), "{text}");
    assert!(!text.contains("POOL") && !text.contains("HEALTHY"), "{text}");
}

#[test]
fn what_is_missing_is_said() {
    let losses = vec![Loss { hook: "release".into(), what: "events (ring buffer full)".into(), count: 3 }];
    let gaps = vec!["the accept hook is not attached".to_owned()];
    let text = rendered(60, Coverage { losses, gaps, skipped_runs: 2, ..frame() });
    for sentence in [
        "INCOMPLETE: events (ring buffer full) of the release hook lost at least 3 times.\n",
        "INCOMPLETE: the accept hook is not attached.\n",
        "At most 2 failed connects may be missing: the kernel skipped that many runs.\n",
    ] {
        assert!(text.contains(sentence), "{text}");
    }
}

/// Each program keeps `each` connections to a socket of its own.
fn crowd(programs: u32, each: u64) -> Session {
    let settings = Settings { leak_age: 60 * SECOND, ..Settings::default() };
    let mut session = session_with(&["*.sock"], settings);
    for program in 0..programs {
        let (pid, socket) = (100 + program, u64::from(program));
        let described = process(pid, Some(&format!("/usr/bin/program-{program}")));
        feed(&mut session, [described, listener(socket, &format!("/run/{program}/a.sock"))]);
    }
    for nth in 0..each {
        for program in 0..programs {
            let (pid, socket) = (100 + program, u64::from(program));
            let id = nth * u64::from(programs) + socket;
            feed(
                &mut session,
                [event(10 + nth, pid, connect(id, socket)), event(10 + nth, 1, accept(id, socket))],
            );
        }
    }
    session
}

#[test]
fn what_is_needed_is_said_once() {
    let session = crowd(4, 2);
    let report = Report::new(&session, Coverage { now: 100 * SECOND, ..Coverage::default() });
    let section = Section {
        host: "db1".to_owned(),
        file: String::new(),
        report,
        clock: Clock::utc(0),
        pictures: Vec::new(),
    };
    let text = render(&section, Layout { width: 80, is_whole: false, style: Style::Plain });
    assert_eq!(text.matches("UNDECIDED: ").count(), 4, "{text}");
    assert_eq!(text.matches("Watched for").count(), 1, "{text}");
}

#[test]
fn a_report_is_short_whatever_is_open() {
    for (programs, each) in [(1, 12), (1, 500), (30, 20), (300, 2)] {
        let session = crowd(programs, each);
        for width in [40, 80, 120, 200] {
            let report = || Report::new(&session, Coverage { now: 3600 * SECOND, ..Coverage::default() });
            let lines = |is_whole| {
                let section = Section {
                    host: "db1".to_owned(),
                    file: String::new(),
                    report: report(),
                    clock: Clock::utc(0),
                    pictures: Vec::new(),
                };
                render(&section, Layout { width, is_whole, style: Style::Plain })
            };
            let (short, whole) = (lines(false), lines(true));
            assert!(short.lines().count() <= 60, "{}: {short}", short.lines().count());
            let head = short.split_once("All sockets").map_or("", |(head, _)| head);
            let sentences =
                head.lines().filter(|line| !line.starts_with("db1")).map(|line| line.chars().count());
            assert!(sentences.max().unwrap_or(0) <= width.min(80), "{short}");
            let (_, listed) = short.split_once("Not closed").expect("there are some");
            let shown = listed.lines().filter(|line| line.contains(" open ")).count() as u64;
            let hidden = u64::from(programs) * each - shown;
            let said = format!("… and {hidden} more connections; --all lists them.");
            assert!(width < 80 || (9..=10).contains(&shown), "{shown}: {short}");
            let unwrapped = short.split_whitespace().collect::<Vec<_>>().join(" ");
            assert_eq!(unwrapped.contains(&said), hidden > 1, "{short}");
            assert!(!whole.contains("--all"), "{whole}");
            let rows = whole.lines().filter(|line| line.contains(" open ")).count() as u64;
            assert!(rows >= u64::from(programs) * each, "{rows} rows");
        }
    }
}
