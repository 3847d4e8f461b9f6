//! Text: what fits where, and that a replay says what the capture said.

use sockleak_core::{assess::Loss, attribution::by::By};
use sockleak_report::text;
use textwrap::core::display_width;

use crate::{
    printed,
    scene::{self, Scratch},
};

#[test]
fn lines_fit_into_80_columns_where_there_is_no_terminal() {
    let scratch = Scratch::new();
    let trace = scratch.file("t.db");
    scene::incomplete().record(&trace, "db1");
    for by in ["program", "cmdline", "unit", "container", "user", "pid"] {
        let text = printed(&["report", "--by", by, trace.to_str().unwrap()]);
        for line in text.lines() {
            // Functions and their files are whole, whatever their length, and so are the targets.
            let is_frame = line.starts_with("    ") && line.contains("/src/a.rs:");
            let is_free = is_frame || !line.trim().contains("  ");
            assert!(display_width(line) <= 80 || is_free, "{}: {line}", display_width(line));
        }
    }
}

#[test]
fn a_replay_says_what_the_capture_said() {
    let (scratch, scene) = (Scratch::new(), scene::incomplete());
    let trace = scratch.file("t.db");
    scene.record(&trace, "db1");
    for (name, by) in [("program", By::Program), ("unit", By::Unit), ("pid", By::Pid)] {
        let seen = scene.seen(by);
        let live = seen.text(text::WIDTH);
        assert_eq!(printed(&["report", "--by", name, trace.to_str().unwrap()]), live);
    }
}

#[test]
fn a_pipe_has_colours_only_where_they_are_asked_for() {
    let (scratch, scene) = (Scratch::new(), scene::busy());
    let trace = scratch.file("t.db");
    scene.record(&trace, "db1");
    let trace = trace.to_str().unwrap();
    let plain = printed(&["report", trace]);
    assert!(!plain.contains('\x1b') && printed(&["report", "--color", "never", trace]) == plain);
    let coloured = printed(&["report", "--color", "always", trace]);
    assert!(coloured.contains("\n\x1b[1;31mCLIENT-LEAK\x1b[0m: "), "{coloured}");
    let lines = |text: &str| text.lines().count();
    assert_eq!(lines(&coloured), lines(&plain));
}

#[test]
fn one_attempt_is_no_plural() {
    let mut scene = scene::quiet();
    (scene.seconds, scene.skipped_runs) = (300, 1);
    let path = "/run/ma.sock";
    scene.listener(1, path);
    scene.process(7, &["/bin/holder"], (0, None), None);
    scene.process(8, &["/bin/victim"], (0, None), None);
    scene.losses.push(Loss { hook: "accept".into(), what: "events".into(), count: 1 });
    (0..10).for_each(|nth| _ = scene.open(nth, 7, 1));
    scene.refuse(200_000, 8, 1, path);
    let text = scene.seen(By::Program).text(text::WIDTH).replace("\n  ", " ");
    for sentence in [
        ": 1 connect failed;",
        "At most 1 failed connect may be missing",
        "INCOMPLETE: events of the accept hook lost at least once.",
    ] {
        assert!(text.contains(sentence), "{sentence} is not in:\n{text}");
    }
}

#[test]
fn a_table_keeps_its_numbers() {
    let text = scene::busy().seen(By::Program).text(text::WIDTH);
    for lines in [
        "\
PROGRAM           SOCKET          OPENED  CLIENT  SERVER       OLDEST  FAILED
                                             END     END
                                            OPEN    OPEN
…in/cert-renewer  …proxy/ma.sock       8       8       8  56 min 40 s  -
",
        "
Not closed
     AGE  IDLE  PID  PROGRAM          SOCKET          CLIENT END    SERVER END
> 59 min     -  204  …trics-exporter  …/<b>|app.sock  open [9000]   haproxy 107
",
    ] {
        assert!(text.contains(lines), "{lines} is not in:\n{text}");
    }
}

#[test]
fn wide_terminals_are_used() {
    let wide = scene::busy().seen(By::Program).text(200);
    assert!(wide.contains("open (accepted by /usr/sbin/haproxy 107)"), "{wide}");
    assert!(wide.lines().any(|line| display_width(line) > 80));
}
