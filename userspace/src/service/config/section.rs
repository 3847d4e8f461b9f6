//! Sections as they are in the file: whatever is not known is named, with what was probably meant.

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    error::{ConfigError, Source},
    schema::{ALL, Schema},
    value::Value,
};

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
