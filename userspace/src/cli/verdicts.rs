//! Names of verdicts as arguments: listed in the help and by completions, and explained when misspelt.

use std::{ffi::OsStr, marker::PhantomData, str::FromStr};

use clap::{
    Arg, Command, Error,
    builder::{PossibleValue, TypedValueParser},
    error::ErrorKind,
};
use sockleak_core::verdict::Verdict;

/// Less alike than this, a name is not suggested: the Jaro-Winkler similarity of two names, from 0 to 1.
const ALIKE: f64 = 0.7;

/// Parses a name out of a fixed list, in capitals or not: reports write verdicts in capitals.
pub struct Names<T> {
    names: Vec<&'static str>,
    parsed: PhantomData<fn() -> T>,
}

impl<T> Clone for Names<T> {
    fn clone(&self) -> Self {
        Self { names: self.names.clone(), parsed: PhantomData }
    }
}

impl<T> Names<T> {
    /// The verdicts, the most severe first, and then `others`.
    #[must_use]
    pub fn verdicts_and(others: &[&'static str]) -> Self {
        let verdicts = Verdict::ALL.into_iter().map(Verdict::name);
        Self { names: verdicts.chain(others.iter().copied()).collect(), parsed: PhantomData }
    }

    /// These names alone.
    #[must_use]
    pub fn only(names: &[&'static str]) -> Self {
        Self { names: names.to_vec(), parsed: PhantomData }
    }
}

impl<T: FromStr + Clone + Send + Sync + 'static> TypedValueParser for Names<T> {
    type Value = T;

    fn parse_ref(&self, command: &Command, argument: Option<&Arg>, value: &OsStr) -> Result<T, Error> {
        let name = value.to_string_lossy();
        let lower = name.to_lowercase();
        let known = self.names.iter().find(|known| **known == lower);
        let parsed = known.and_then(|known| known.parse().ok());
        parsed.ok_or_else(|| {
            let argument = argument.map_or_else(|| "...".to_owned(), ToString::to_string);
            let message =
                format!("invalid value '{name}' for '{argument}': {}\n", unknown(&lower, &self.names));
            Error::raw(ErrorKind::ValueValidation, message).with_cmd(command)
        })
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.names.iter().map(PossibleValue::new)))
    }
}

/// The name that is nearest to what was written, if any is near, and all names.
fn unknown(written: &str, names: &[&str]) -> String {
    let all = names.join(", ");
    let likeness = |name: &&&str| strsim::jaro_winkler(written, name);
    let nearest = names.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    match nearest.filter(|name| likeness(name) >= ALIKE) {
        Some(nearest) => format!("did you mean '{nearest}'? The names are {all}"),
        None => format!("the names are {all}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_suggested() {
        let names = ["client-leak", "server-leak", "pool"];
        assert!(unknown("clientleak", &names).starts_with("did you mean 'client-leak'?"));
        assert!(unknown("sever-leak", &names).starts_with("did you mean 'server-leak'?"));
        assert_eq!(unknown("xyz", &names), "the names are client-leak, server-leak, pool");
    }
}
