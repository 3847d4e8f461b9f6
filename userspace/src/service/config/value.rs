//! What a key is set to, as the type that it has to be.

use std::{fmt::Display, ops::RangeInclusive, path::PathBuf, time::Duration};

use bytesize::ByteSize;
use sockleak_core::choice::Choice;
use toml::de::DeValue;

use super::{
    error::{ConfigError, Source},
    schema::Schema,
};

/// What a key is set to.
#[derive(Debug)]
pub(super) struct Value<'a> {
    /// The file.
    pub(super) source: Source<'a>,
    /// The section.
    pub(super) schema: &'static Schema,
    /// The key.
    pub(super) key: &'static str,
    /// Where in the file.
    pub(super) at: usize,
    /// The value.
    pub(super) value: DeValue<'a>,
}

impl<'a> Value<'a> {
    /// What is wrong with it.
    pub(super) fn error(&self, message: impl Display) -> ConfigError {
        let (key, place) = (self.key, self.schema.place());
        self.source.error(self.at, format!("{key} {place} {message}"))
    }

    /// The line that it is in, counted from 1.
    pub(super) fn line(&self) -> usize {
        self.source.line(self.at)
    }

    /// A text.
    pub(super) fn text(&self) -> Result<&str, ConfigError> {
        self.value.as_str().ok_or_else(|| self.mistyped("a text in quotes"))
    }

    /// A text that `read` makes something of, or says why it cannot.
    pub(super) fn read<T, E: Display>(
        &self,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, ConfigError> {
        let text = self.text()?;
        read(text).map_err(|error| self.error(format!("is {text:?}: {error}")))
    }

    /// `true` or `false`.
    pub(super) fn flag(&self) -> Result<bool, ConfigError> {
        self.value.as_bool().ok_or_else(|| self.mistyped("true or false"))
    }

    /// A number within bounds.
    pub(super) fn number(&self, range: RangeInclusive<u64>) -> Result<u64, ConfigError> {
        let wanted = format!("a whole number from {} to {}", range.start(), range.end());
        let Some(number) = self.value.as_integer() else { return Err(self.mistyped(&wanted)) };
        let value = i128::from_str_radix(number.as_str(), number.radix()).ok();
        let value = value.and_then(|value| u64::try_from(value).ok()).filter(|value| range.contains(value));
        value.ok_or_else(|| self.error(format!("is {number}; write {wanted}")))
    }

    /// A time longer than nothing.
    pub(super) fn duration(&self) -> Result<Duration, ConfigError> {
        let duration = self.duration_or_zero()?;
        if duration.is_zero() {
            return Err(self.error("is zero; write a longer time, for example \"60s\", \"10m\" or \"30d\""));
        }
        Ok(duration)
    }

    /// A time that may be zero.
    pub(super) fn duration_or_zero(&self) -> Result<Duration, ConfigError> {
        const EXAMPLES: &str = "for example \"60s\", \"10m\" or \"30d\"";
        if self.value.as_str().is_none() {
            return Err(self.mistyped(&format!("a time in quotes, {EXAMPLES}")));
        }
        self.read(|text| {
            humantime::parse_duration(text).map_err(|_| format!("that is no time; write {EXAMPLES}"))
        })
    }

    /// A number of bytes of at least `least`, as a number or with a unit.
    pub(super) fn size(&self, least: u64) -> Result<u64, ConfigError> {
        const EXAMPLES: &str = "for example \"16MiB\" or \"1GiB\"";
        if self.value.is_integer() {
            return self.number(least..=i64::MAX as u64);
        }
        if self.value.as_str().is_none() {
            return Err(self.mistyped(&format!("a size in quotes, {EXAMPLES}")));
        }
        self.read(|text| match text.parse::<ByteSize>() {
            // What does not fit into a number comes as the largest.
            Ok(ByteSize(bytes)) if bytes > i64::MAX as u64 => {
                Err(format!("that is more than there can be; write {EXAMPLES}"))
            }
            Ok(ByteSize(bytes)) if bytes >= least => Ok(bytes),
            Ok(_) => Err(format!("that is too little; write at least \"{}\"", ByteSize(least))),
            Err(_) => Err(format!("that is no size; write {EXAMPLES}")),
        })
    }

    /// One of several names, those of the command line.
    pub(super) fn choice<T: Choice>(&self) -> Result<T, ConfigError> {
        self.read(|text| {
            T::named(text).ok_or_else(|| {
                let names: Vec<_> = T::names().map(|name| format!("{name:?}")).collect();
                format!("write one of {}", names.join(", "))
            })
        })
    }

    /// An absolute path of a file or folder.
    pub(super) fn path(&self) -> Result<PathBuf, ConfigError> {
        self.read(absolute)
    }

    /// The elements of a list.
    pub(super) fn list(self, of: &str) -> Result<Vec<Self>, ConfigError> {
        let DeValue::Array(elements) = self.value else {
            return Err(self.mistyped(&format!("a list of {of}")));
        };
        let Self { source, schema, key, .. } = self;
        let element = |(at, value)| Self { source, schema, key, at, value };
        Ok(elements.into_iter().map(|it| element((it.span().start, it.into_inner()))).collect())
    }

    /// The elements of a list, or what stands alone for a list of one.
    pub(super) fn one_or_more(self, of: &str) -> Result<Vec<Self>, ConfigError> {
        if self.value.is_str() { Ok(vec![self]) } else { self.list(of) }
    }

    fn mistyped(&self, wanted: &str) -> ConfigError {
        let found = match self.value.type_str() {
            found @ ("array" | "integer") => format!("an {found}"),
            found => format!("a {found}"),
        };
        self.error(format!("is {found}; write {wanted}"))
    }
}

/// Takes a text for an absolute path.
pub(super) fn absolute(text: &str) -> Result<PathBuf, &'static str> {
    let path = PathBuf::from(text);
    if !path.is_absolute() {
        return Err("a service has no directory of its own; write the path from / on");
    }
    if path.file_name().is_none() || text.contains('\0') {
        return Err("that names no file; write the path of one");
    }
    Ok(path)
}
