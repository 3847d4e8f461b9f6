//! Where the page leads: from cards to connections and verdicts, and to a time that was chosen.

use scraper::Html;
use sockleak_core::verdict::Verdict;

use crate::{
    client::get,
    page::{look, select, text},
    scene,
    server::{Fake, Server, settings},
};

const MASTER: &str = "/socket?path=/run/haproxy/ma.sock&range=6h";

/// Each card leads to connections that are there, and to what `sockleak explain` prints.
#[tokio::test]
async fn cards_lead_to_connections_and_to_the_verdict() {
    let server = Server::start(Fake::present(&scene::busy()), &settings());
    for path in ["/", MASTER] {
        let page = Html::parse_document(&look(&server, path).await.text());
        let links: Vec<_> =
            select(&page, ".finding .links a").iter().map(|it| it.attr("href").unwrap().to_owned()).collect();
        assert!(links.len() >= 4 && links.len() == 2 * select(&page, ".finding").len(), "{links:?}");
        for link in &links {
            let address = link.split('#').next().unwrap();
            let answer = look(&server, address).await;
            assert_eq!(answer.status, 200, "{link}");
            let led = Html::parse_document(&answer.text());
            if link.contains("&program=") {
                assert!(!select(&led, "table.connections tbody tr").is_empty(), "{link}");
            }
        }
        assert!(links.iter().any(|link| link == "/explain/client-leak"), "{links:?}");
        // A chosen time stays chosen.
        let in_range = links.iter().filter(|link| link.starts_with("/socket"));
        assert!(path == "/" || in_range.clone().all(|link| link.contains("range=6h")), "{links:?}");
    }
    for verdict in Verdict::ALL {
        let page = Html::parse_document(&look(&server, &format!("/explain/{verdict}")).await.text());
        let shown: String = select(&page, "h1, .explained").into_iter().map(text).collect();
        let words = |text: &str| text.split(['\n', ' ']).filter(|it| *it != "-").collect::<String>();
        let printed = sockleak_report::explain::text(verdict, 80);
        for line in printed.lines().skip(1).filter(|line| *line != "Terms") {
            assert!(words(&shown).contains(&words(line)), "{verdict}: {line:?} is not in {shown}");
        }
    }
}

#[tokio::test]
async fn a_chosen_time_is_shown_and_kept() {
    let server = Server::start(Fake::present(&scene::busy()), &settings());
    let now = get(server.address, "/api/v1/snapshot").await.json()["at_ms"].as_i64().unwrap();
    let (from, to) = (now - 1_800_000, now - 600_000);
    let path = format!("/socket?path=/run/haproxy/ma.sock&from={from}&to={to}");
    let page = Html::parse_document(&look(&server, &path).await.text());
    let chart = select(&page, "#chart")[0];
    let begin: i64 = chart.attr("data-begin").unwrap().parse().unwrap();
    let length: i64 = select(&page, "#chart .plot")[0].attr("data-length").unwrap().parse().unwrap();
    assert!((from - 60_000..=from).contains(&begin), "{begin}");
    assert!((to..to + 60_000).contains(&(begin + length)), "{length}");
    let ticks: Vec<_> = select(&page, "#chart svg text[data-at]").into_iter().map(text).collect();
    assert!(ticks.len() > 2 && ticks.iter().all(|it| !it.contains("ago") && it != "now"), "{ticks:?}");
    // Other listings and the form keep it; and it can be left.
    for selector in [".ranges a[aria-current]", "thead a"] {
        let link = select(&page, selector)[0].attr("href").unwrap();
        assert!(link.contains(&format!("from={begin}&to=")), "{selector}: {link}");
    }
    assert_eq!(select(&page, "form.filter input[name=from]").len(), 1);
    assert_eq!(select(&page, ".ranges a[href*='range=']").len(), 6);
    assert_eq!(select(&page, ".ranges .beside").len(), 3);
}

#[tokio::test]
async fn times_and_verdicts_that_are_none_are_refused_in_words() {
    let server = Server::start(Fake::present(&scene::busy()), &settings());
    for (path, status, says) in [
        ("/socket?path=/s&from=5", 400, "from and to belong together"),
        ("/socket?path=/s&from=5&to=4", 400, "from has to be before to"),
        ("/socket?path=/s&from=5&to=9&range=1h", 400, "range is for a time until now"),
        ("/explain/leak", 404, "client-leak"),
        ("/explain/client-leak?x=1", 400, "no parameter"),
    ] {
        let answer = look(&server, path).await;
        assert_eq!(answer.status, status, "{path}");
        assert!(answer.text().contains(says), "{path}: {}", answer.text());
    }
}
