//! A strict reader of OpenMetrics text and of Prometheus's text, as far as the exporter uses them.

use std::collections::{BTreeMap, BTreeSet};

/// Labels, by name.
pub(in crate::service) type Labels = Vec<(String, String)>;

/// Samples by name and labels.
pub(in crate::service) type Samples = BTreeMap<(String, Labels), f64>;

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    pub(super) samples: Samples,
    pub(super) types: BTreeMap<String, String>,
}

impl Parsed {
    /// The value of a sample; labels are given as `a=b`.
    #[track_caller]
    pub(super) fn get(&self, name: &str, labels: &[&str]) -> Option<f64> {
        let split =
            |label: &&str| label.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
        let mut labels: Labels = labels.iter().map(|label| split(label).expect("a label")).collect();
        labels.sort();
        self.samples.get(&(name.to_owned(), labels)).copied()
    }
}

/// Reads OpenMetrics; panics at the first thing that is wrong.
#[track_caller]
pub(super) fn parse(text: &str) -> Parsed {
    let body = text.strip_suffix("# EOF\n").expect("it ends with # EOF");
    read(body, &|kind| match kind {
        "counter" => &["_total"],
        "gauge" => &[""],
        "histogram" => &["_bucket", "_sum", "_count"],
        "info" => &["_info"],
        _ => panic!("there is no type {kind}"),
    })
}

/// Reads Prometheus's text, in which what describes a series has its whole name.
#[track_caller]
pub(super) fn parse_prometheus(text: &str) -> Parsed {
    assert!(text.ends_with('\n'), "the last line ends");
    for line in text.lines().filter(|line| line.starts_with('#')) {
        assert!(line.starts_with("# HELP ") || line.starts_with("# TYPE "), "{line}");
    }
    let parsed = read(text, &|kind| match kind {
        "counter" | "gauge" => &[""],
        "histogram" => &["_bucket", "_sum", "_count"],
        _ => panic!("there is no type {kind}"),
    });
    for (name, kind) in &parsed.types {
        assert_eq!(name.ends_with("_total"), kind == "counter", "{name}");
    }
    parsed
}

/// Which ends the names of a type's series have, after the name of the family.
type Ends<'a> = &'a dyn Fn(&str) -> &'static [&'static str];

#[track_caller]
fn read(body: &str, ends: Ends<'_>) -> Parsed {
    let mut parsed = Parsed::default();
    let (mut family, mut helped) = (None::<String>, BTreeSet::new());
    for line in body.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').expect("help");
            assert!(!help.is_empty() && helped.insert(name.to_owned()), "one HELP for each: {line}");
            assert!(name.starts_with("sockleak_"), "{line}");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("type");
            assert!(helped.contains(name), "{line}");
            assert!(
                parsed.types.insert(name.to_owned(), kind.to_owned()).is_none(),
                "one TYPE for each: {line}"
            );
            family = Some(name.to_owned());
        } else if let Some(rest) = line.strip_prefix("# UNIT ") {
            let (name, unit) = rest.split_once(' ').expect("unit");
            assert!(name.ends_with(&format!("_{unit}")), "{line}");
        } else {
            let family = family.as_deref().expect("samples have a family");
            sample(line, family, ends, &mut parsed);
        }
    }
    parsed
}

fn sample(line: &str, family: &str, ends: Ends<'_>, parsed: &mut Parsed) {
    let end = line.find(['{', ' ']).expect("a value");
    let (name, rest) = line.split_at(end);
    let suffix = name.strip_prefix(family).unwrap_or_else(|| panic!("{line} is not of {family}"));
    assert!(ends(&parsed.types[family]).contains(&suffix), "{line}");
    let (labels, value) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest),
        None => (Labels::new(), rest),
    };
    let value = value.strip_prefix(' ').and_then(|value| value.parse::<f64>().ok()).expect("a number");
    assert!(value.is_finite(), "{line}");
    let names: BTreeSet<_> = labels.iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), labels.len(), "each label once: {line}");
    let before = parsed.samples.insert((name.to_owned(), labels), value);
    assert!(before.is_none(), "each series once: {line}");
}

/// Labels after their brace, and what follows the other brace.
fn labels(mut rest: &str) -> (Labels, &str) {
    let mut labels = Labels::new();
    while !rest.starts_with('}') {
        let (name, after) = rest.split_once("=\"").expect("a label");
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{name:?}");
        let mut value = String::new();
        let mut chars = after.char_indices();
        let end = loop {
            match chars.next().expect("a value ends") {
                (at, '"') => break at,
                (_, '\\') => value.push(match chars.next().expect("something is escaped").1 {
                    'n' => '\n',
                    c @ ('\\' | '"') => c,
                    c => panic!("{c:?} is escaped"),
                }),
                (_, c) => value.push(c),
            }
        };
        labels.push((name.to_owned(), value));
        rest = &after[end + 1..];
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
    labels.sort();
    (labels, &rest[1..])
}
