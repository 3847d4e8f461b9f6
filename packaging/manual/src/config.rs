//! sockleak-config(5): what docs/service.md says of the configuration.

use anyhow::Context as _;
use clap_mangen::roff::{Roff, bold, roman};

use crate::markdown;

/// The documentation that the page is made of.
const DOCUMENTATION: &str = include_str!("../../../docs/service.md");
/// Its sections that belong there.
const SECTIONS: [&str; 2] = ["Configuration", "Alerts"];
/// Name of the page.
pub(crate) const NAME: &str = "sockleak-config";
/// Where it belongs: file formats.
pub(crate) const SECTION: &str = "5";
/// Its file.
pub(crate) const FILE: &str = "sockleak-config.5";

/// The page. Its footer names the source.
pub(crate) fn page(source: &str) -> anyhow::Result<Vec<u8>> {
    let mut page = Roff::new();
    page.control("TH", [NAME, SECTION, "", source, "File Formats"]);
    page.control("SH", ["NAME"]);
    page.text([roman(format!("{NAME} - configuration of sockleak serve"))]);
    page.control("SH", ["SYNOPSIS"]);
    page.text([bold("/etc/sockleak/config.toml")]);
    for name in SECTIONS {
        let text =
            section(DOCUMENTATION, name).with_context(|| format!("docs/service.md has no section {name}"))?;
        page.control("SH", [name.to_uppercase().as_str()]);
        markdown::render(text, &mut page).with_context(|| format!("docs/service.md, section {name}"))?;
    }
    page.control("SH", ["SEE ALSO"]);
    page.text([bold("sockleak-serve"), roman("(1), /usr/share/doc/sockleak/docs/service.md")]);
    let mut text = Vec::new();
    page.to_writer(&mut text)?;
    Ok(text)
}

/// The text under a heading of the second level, up to the next one.
fn section<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let heading = format!("\n## {name}\n");
    let (_, rest) = text.split_once(&heading)?;
    Some(rest.split_once("\n## ").map_or(rest, |(section, _)| section))
}

#[cfg(test)]
mod tests {
    use sockleak::service::config::Config;

    use super::*;

    #[test]
    fn sections_end_where_the_next_begins() {
        let text = "# A\n\n## B\nb\n### C\nc\n\n## D\nd\n";
        assert_eq!(section(text, "B"), Some("b\n### C\nc\n"));
        assert_eq!(section(text, "D"), Some("d\n"));
        assert_eq!(section(text, "C"), None);
    }

    /// The example has every key; a test of the service's sees to that.
    #[test]
    fn every_key_is_explained() {
        let page = String::from_utf8(page("sockleak 0.1.0").expect("it is made")).expect("it is UTF-8");
        let keys = Config::example().lines().map(|line| line.trim_start_matches("# "));
        let keys = keys
            .filter_map(|line| line.split_once(" = "))
            .map(|(key, _)| key)
            .filter(|key| !key.contains(' '));
        let keys: Vec<_> = keys.collect();
        assert!(keys.len() > 20, "{keys:?}");
        for key in keys {
            assert!(page.contains(&format!("\n\\fB{key}\\fR")), "{key} is not in {page}");
        }
    }
}
