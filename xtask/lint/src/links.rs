//! Every link in a document leads somewhere: to a file of the repository, and to a heading that it has.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Result, bail};

use crate::repository;

/// Checks the links of every document.
pub(crate) fn check() -> Result<()> {
    let files = repository::files()?;
    let documents: BTreeMap<&str, String> = files
        .iter()
        .filter(|name| name.ends_with(".md"))
        // One may be deleted and not yet committed.
        .filter_map(|name| Some((name.as_str(), fs::read_to_string(repository::root().join(name)).ok()?)))
        .collect();
    let mut dead = Vec::new();
    for (name, text) in &documents {
        for link in links(text) {
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            let Some(target) = resolved(name, path) else { continue };
            let is_there =
                files.contains(&target) || files.iter().any(|it| it.starts_with(&format!("{target}/")));
            let has_heading =
                || documents.get(target.as_str()).is_none_or(|it| headings(it).contains(heading));
            if !is_there || (!heading.is_empty() && !has_heading()) {
                dead.push(format!("{name}: {link}"));
            }
        }
    }
    if !dead.is_empty() {
        bail!("these lead nowhere: {}", dead.join(", "));
    }
    Ok(())
}

/// Lines outside of blocks of code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

/// What `[…](link)` of a document leads to, but for addresses of other sites.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let of_line = |line| str::split(line, "](").skip(1).filter_map(|rest| rest.split_once(')'));
    let links = prose(text).flat_map(of_line).map(|(link, _)| link);
    links.filter(|link| !link.contains("://") && !link.starts_with("mailto:"))
}

/// A document's headings, as links name them.
fn headings(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for line in prose(text).filter(|line| line.starts_with('#')) {
        let kept = |c: char| c.is_alphanumeric() || "-_ ".contains(c);
        let heading: String = line.trim_start_matches('#').trim().chars().filter(|&c| kept(c)).collect();
        let slug = heading.to_lowercase().replace(' ', "-");
        // The second of one name is numbered.
        let count = (1..).find(|count| !found.contains(&format!("{slug}-{count}"))).unwrap_or(1);
        if !found.insert(slug.clone()) {
            found.insert(format!("{slug}-{count}"));
        }
    }
    found
}

/// Where a link of a document leads to, from the root; None if that is outside.
fn resolved(document: &str, link: &str) -> Option<String> {
    if link.is_empty() {
        return Some(document.to_owned());
    }
    let mut parts: Vec<&str> = document.split('/').collect();
    parts.pop();
    for part in link.trim_end_matches('/').split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()?),
            _ => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_outside_of_code() {
        let text = "[a](b.md#c), ![d](e.svg)\n```\n[x](y)\n```\n[f](https://g.h/) [i](#j)";
        assert_eq!(links(text).collect::<Vec<_>>(), ["b.md#c", "e.svg", "#j"]);
    }

    #[test]
    fn headings_are_named_as_forges_name_them() {
        let text =
            "# What it is\n## `--since`, and **more**\n```\n# no heading\n```\n## Same\n## Same\n### A/B: c";
        let expected = ["--since-and-more", "ab-c", "same", "same-1", "what-it-is"];
        assert_eq!(headings(text), expected.map(str::to_owned).into());
    }

    #[test]
    fn links_start_at_their_document() {
        for (link, expected) in [
            ("", Some("docs/a/b.md")),
            ("c.md", Some("docs/a/c.md")),
            ("../c.md", Some("docs/c.md")),
            ("../../x/", Some("x")),
            ("../../../x", None),
        ] {
            assert_eq!(resolved("docs/a/b.md", link).as_deref(), expected, "{link}");
        }
    }
}
