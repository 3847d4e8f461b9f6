//! `--format html`: what is on the page, and that nothing else is.

use std::collections::BTreeSet;

use crate::{
    printed,
    scene::{self, Scene, Scratch},
};

fn page(scene: &Scene, arguments: &[&str]) -> String {
    let scratch = Scratch::new();
    let trace = scratch.file("t.db");
    scene.record(&trace, "<b>db1");
    printed(&[&["report", "--format", "html", trace.to_str().unwrap()], arguments].concat())
}

/// The names of a page's elements. Fails if they are not closed in order, or text has a bracket that is none of theirs.
#[track_caller]
fn elements(page: &str) -> Vec<&str> {
    let (mut names, mut open) = (Vec::new(), Vec::new());
    for part in page.split('<').skip(1) {
        let (tag, text) = part.split_once('>').unwrap_or_else(|| panic!("'<{part}' does not end"));
        assert!(!text.contains('>'), "a stray bracket in {text:?}");
        let name = tag.split([' ', '/']).next().unwrap();
        if let Some(closed) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(closed), "{tag}");
            continue;
        }
        names.push(name);
        let is_empty = matches!(name, "!DOCTYPE" | "meta") || tag.ends_with('/');
        if !is_empty {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
    names
}

/// The values of an attribute.
fn values<'a>(page: &'a str, attribute: &str) -> Vec<&'a str> {
    let start = format!(" {attribute}=\"");
    page.split(&start).skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
}

/// The elements of a page's content.
const KNOWN: &str = "title header section article h1 h2 h3 pre h4 p strong span code dl div dt dd ul li figure figcaption details summary table caption thead tbody tr th td b svg desc path polyline line rect text";

#[test]
fn nothing_is_loaded_and_nothing_runs() {
    for by in ["program", "cmdline", "unit", "user", "pid"] {
        let page = page(&scene::busy(), &["--by", by]);
        let main = page.split_once("<main>").unwrap().1.split_once("</main>").unwrap().0;
        let known: Vec<_> = KNOWN.split(' ').collect();
        let unknown: Vec<_> = elements(main).into_iter().filter(|name| !known.contains(name)).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
        for attribute in ["src", "href", "style", "onclick", "onload", "onerror", "action"] {
            assert_eq!(values(&page, attribute), [""; 0], "{attribute}");
        }
        assert_eq!(page.matches("url(").count(), page.matches("url(#hatch)").count());
        assert!(!page.contains("@import"));
        let policy =
            "content=\"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\"";
        assert!(page.contains(policy));
        assert!(!page.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'));
    }
}

#[test]
fn the_whole_page_is_well_formed() {
    for scene in [scene::quiet(), scene::busy(), scene::incomplete()] {
        let page = page(&scene, &[]);
        let without_style =
            format!("{}{}", page.split("<style>").next().unwrap(), page.split("</style>").nth(1).unwrap());
        assert!(elements(&without_style).contains(&"main"));
        let ids = values(&page, "id");
        let unique: BTreeSet<_> = ids.iter().collect();
        assert_eq!(unique.len(), ids.len(), "{ids:?}");
        for label in values(&page, "aria-labelledby").iter().flat_map(|labels| labels.split(' ')) {
            assert!(ids.contains(&label), "{label}");
        }
    }
}

#[test]
fn findings_come_first_and_then_sockets() {
    let page = page(&scene::incomplete(), &[]);
    let place = |part: &str| page.find(part).unwrap_or_else(|| panic!("{part:?} is not in:\n{page}"));
    let order = [
        "<h1>&lt;b&gt;db1</h1>",
        "2026-01-02 03:20:45 to 2026-01-02 04:20:45 UTC",
        "<strong>◐ Incomplete</strong> the accept hook is not attached.",
        "<span class=\"badge\">▲ client-leak</span> <code>/opt/certificates/bin/cert-renewer</code>",
        "<dt>slots in use</dt><dd>10 of 10</dd>",
        "<strong>Uncertain:</strong> events were lost.",
        "<summary>Opened 8 times in renew (/src/a.rs:42):</summary><div class=\"scroll\"",
        "<strong>What to do:</strong> The program opens connections and does not close them.",
        "<span class=\"badge\">◆ starved</span>",
        "<h3><code>/run/haproxy/ma.sock</code></h3>",
        "<h4>Slots in use</h4>",
        "<h4>Lifetimes</h4>",
        "<h4>Open connections</h4>",
        "<h4>Not closed</h4>",
        "<h4>Figures</h4>",
        "<h3><code>/run/app/&lt;b&gt;|app.sock</code></h3>",
    ];
    let places = order.map(place);
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn pictures_say_what_happened() {
    let page = page(&scene::busy(), &[]);
    for part in [
        // Slots: who has them, how many there are, and what the server keeps.
        "At most 10 of 10 slots were in use within 1 h 0 min.",
        "<span class=\"swatch leak\" aria-hidden=\"true\"></span><b>A</b> /opt/certificates/bin/cert-renewer</li>",
        "<path class=\"area leak\"",
        "<path class=\"area server\"",
        ">limit 10 (given)</text>",
        ">30 min</text>",
        // Lifetimes.
        "362 client ends were released, half of them within 40 ms and 99 % within 889 ms; 8 are open.",
        "<title>90 released, 10 ms to 30 ms</title>",
        "<title>8 open, 15 min to 1 h</title>",
        ">old from 1 min 0 s on</text>",
        // Lanes.
        "deploy 300</text>",
        "client-closed",
        "client end released (close) 52 min 20 s ago",
        "metrics-exporter 204 ◀</text>",
        "◀: opened before tracing started, and older than drawn.",
        // And for those who see none of it.
        "<summary>Slots in use as a table</summary>",
        "/opt/certificates/bin/cert-renewer 8.0, client has gone, server has not released 2.0",
    ] {
        assert!(page.contains(part), "{part:?} is not in:\n{page}");
    }
}

#[test]
fn empty_places_say_why() {
    let mut idle = scene::quiet();
    idle.listener(1, "/run/a.sock");
    idle.refuse(100, 7, 1, "/run/a.sock");
    let page = page(&idle, &[]);
    for part in [
        "<strong>✓ Healthy</strong>",
        "No connection was accepted while it was watched: no slot was in use.",
        "No client end was released whose start was seen, and none is open.",
        "Nothing is open: all connections are released at both ends.",
    ] {
        assert!(page.contains(part), "{part:?} is not in:\n{page}");
    }
    assert!(self::page(&scene::quiet(), &[]).contains("No program connected, or tried to."));
}

#[test]
fn the_young_are_not_called_closed() {
    let mut scene = scene::quiet();
    scene.listener(1, "/run/a.sock");
    scene.open(500, 7, 1);
    let page = page(&scene, &["--older-than", "1m"]);
    assert!(page.contains("1 younger one is not shown."), "{page}");
    assert!(page.contains("No open connection is as old as was asked for."), "{page}");
    assert!(page.contains("No client end was released whose start was seen; 1 is open."), "{page}");
}

#[test]
fn a_pool_has_no_growth_and_a_leak_has() {
    let mut scene = scene::quiet();
    scene.seconds = 3_600;
    scene.listener(1, "/run/a.sock");
    scene.process(7, &["/bin/pool"], (0, None), None);
    scene.process(8, &["/bin/leak"], (0, None), None);
    scene.open(1, 7, 1);
    (0..8).for_each(|nth| _ = scene.open(200_000 + nth * 400_000, 8, 1));
    let page = page(&scene, &[]);
    let card = |verdict: &str| {
        let from = page.split(&format!("</span> <code>{verdict}</code>")).nth(1).unwrap_or_default();
        from.split("</article>").next().unwrap_or_default()
    };
    assert!(card("/bin/leak").contains("<dt>growth</dt>"), "{page}");
    assert!(card("/bin/pool").contains("their number does not grow"), "{page}");
    assert!(!card("/bin/pool").contains("<dt>growth</dt>"), "{page}");
}

#[test]
fn several_recordings_are_one_page() {
    let scratch = Scratch::new();
    let (one, two) = (scratch.file("one.db"), scratch.file("two.db"));
    scene::busy().record(&one, "db1");
    scene::busy().record(&two, "db2");
    let page =
        printed(&["report", "--each", "--format", "html", one.to_str().unwrap(), two.to_str().unwrap()]);
    assert_eq!(page.matches("<html").count(), 1);
    assert!(page.contains("<h1>sockleak report: 2 recordings</h1>"), "{page}");
    assert!(page.contains("<h2>db1</h2>") && page.contains("<h2>db2</h2>"));
    let ids = values(&page, "id");
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
}

#[test]
fn a_page_is_bounded() {
    let mut scene = scene::quiet();
    scene.seconds = 100_000;
    scene.listener(1, "/run/a.sock");
    for nth in 0..3_000_u64 {
        scene.open(nth * 30_000, 1_000 + nth as u32 % 50, 1);
    }
    let few = page(&scene, &["--by", "pid"]);
    assert!(few.contains("… and 2980 more connections; --all lists them.</figcaption>"), "lanes are bounded");
    assert!(few.contains("… and 2988 more connections; --all lists them.</p>"), "rows are bounded");
    assert!(few.contains("… and 38 more rows; --all lists them."), "programs are bounded");
    assert!(few.contains("</b> others</li>"), "groups are bounded");
    assert!(few.len() < 150_000, "{}", few.len());
    let all = page(&scene, &["--by", "pid", "--all"]);
    assert!(all.contains("… and 2800 more connections; a page lists no more of them. --format csv does."));
    assert!(!all.contains("--all lists them"), "rows are whole");
    assert!(few.len() * 5 < all.len() && all.len() < 3_000_000, "{}", all.len());
}

/// Many sockets, many programs, each with a finding.
#[test]
fn a_page_of_many_sockets_is_bounded() {
    let mut scene = scene::quiet();
    scene.seconds = 4_000;
    for nth in 1..=60_u64 {
        scene.listener(nth, &format!("/run/{nth:02}.sock"));
        for program in 0..20_u64 {
            let pid = (nth * 100 + program) as u32;
            scene.process(pid, &[&format!("/bin/p{pid}")], (0, None), None);
            (0..4).for_each(|place| _ = scene.open(nth + program * 100_000 + place * 1000, pid, nth));
        }
    }
    let few = page(&scene, &[]);
    assert_eq!(few.matches("<section class=\"socket\">").count(), 6);
    assert_eq!(few.matches("<article").count(), 10);
    for part in ["… and 54 more sockets; --all lists them.", "… and 1190 more findings; --all lists them."]
    {
        assert!(few.contains(part), "{part}");
    }
    // Each program is drawn before any is drawn twice.
    let lanes = few.split("id=\"r0s0lanes-d\"").nth(1).unwrap().split("</svg>").next().unwrap();
    let labels = lanes.split("class=\"name end\"").skip(1).filter_map(|text| text.split(['>', '<']).nth(1));
    let programs: Vec<_> = labels.filter_map(|label| label.split(' ').nth(1)).collect();
    assert_eq!((programs.len(), programs.iter().collect::<BTreeSet<_>>().len()), (20, 20), "{programs:?}");
    assert!(few.len() < 700_000, "{}", few.len());
    let all = page(&scene, &["--all"]);
    assert_eq!(all.matches("<section class=\"socket\">").count(), 60);
    assert_eq!(all.matches("<article").count(), 1000);
    assert!(all.contains("… and 200 more findings; a page lists no more of them."), "{}", all.len());
}
