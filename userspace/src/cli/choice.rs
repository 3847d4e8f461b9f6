//! Arguments that are one of a few names.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use sockleak_core::choice::Choice;

/// Parses one of the names, and has `--help` list them.
pub(super) fn choice<T: Choice>() -> impl TypedValueParser<Value = T> {
    let values = T::ALL.iter().map(|value| PossibleValue::new(value.name()).help(value.help()));
    PossibleValuesParser::new(values).try_map(|name| T::named(&name).ok_or("it is none of them"))
}
