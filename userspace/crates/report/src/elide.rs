//! Names from outside where room is scarce: cut so that those that differ still look different.

use std::collections::{BTreeMap, BTreeSet};

use textwrap::core::display_width;

/// Names that are safe to be shown, each in at most `width` columns, `ellipsis` where something is left out. A path's end tells
/// the most and is kept; of those whose ends are alike, the parts in which they differ. None if two would look the same.
pub fn apart(names: &[&str], width: usize, ellipsis: &str) -> Option<Vec<String>> {
    let mut alike: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for name in names {
        alike.entry(last_whole_parts(name, width, ellipsis)).or_default().insert(name);
    }
    let mut shown: BTreeMap<&str, String> = BTreeMap::new();
    for group in alike.into_values() {
        let common = if group.len() > 1 { common_end(&group) } else { 0 };
        for name in group {
            let is_cut = common > 0 && display_width(name) > width;
            shown.insert(
                name,
                if is_cut { middle(name, common, width, ellipsis) } else { end(name, width, ellipsis) },
            );
        }
    }
    let texts: BTreeSet<&String> = shown.values().collect();
    let is_told_apart = texts.len() == shown.len();
    is_told_apart.then(|| names.iter().filter_map(|name| shown.get(name).cloned()).collect())
}

/// The end of a text, behind an ellipsis if it is not all of it.
pub fn end(text: &str, width: usize, ellipsis: &str) -> String {
    if display_width(text) <= width {
        return text.to_owned();
    }
    format!("{ellipsis}{}", tail(text, width.saturating_sub(display_width(ellipsis))))
}

/// The parts of a path that are whole where its end is shown. One letter of the part before tells nobody much.
fn last_whole_parts<'a>(name: &'a str, width: usize, ellipsis: &str) -> &'a str {
    if display_width(name) <= width {
        return name;
    }
    let kept = tail(name, width.saturating_sub(display_width(ellipsis)));
    kept.find('/').map_or(kept, |slash| &kept[slash..])
}

/// As much of the end of a text as goes into so many columns.
fn tail(text: &str, width: usize) -> &str {
    let mut kept = text.len();
    for (at, _) in text.char_indices().rev() {
        if display_width(&text[at..]) > width {
            break;
        }
        kept = at;
    }
    &text[kept..]
}

/// Bytes at the end of all names that are the same, from the beginning of a path's part on if one begins there.
fn common_end(names: &BTreeSet<&str>) -> usize {
    let Some(first) = names.first() else { return 0 };
    let shared = |name: &str| {
        let pairs = first.chars().rev().zip(name.chars().rev());
        pairs.take_while(|(one, other)| one == other).map(|(letter, _)| letter.len_utf8()).sum::<usize>()
    };
    let common = names.iter().map(|name| shared(name)).min().unwrap_or(0);
    let ending = &first[first.len() - common..];
    ending.find('/').map_or(common, |slash| common - slash)
}

/// What comes before the last `common` bytes, which others have too, and what goes in of those.
fn middle(name: &str, common: usize, width: usize, ellipsis: &str) -> String {
    let (own, others) = name.split_at(name.len() - common);
    let room = width.saturating_sub(display_width(ellipsis));
    if room <= display_width(ellipsis) {
        // There is no room for two of them and a letter.
        return end(name, width, ellipsis);
    }
    let own = end(own, room, ellipsis);
    let left = room.saturating_sub(display_width(&own));
    format!("{own}{ellipsis}{}", tail(others, left))
}

/// Each path by its file name, with as many of the folders before it as it takes to tell it from the others.
pub fn file_names<'a>(paths: impl IntoIterator<Item = &'a str>) -> BTreeMap<&'a str, &'a str> {
    let paths: BTreeSet<&str> = paths.into_iter().collect();
    let mut by_name: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for path in &paths {
        by_name.entry(file_name(path)).or_default().push(path);
    }
    let mut shown = BTreeMap::new();
    for (name, group) in by_name {
        let parts = (1..=MOST_PARTS).find(|&parts| {
            group.iter().map(|path| last_parts(path, parts)).collect::<BTreeSet<_>>().len() == group.len()
        });
        for path in group.iter().copied() {
            shown.insert(
                path,
                if group.len() == 1 { name } else { parts.map_or(path, |it| last_parts(path, it)) },
            );
        }
    }
    shown
}

/// The last part of a path; all of it if it ends in a slash.
pub fn file_name(path: &str) -> &str {
    last_parts(path, 1)
}

/// With more parts than that, a path is shown whole.
const MOST_PARTS: usize = 8;

/// So many parts at the end of a path; all of it if it has no more, or ends in a slash.
fn last_parts(path: &str, parts: usize) -> &str {
    match path.rmatch_indices('/').nth(parts - 1) {
        Some((at, _)) if at + 1 < path.len() => &path[at + 1..],
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ends_are_kept_unless_they_are_alike() {
        let fit = |names: &[&str], width| apart(names, width, "…");
        let expected = |names: &[&str]| Some(names.iter().map(|&it| it.to_owned()).collect::<Vec<_>>());
        assert_eq!(fit(&["/run/a.sock", "/b"], 11), expected(&["/run/a.sock", "/b"]));
        assert_eq!(fit(&["/run/haproxy/ma.sock", "/run/x"], 10), expected(&["…y/ma.sock", "/run/x"]));
        let control = ["/srv/one/control.sock", "/srv/two/control.sock", "/run/ma.sock"];
        assert_eq!(fit(&control, 12), expected(&["/srv/one…ock", "/srv/two…ock", "/run/ma.sock"]));
        assert_eq!(fit(&control[..2], 6), expected(&["…/one…", "…/two…"]));
        // Two that differ in front and behind.
        assert_eq!(fit(&["/aaaaaaaaaaaa/x/s", "/baaaaaaaaaaa/x/s"], 8), None);
        let letters = apart(&["/srv/one/x.sock", "/srv/two/x.sock"], 11, "...");
        assert_eq!(letters, expected(&["/srv/one...", "/srv/two..."]));
    }

    #[test]
    fn one_name_many_times_is_one() {
        assert_eq!(apart(&["/usr/bin/x", "/usr/bin/x"], 5, "…"), Some(vec!["…in/x".to_owned(); 2]));
        assert_eq!(apart(&[], 5, "…"), Some(Vec::new()));
        assert_eq!(apart(&["a漢b", "漢b"], 1, "…"), None);
    }

    #[test]
    fn file_names_take_the_folders_that_tell_them_apart() {
        let paths = ["/opt/a/bin/worker", "/opt/b/bin/worker", "/usr/bin/other", "[kernel]", "/bin/"];
        let names = file_names(paths);
        let shown: Vec<_> = paths.iter().map(|path| names[path]).collect();
        assert_eq!(shown, ["a/bin/worker", "b/bin/worker", "other", "[kernel]", "/bin/"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

        #[test]
        fn nothing_is_wider_and_all_are_told_apart(
            names in prop::collection::vec("[/ab漢é]{0,12}", 0..6), width in 1..14_usize,
        ) {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            if let Some(shown) = apart(&names, width, "…") {
                prop_assert_eq!(shown.len(), names.len());
                for (name, text) in names.iter().zip(&shown) {
                    prop_assert!(display_width(text) <= width.max(1), "{text}");
                    for (other, its) in names.iter().zip(&shown) {
                        prop_assert_eq!(name == other, text == its);
                    }
                }
            }
        }

        #[test]
        fn file_names_are_ends_and_differ(paths in prop::collection::btree_set("[/ab]{0,8}", 0..6)) {
            let names = file_names(paths.iter().map(String::as_str));
            prop_assert_eq!(names.len(), paths.len());
            prop_assert!(names.iter().all(|(path, name)| path.ends_with(name)));
            prop_assert_eq!(names.values().collect::<BTreeSet<_>>().len(), paths.len());
        }
    }
}
