//! A strict reader of OpenMetrics text, as far as the exporter uses it.

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

/// Reads it; panics at the first thing that is wrong.
#[track_caller]
pub(super) fn parse(text: &str) -> Parsed {
    let body = text.strip_suffix("# EOF\n").expect("it ends with # EOF");
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
            assert!(["counter", "gauge", "histogram", "info"].contains(&kind), "{line}");
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
            sample(line, family, &mut parsed);
        }
    }
    parsed
}

fn sample(line: &str, family: &str, parsed: &mut Parsed) {
    let end = line.find(['{', ' ']).expect("a value");
    let (name, rest) = line.split_at(end);
    let suffix = name.strip_prefix(family).unwrap_or_else(|| panic!("{line} is not of {family}"));
    let allowed: &[&str] = match parsed.types[family].as_str() {
        "counter" => &["_total"],
        "gauge" => &[""],
        "histogram" => &["_bucket", "_sum", "_count"],
        _ => &["_info"],
    };
    assert!(allowed.contains(&suffix), "{line}");
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
