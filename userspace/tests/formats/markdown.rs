//! `--format markdown`.

use sockleak_core::attribution::by::By;

use crate::{
    printed,
    scene::{self, Scene, Scratch},
};

fn markdown(scene: &Scene, arguments: &[&str]) -> String {
    let scratch = Scratch::new();
    let trace = scratch.file("t.db");
    scene.record(&trace, "db1");
    printed(&[&["report", "--format", "markdown", trace.to_str().unwrap()], arguments].concat())
}

#[test]
fn sockets_have_their_findings_and_tables() {
    let text = markdown(&scene::busy(), &[]);
    let place = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part:?} is not in:\n{text}"));
    let order = [
        "# `db1`: `/",
        "1 h 0 min on `*.sock`: 374 connections opened and 1 there before, 15 of them not closed",
        "## `/run/haproxy/ma.sock`\n\n- **CLIENT-LEAK**: `/opt/certificates/bin/cert-renewer` opens connections to",
        "  - Opened 8 times in renew (/src/a.rs:42):\n\n    ```text\n",
        "/src/a.rs:42\n",
        "    ```\n  - The program opens connections and does not close them.",
        "- **STARVED**: `/usr/local/bin/deploy` is starved",
        "| Program | Opened | Closed | Client end open | Server end open | Oldest | Failed |\n| --- | ---: |",
        "| `/usr/local/bin/deploy` | 2 | 0 | 0 | 2 |",
        "### Not closed\n\n| Age | Idle | PID | Program | State | Client end | Server end |",
        "## <code>/run/app/&#60;b&#62;&#124;app.sock</code>",
        "For connections opened before tracing started, the age is a minimum",
        "At most 2 failed connects may be missing",
    ];
    let places = order.map(place);
    assert!(places.is_sorted(), "{places:?}\n{text}");
}

/// What is not in a block of code. Fails if a block contains what ends it.
fn without_stacks(text: &str) -> String {
    let mut is_code = false;
    let mut kept = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            assert_eq!(line, if is_code { "    ```" } else { "    ```text" });
            is_code = !is_code;
        } else if is_code {
            assert!(line.starts_with("        "), "{line:?} could end it");
        } else {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    assert!(!is_code);
    kept
}

#[test]
fn no_name_becomes_markup() {
    for by in ["program", "cmdline", "unit", "user", "pid"] {
        let text = markdown(&scene::busy(), &["--by", by]);
        assert!(!text.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{text}");
        // The only elements are those that hold names.
        let text = without_stacks(&text);
        let elements = text.replace("<code>", "").replace("</code>", "");
        assert!(!elements.contains('<'), "{text}");
        assert!(!text.contains("[b](http"), "{text}");
        // Each row of a table has the cells of its headings, and each line that is none begins as sockleak begins one.
        let mut cells = None;
        for line in text.lines() {
            let bars = line.matches('|').count();
            cells = line.starts_with('|').then(|| cells.unwrap_or(bars));
            assert_eq!(bars, cells.unwrap_or(0), "{line}");
            assert!(!line.starts_with("# x"), "{line}");
        }
    }
}

#[test]
fn where_nothing_happened_it_is_said() {
    let text = markdown(&scene::quiet(), &[]);
    assert!(text.contains("\n\nNo program connected, or tried to.\n"), "{text}");
    assert!(text.contains("HEALTHY: no end that is still open was kept for 1 min 0 s or longer"), "{text}");
    let units = markdown(&scene::quiet(), &["--by", "unit"]);
    assert!(units.contains("No unit connected, or tried to."), "{units}");
}

#[test]
fn what_is_missing_is_said() {
    assert!(!scene::incomplete().seen(By::Program).report().complete);
    let text = markdown(&scene::incomplete(), &[]);
    assert!(text.contains("\n\nINCOMPLETE: the accept hook is not attached.\n"), "{text}");
    assert!(text.contains("  - Uncertain: events were lost."), "{text}");
    assert!(text.contains("INCOMPLETE: events (ring buffer full) of the release hook"), "{text}");
}
