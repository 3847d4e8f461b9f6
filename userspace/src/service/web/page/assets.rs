//! What the page is made of besides itself.

use sockleak_report::html::STYLE;

const OWN_STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
const ICON: &str = include_str!("icon.svg");

/// Their paths.
pub const ASSETS: [&str; 3] = ["/assets/style.css", "/assets/page.js", "/assets/icon.svg"];

/// Is it one of them?
pub(crate) fn is_asset(path: &str) -> bool {
    ASSETS.contains(&path)
}

/// Its type and its content.
pub(crate) fn asset(path: &str) -> Option<(&'static str, String)> {
    match path {
        "/assets/style.css" => Some(("text/css; charset=utf-8", format!("{STYLE}\n{OWN_STYLE}"))),
        "/assets/page.js" => Some(("text/javascript; charset=utf-8", SCRIPT.to_owned())),
        "/assets/icon.svg" => Some(("image/svg+xml", ICON.to_owned())),
        _ => None,
    }
}
