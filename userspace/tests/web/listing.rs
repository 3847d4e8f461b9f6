//! The table of a socket's connections.

use scraper::Html;

use crate::{
    page::{look, select, text},
    scene,
    server::{Fake, Server, settings},
};

/// The address alone chooses the rows and their order, and every link on the page keeps what was chosen.
#[tokio::test]
async fn the_table_shows_what_its_address_asks_for() {
    let server = Server::start(Fake::present(&scene::busy()), &settings());
    let page = async |query: &str| {
        let answer = look(&server, &format!("/socket?path=/run/haproxy/ma.sock&range=15m{query}")).await;
        assert_eq!(answer.status, 200, "{query}");
        Html::parse_document(&answer.text())
    };
    let rows =
        |page: &Html| select(page, "table.connections tbody tr").into_iter().map(text).collect::<Vec<_>>();
    let all = rows(&page("").await);
    let ordered = page("&contains=&program=&sort=age").await;
    assert_eq!(rows(&ordered).len(), all.len(), "what is empty filters nothing");
    assert_eq!(rows(&ordered).first(), all.last());
    assert_eq!(select(&ordered, "th[aria-sort=ascending]").len(), 1);
    assert!(select(&ordered, ".filter + .remark").is_empty());

    let program = "/usr/local/bin/deploy";
    let filtered = page(&format!("&contains=DEPLOY&program={program}&sort=-pid")).await;
    let shown = rows(&filtered);
    assert!(!shown.is_empty() && shown.len() < all.len(), "{shown:?}");
    assert!(shown.iter().all(|row| row.contains(program)), "{shown:?}");
    for link in select(&filtered, ".ranges a, table.connections thead a") {
        let href = link.attr("href").unwrap();
        assert!(href.contains("&program=%2Fusr%2Flocal%2Fbin%2Fdeploy&contains=DEPLOY&sort="), "{href}");
    }
    for (name, value) in [("program", program), ("contains", "DEPLOY"), ("sort", "-pid"), ("range", "15m")] {
        let field = select(&filtered, &format!(".filter input[name={name}]"));
        assert_eq!(field.first().and_then(|it| it.attr("value")), Some(value), "{name}");
    }
    let none = page("&contains=nobody").await;
    assert!(rows(&none).is_empty());
    assert!(text(select(&none, "main")[0]).contains("No connection that is not closed is like that"));
}
