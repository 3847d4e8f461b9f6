//! The page: every figure on it is the API's, whatever is in names stays text, and it stays small.

use std::collections::{BTreeMap, BTreeSet};

use scraper::{ElementRef, Html, Selector};
use serde_json::Value;
use sockleak::service::{
    link::Settings,
    model::{FindingReport, Snapshot},
    web::{PAGES, assets},
};
use sockleak_core::{attribution::by::By, text::escape::terminal, time};

use crate::{
    client::{Answer, ask, get, get_all},
    scene::{self, HOSTILE, Scene},
    server::{Fake, Server, TOKEN, settings},
};

const HTML: (&str, &str) = ("Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8");
const MASTER: &str = "/socket?path=/run/haproxy/ma.sock&range=6h";
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

pub(crate) async fn look(server: &Server, path: &str) -> Answer {
    ask(server.address, "GET", path, &[HTML]).await
}

/// The views of a scene: its sockets and its connections, open and closed.
async fn views(server: &Server) -> Vec<String> {
    let snapshot: Snapshot =
        serde_json::from_slice(&get(server.address, "/api/v1/snapshot").await.body).unwrap();
    let mut views = vec!["/".to_owned()];
    for socket in &snapshot.sockets {
        let path: String = form_urlencoded::byte_serialize(socket.path.as_bytes()).collect();
        views.extend(["15m", "1h", "30d"].map(|range| format!("/socket?path={path}&range={range}")));
        views.push(format!("/lanes?path={path}"));
        views.push(format!("/socket?path={path}&contains=deploy&sort=-pid&program="));
    }
    for state in ["", "&state=closed"] {
        let page = get(server.address, &format!("/api/v1/connections?limit=5{state}")).await.json();
        let ids = page["connections"].as_array().unwrap().iter().map(|it| it["connection"].as_u64().unwrap());
        views.extend(ids.map(|id| format!("/connection/{id}")));
    }
    views
}

pub(crate) fn select<'a>(page: &'a Html, selector: &str) -> Vec<ElementRef<'a>> {
    let selector = Selector::parse(selector).unwrap();
    page.select(&selector).collect()
}

pub(crate) fn text(element: ElementRef<'_>) -> String {
    element.text().collect::<String>()
}

/// What a JSON pointer leads to; `*` stands for the sum over all.
fn pointed(value: &Value, pointer: &str) -> Option<Value> {
    let Some((front, back)) = pointer.split_once("/*") else { return value.pointer(pointer).cloned() };
    let all: Vec<&Value> = match value.pointer(front)? {
        Value::Array(all) => all.iter().collect(),
        Value::Object(all) => all.values().collect(),
        _ => return None,
    };
    let sum = all.into_iter().map(|it| pointed(it, back)?.as_u64()).sum::<Option<u64>>()?;
    Some(sum.into())
}

/// What is shown of a figure: as it is, or in the words that there are for times.
fn is_shown(value: &str, shown: &str, pointer: &str) -> bool {
    let number = value.parse::<u64>();
    let ends = |end: &str| pointer.ends_with(end);
    match number {
        _ if ends("_ms") => shown.ends_with(" UTC"),
        _ if ends("/growth_per_hour") => shown.ends_with(" an hour"),
        Ok(nanoseconds) if ends("_ns") || ends("_ns_ago") => shown == time::human(nanoseconds),
        Ok(0) if ends("/seconds_until_full") => shown == "full now" || shown == "now",
        Ok(seconds) if ends("/seconds_until_full") => {
            shown == format!("in {}", time::human(seconds * 1_000_000_000))
        }
        // One more than the backlog may wait.
        Ok(max) if ends("/queue/max") => shown == (max + 1).to_string(),
        _ => shown == value,
    }
}

/// Checks each figure of a page against the API's answers, and that there is no other number in its text.
async fn assert_same_as_the_api(server: &Server, path: &str, page: &Html) -> usize {
    let mut answers: BTreeMap<String, Value> = BTreeMap::new();
    let figures = select(page, "[data-api]");
    for figure in &figures {
        let source = figure.ancestors().filter_map(ElementRef::wrap).find_map(|it| it.attr("data-source"));
        let source = source.unwrap_or_else(|| panic!("{path}: no source of {}", figure.html()));
        if !answers.contains_key(source) {
            answers.insert(source.to_owned(), get(server.address, source).await.json());
        }
        let (pointer, value) = (figure.attr("data-api").unwrap(), figure.attr("data-value").unwrap());
        let there = pointed(&answers[source], pointer);
        let there = there.unwrap_or_else(|| panic!("{path}: {source} has no {pointer}"));
        assert_eq!(there.to_string(), value, "{path}: {source} {pointer}");
        let shown = text(*figure);
        assert!(is_shown(value, &shown, pointer), "{path}: {pointer} is {value}, and shown as {shown:?}");
    }
    figures.len()
}

/// Numbers may be in names, in sentences that the report has too, in pictures, and in words of the page's own.
fn assert_no_other_number(path: &str, page: &Html) {
    const ELSEWHERE: &str = "[data-api], code, pre, svg, figcaption, .statement, .advice, .doubt, .stack, .legend, .banner, .nothing, \
                             .ranges, .pages, .remark, dt, h1, details th";
    let main = select(page, "main");
    let known: BTreeSet<_> = select(page, ELSEWHERE).iter().map(|it| it.id()).collect();
    for node in main.iter().flat_map(|main| main.descendants()) {
        let Some(text) = node.value().as_text() else { continue };
        if text.chars().any(|c| c.is_ascii_digit()) {
            assert!(
                node.ancestors().any(|it| known.contains(&it.id())),
                "{path}: {:?} is from nowhere",
                &**text
            );
        }
    }
}

#[tokio::test]
async fn every_figure_is_the_api_s() {
    let mut figures = 0;
    for scene in [scene::quiet(), scene::busy(), scene::incomplete()] {
        let server = Server::start(Fake::present(&scene), &settings());
        for view in views(&server).await {
            let answer = look(&server, &view).await;
            assert_eq!(answer.status, 200, "{view}: {}", answer.text());
            let page = Html::parse_document(&answer.text());
            figures += assert_same_as_the_api(&server, &view, &page).await;
            assert_no_other_number(&view, &page);
        }
    }
    assert!(figures > 1500, "{figures}");
}

/// Each view says what it is for, and what it is about.
#[tokio::test]
async fn every_view_shows_what_it_is_for() {
    let server = Server::start(Fake::present(&scene::busy()), &settings());
    let overview = look(&server, "/").await.text();
    let socket = look(&server, MASTER).await.text();
    let connection = look(&server, "/connection/362").await.text();
    let given_up = look(&server, "/connection/370").await.text();
    for (page, parts) in [
        (&overview, &["▲ client-leak", "none free", "cert-renewer", "✗ not attached", "full now"][..]),
        (
            &socket,
            &[
                "aria-current=\"true\">6 hours</a>",
                "<title id=\"history-t\">Open connections over time, by program</title>",
                "EAGAIN",
                "What to do:",
                "href=\"/connection/362\"",
                "○ metrics-exporter 204",
                "held by",
                "limit 10 (given)",
            ],
        ),
        (
            &connection,
            &[
                "cert-renewer.service",
                "In <code>renew (/src/a.rs:42)</code>",
                "the client's end is open",
                "haproxy",
            ],
        ),
        (&given_up, &["client has gone", "closed</strong>", "the server's end is open"]),
    ] {
        for part in parts {
            assert!(page.contains(part), "{part:?} is not in:\n{page}");
        }
    }
    // The story of one that is closed is told to its end.
    let closed = get(server.address, "/api/v1/connections?state=closed&limit=1").await.json();
    let id = closed["connections"][0]["connection"].as_u64().unwrap();
    let story = get(server.address, &format!("/api/v1/connections/{id}")).await.json();
    assert_eq!(
        (story["state"].as_str(), story["server_release"]["reason"].as_str()),
        (Some("closed"), Some("close"))
    );
    let told = look(&server, &format!("/connection/{id}")).await.text();
    assert!(told.contains("closed at both ends") && told.matches("closed</strong>").count() == 2, "{told}");
}

#[tokio::test]
async fn browsers_are_told_what_a_page_may_do() {
    let server = Server::start(Fake::present(&scene::busy()), &settings());
    for page in PAGES {
        let path = page.replace("{id}", "362").replace("{verdict}", "client-leak");
        let path = if path == "/socket" { MASTER } else { &path };
        let answer = look(&server, path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.headers["content-type"], "text/html; charset=utf-8", "{path}");
        assert_eq!(answer.headers["content-security-policy"], POLICY, "{path}");
        let document = Html::parse_document(&answer.text());
        assert!(select(&document, "[style], style, script:not([src])").is_empty(), "{path}");
        for element in select(&document, "*") {
            for (name, value) in element.value().attrs() {
                assert!(!name.starts_with("on"), "{path}: {name}");
                let is_ours = value.starts_with('/') && !value.starts_with("//") || value.starts_with('#');
                assert!(!matches!(name, "href" | "src") || is_ours, "{path}: {name}={value}");
            }
        }
        let ids: Vec<_> =
            select(&document, "[id]").iter().map(|it| it.attr("id").unwrap().to_owned()).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{path}: {ids:?}");
        for heading in ["html[lang=en]", "main#main", "header", "footer", "h1", "a.skip[href='#main']"] {
            assert_eq!(select(&document, heading).len(), 1, "{path}: {heading}");
        }
        for table in select(&document, "table") {
            assert!(table.html().contains("<caption") && table.html().contains("scope=\"col\""), "{path}");
        }
    }
    for asset in assets() {
        let answer = get(server.address, asset).await;
        assert_eq!(
            (answer.status, answer.headers["x-content-type-options"].as_str()),
            (200, "nosniff"),
            "{asset}"
        );
        assert!(!answer.text().contains("http://") || asset.ends_with(".svg"), "{asset}");
        assert_eq!(get(server.address, &format!("{asset}?x=1")).await.status, 400, "{asset}");
    }
    // Programs get text at the root, and what there is below the API.
    for path in ["/", "/api/v1/"] {
        let index = get(server.address, path).await;
        assert_eq!(index.headers["content-type"], "text/plain; charset=utf-8");
        assert!(index.text().contains("/api/v1/series"), "{path}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_said_in_words() {
    let server = Server::start(Fake::present(&scene::busy()), &settings());
    for (path, status, says) in [
        ("/socket", 400, "path=PATH"),
        ("/socket?path=/none", 404, "no socket"),
        ("/socket?path=/s&range=2d", 400, "known: 15m, 1h, 6h, 24h, 7d, 30d"),
        ("/socket?path=/s&x=%3Cb%3E", 400, "no parameter"),
        ("/socket?path=/s&sort=size", 400, "known: age, -age, pid"),
        ("/connection/999999", 404, "999999"),
        ("/connection/x", 400, "digits"),
        ("/connection/", 400, "digits"),
        ("/?offset=-1", 400, "how many to skip"),
    ] {
        let answer = look(&server, path).await;
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.headers["content-type"], "text/html; charset=utf-8", "{path}");
        assert_eq!(answer.headers["content-security-policy"], POLICY, "{path}");
        assert!(answer.text().contains(says), "{path}: {}", answer.text());
        assert!(!answer.text().contains("<b>"), "{path}");
        // It is not told whether there is a token.
        assert!(!answer.text().contains("command lines are"), "{path}");
    }
    let long = look(&server, &format!("/socket?path=/{}", "'".repeat(4096))).await;
    assert_eq!(long.status, 414);
}

/// Somebody who calls himself everything at once.
#[tokio::test]
async fn names_stay_text() {
    let server = Server::start(Fake::present(&scene::busy()), &settings());
    let (mut shown, mut long) = (0, Scene::default());
    for view in views(&server).await {
        let answer = look(&server, &view).await.text();
        assert!(!answer.contains("<script>alert"), "{view}");
        assert!(!answer.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{view}");
        let page = Html::parse_document(&answer);
        assert!(select(&page, "td > b, th > b, script:not([src])").is_empty(), "{view}");
        let name = terminal(HOSTILE);
        shown += select(&page, "code").iter().filter(|it| text(**it) == name).count();
    }
    assert!(shown > 8, "{shown}");
    let quotes = format!("/bin/{}", "'\"<".repeat(1300));
    long.seconds = 100;
    long.listener(1, "/run/a.sock");
    for pid in 1..200 {
        long.process(pid, &[&quotes, &quotes], (0, None), None);
        long.open(u64::from(pid), pid, 1);
    }
    let server = Server::start(Fake::present(&long), &settings());
    for view in ["/", "/socket?path=/run/a.sock", "/connection/1"] {
        let answer = look(&server, view).await;
        assert!(answer.status == 200 && answer.body.len() < 400_000, "{view}: {}", answer.body.len());
    }
}

#[tokio::test]
async fn command_lines_are_shown_to_those_who_have_the_token() {
    const SECRET: &str = "/etc/ssl/private";
    let server = Server::start(Fake::present(&scene::busy()), &settings());
    // "anybody:correct horse battery staple"
    let basic = ("Authorization", "Basic YW55Ym9keTpjb3JyZWN0IGhvcnNlIGJhdHRlcnkgc3RhcGxl");
    assert!(TOKEN.starts_with("correct horse"));
    let mut shown = 0;
    for view in views(&server).await {
        let plain = look(&server, &view).await;
        assert!(!plain.text().contains(SECRET), "{view}");
        let full = ask(server.address, "GET", &view, &[HTML, basic]).await;
        assert_eq!(full.status, 200);
        shown += usize::from(full.text().contains(SECRET));
    }
    assert!(shown >= 4, "{shown}");
    let asked = look(&server, "/login").await;
    assert_eq!(asked.status, 401);
    assert_eq!(asked.headers["www-authenticate"], "Basic realm=\"sockleak\", charset=\"UTF-8\"");
    let logged_in = ask(server.address, "GET", "/login", &[HTML, basic]).await;
    assert_eq!((logged_in.status, logged_in.headers["location"].as_str()), (303, "/"));
    let wrong = ask(server.address, "GET", "/", &[HTML, ("Authorization", "Basic eDp5")]).await;
    assert_eq!(wrong.status, 401);
    // Where names are command lines, there is nothing without it.
    let private = Settings { names_are_private: true, ..settings() };
    let server = Server::start(Fake::new(&scene::busy(), By::Cmdline), &private);
    for view in ["/", MASTER, "/connection/362", "/lanes?path=/run/haproxy/ma.sock"] {
        let plain = look(&server, view).await;
        assert!(plain.status == 401 && !plain.text().contains("renewer"), "{view}");
        assert_eq!(get_all(server.address, view).await.status, 200, "{view}");
    }
    // Where there is no token, nobody is asked for it.
    let server =
        Server::start(Fake::new(&scene::busy(), By::Program), &Settings { token: None, ..settings() });
    assert_eq!(look(&server, "/login").await.status, 404);
}

#[tokio::test]
async fn ten_thousand_connections_are_shown_in_pages() {
    let mut scene = Scene::default();
    scene.seconds = 20_000;
    scene.listener(1, "/run/a.sock");
    for nth in 0..10_000_u64 {
        let pid = 1000 + (nth % 100) as u32;
        scene.open(1000 + nth * 1900, pid, 1);
    }
    for pid in 1000..1100 {
        scene.process(pid, &[&format!("/usr/bin/client-{pid}")], (0, None), None);
    }
    let server = Server::of(&scene);
    for path in ["/", "/socket?path=/run/a.sock&range=30d", "/lanes?path=/run/a.sock"] {
        let answer = look(&server, path).await;
        assert!(answer.status == 200 && answer.body.len() < 400_000, "{path}: {}", answer.body.len());
    }
    let page = Html::parse_document(&look(&server, "/socket?path=/run/a.sock&offset=9975").await.text());
    assert_eq!(select(&page, "table.connections tbody tr").len(), 25);
    assert_eq!(text(select(&page, ".pages span")[0]), "9976 to 10000 of 10000");
    assert_eq!(select(&page, "#lanes svg a").len(), 28);
    let last = Html::parse_document(&look(&server, "/socket?path=/run/a.sock&offset=50000").await.text());
    assert!(text(select(&last, "main")[0]).contains("none is so far down the list"));
}

/// What is not decided, and what nobody used, does not look as what is well does.
#[tokio::test]
async fn undecided_is_not_green() {
    let mut scene = Scene::default();
    scene.seconds = 100;
    for (id, path) in [(1, "/run/kept.sock"), (2, "/run/unused.sock"), (3, "/run/well.sock")] {
        scene.listener(id, path);
    }
    scene.process(7, &["/bin/keeper"], (0, None), None);
    scene.process(8, &["/bin/closer"], (0, None), None);
    scene.open(1000, 7, 1);
    (0..9).for_each(|nth| scene.pass(1000 + nth * 10_000, 8, 3, 5));
    let server = Server::of(&scene);
    let page = Html::parse_document(&look(&server, "/").await.text());
    let shown: Vec<_> = ["kept", "unused", "well"]
        .map(|name| text(select(&page, &format!("tr[data-key$='{name}.sock'] td[data-label=Finding]"))[0]))
        .into_iter()
        .collect();
    assert_eq!(shown, ["? undecided keeper", "– no verdict yet", "✓ healthy"]);
    let green = select(&page, ".verdict.well");
    assert_eq!(green.into_iter().map(text).collect::<Vec<_>>(), ["✓ healthy"]);
    assert_eq!(
        select(&page, ".finding.unsure .badge").into_iter().map(text).collect::<Vec<_>>(),
        ["? undecided"]
    );
    let unused = look(&server, "/socket?path=/run/unused.sock").await.text();
    assert!(unused.contains("There is no verdict yet") && !unused.contains("✓ Healthy"), "{unused}");
}

/// What is found is stated as the report states it.
#[tokio::test]
async fn findings_are_stated_as_in_the_report() {
    let server = Server::start(Fake::present(&scene::busy()), &settings());
    let snapshot: Snapshot =
        serde_json::from_slice(&get(server.address, "/api/v1/snapshot").await.body).unwrap();
    let page = Html::parse_document(&look(&server, "/").await.text());
    let stated: Vec<String> = select(&page, ".statement").into_iter().map(text).collect();
    let told: Vec<&FindingReport> =
        snapshot.findings.iter().filter(|it| it.verdict.name() != "healthy").collect();
    assert_eq!(stated.len(), told.len());
    for (finding, stated) in told.iter().zip(stated) {
        assert_eq!(terminal(&sockleak_report::sentence(finding, snapshot.leak_age_ns)), stated);
    }
}
