//! What the page is made of besides itself.

use sockleak_report::html::STYLE;

const OWN_STYLE: &str = include_str!("page.css");
const STYLE_PATH: &str = "/assets/style.css";

/// Types of files.
const SCRIPT: &str = "text/javascript; charset=utf-8";
const IMAGE: &str = "image/svg+xml";

/// Files as they are: path, type and content. The page loads `page.js`, which imports the others.
const FILES: [(&str, &str, &str); 11] = [
    ("/assets/page.js", SCRIPT, include_str!("script/page.js")),
    ("/assets/chart.js", SCRIPT, include_str!("script/chart.js")),
    ("/assets/events.js", SCRIPT, include_str!("script/events.js")),
    ("/assets/morph.js", SCRIPT, include_str!("script/morph.js")),
    ("/assets/outage.js", SCRIPT, include_str!("script/outage.js")),
    ("/assets/renew.js", SCRIPT, include_str!("script/renew.js")),
    ("/assets/replay.js", SCRIPT, include_str!("script/replay.js")),
    ("/assets/select.js", SCRIPT, include_str!("script/select.js")),
    ("/assets/spark.js", SCRIPT, include_str!("script/spark.js")),
    ("/assets/zone.js", SCRIPT, include_str!("script/zone.js")),
    ("/assets/icon.svg", IMAGE, include_str!("icon.svg")),
];

/// Paths of all assets.
pub fn assets() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|(path, _, _)| *path).chain([STYLE_PATH])
}

/// Is it the path of an asset?
pub(crate) fn is_asset(path: &str) -> bool {
    assets().any(|asset| asset == path)
}

/// Type and content of an asset.
pub(crate) fn asset(path: &str) -> Option<(&'static str, String)> {
    if path == STYLE_PATH {
        return Some(("text/css; charset=utf-8", format!("{STYLE}\n{OWN_STYLE}")));
    }
    let (_, kind, content) = FILES.iter().find(|(known, _, _)| *known == path)?;
    Some((kind, (*content).to_owned()))
}
