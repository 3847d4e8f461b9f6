//! Sections of the file and their keys, so that whatever is not known is named, with what was probably meant.

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    error::{ConfigError, Source},
    value::Value,
};

/// A section: where it is, in words, and the keys that it knows.
#[derive(Debug)]
pub(super) struct Schema {
    /// As the user writes it; empty for what is before the first section.
    pub(super) header: &'static str,
    /// Its keys, in the order in which they are shown.
    pub(super) keys: &'static [&'static str],
}

impl Schema {
    /// Where its keys are, within a sentence.
    pub(super) fn place(&self) -> String {
        if self.header.is_empty() {
            return "at the top of the file".to_owned();
        }
        format!("in {}", self.header)
    }
}

/// What is before the first section.
pub(super) const TOP: Schema = Schema {
    header: "",
    keys: &["leak_age", "by", "stacks", "use", "target", "alerts", "store", "http", "otlp", "probe"],
};
/// A socket to watch.
pub(super) const TARGET: Schema = Schema { header: "[[target]]", keys: &["socket", "limit"] };
/// When to raise an alert.
pub(super) const ALERTS: Schema = Schema {
    header: "[alerts]",
    keys: &["slots_percent", "forecast", "for", "findings", "degraded", "sink"],
};
/// Whom to tell.
pub(super) const SINK: Schema =
    Schema { header: "[[alerts.sink]]", keys: &["kind", "url", "token_file", "path"] };
/// What is kept.
pub(super) const STORE: Schema =
    Schema { header: "[store]", keys: &["directory", "keep", "max_bytes", "history_keep"] };
/// Where the service answers.
pub(super) const HTTP: Schema = Schema { header: "[http]", keys: &["listen", "token_file"] };
/// Whom figures are sent to.
pub(super) const OTLP: Schema = Schema { header: "[otlp]", keys: &["endpoint", "interval", "token_file"] };
/// How to hook into the kernel.
pub(super) const PROBE: Schema =
    Schema { header: "[probe]", keys: &["hooks", "ring_size", "max_connections"] };

const ALL: [&Schema; 8] = [&TOP, &TARGET, &ALERTS, &SINK, &STORE, &HTTP, &OTLP, &PROBE];

/// A section as it is in the file, whose keys are all known.
#[derive(Debug)]
pub(super) struct Section<'a> {
    source: Source<'a>,
    schema: &'static Schema,
    at: usize,
    entries: DeTable<'a>,
}

impl<'a> Section<'a> {
    /// Takes a table for a section.
    ///
    /// # Errors
    /// If it has a key that the section does not know.
    pub(super) fn new(
        source: Source<'a>,
        schema: &'static Schema,
        table: Spanned<DeTable<'a>>,
    ) -> Result<Self, ConfigError> {
        let at = table.span().start;
        let entries = table.into_inner();
        let mut keys: Vec<_> = entries.keys().collect();
        // The first in the file, whatever the order of the table.
        keys.sort_by_key(|key| key.span().start);
        if let Some(key) = keys.into_iter().find(|key| !schema.keys.contains(&&**key.get_ref())) {
            return Err(source.error(key.span().start, unknown(schema, key.get_ref())));
        }
        Ok(Self { source, schema, at, entries })
    }

    /// What a key is set to.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Value<'a>> {
        let (name, value) = self.entries.remove_entry(key)?;
        Some(Value {
            source: self.source,
            schema: self.schema,
            key,
            at: name.span().start,
            value: value.into_inner(),
        })
    }

    /// What a key is set to that has to be set.
    ///
    /// # Errors
    /// If it is not.
    pub(super) fn require(&mut self, key: &'static str, example: &str) -> Result<Value<'a>, ConfigError> {
        if let Some(value) = self.take(key) {
            return Ok(value);
        }
        let header = self.schema.header;
        Err(self.error(format!("this {header} has no {key}; add for example {key} = \"{example}\"")))
    }

    /// A section within.
    ///
    /// # Errors
    /// If it is something else, or has unknown keys.
    pub(super) fn section(
        &mut self,
        key: &'static str,
        schema: &'static Schema,
    ) -> Result<Option<Self>, ConfigError> {
        let Some(value) = self.take(key) else { return Ok(None) };
        let at = value.at;
        match value.value {
            DeValue::Table(table) => Self::new(self.source, schema, Spanned::new(at..at, table)).map(Some),
            DeValue::Array(_) => {
                let header = schema.header;
                Err(self
                    .source
                    .error(at, format!("there is one section {header} only; write it with single brackets")))
            }
            _ => Err(self
                .source
                .error(at, format!("{key} is a section; write {} on a line of its own", schema.header))),
        }
    }

    /// The sections of one name within.
    ///
    /// # Errors
    /// If they are something else, or have unknown keys.
    pub(super) fn sections(
        &mut self,
        key: &'static str,
        schema: &'static Schema,
    ) -> Result<Vec<Self>, ConfigError> {
        let Some(value) = self.take(key) else { return Ok(Vec::new()) };
        let header = schema.header;
        let wrong = |at| {
            self.source.error(at, format!("{key} is a list of sections; write {header}, with two brackets"))
        };
        let DeValue::Array(elements) = value.value else { return Err(wrong(value.at)) };
        let elements = elements.into_iter().map(|element| {
            let at = element.span().start;
            match element.into_inner() {
                DeValue::Table(table) => Self::new(self.source, schema, Spanned::new(at..at, table)),
                _ => Err(wrong(at)),
            }
        });
        elements.collect()
    }

    /// What is wrong with the section as a whole.
    pub(super) fn error(&self, message: impl Into<String>) -> ConfigError {
        self.source.error(self.at, message)
    }
}

/// Says of a key that it is not known, and which is meant: one that is written alike, or one of another section.
fn unknown(schema: &Schema, key: &str) -> String {
    let place = schema.place();
    let distance = |known: &&str| strsim::damerau_levenshtein(known, key);
    let alike = schema.keys.iter().copied().min_by_key(distance);
    if let Some(alike) = alike.filter(|alike| distance(alike) <= 2.min(key.chars().count() / 2)) {
        return format!("unknown key {key:?} {place}; did you mean {alike:?}?");
    }
    // In TOML, what follows a header belongs to its section: a key of the top that was added at the end is in the last one.
    if let Some(home) = ALL.into_iter().find(|other| other.keys.contains(&key)) {
        let before = if home.header.is_empty() { ", before the first section" } else { "" };
        return format!("unknown key {key:?} {place}; it belongs {}{before}", home.place());
    }
    format!("unknown key {key:?} {place}; known are {}", schema.keys.join(", "))
}
