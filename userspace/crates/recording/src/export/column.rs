//! Columns: a name, a type, and how a cell is read from a row.

use std::borrow::Cow;

/// What is in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number, never negative.
    Number,
    /// A number that may be negative.
    Signed,
    /// Text. What was no UTF-8 has replacement characters.
    Text,
    /// A list of texts.
    Texts,
    /// A moment, given as nanoseconds since boot.
    Time,
    /// Yes or no.
    Flag,
}

/// A column without its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
}

/// A value, of the type of its column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell<'r> {
    /// Not known, or there is none.
    Null,
    /// For [`Kind::Number`].
    Number(u64),
    /// For [`Kind::Signed`].
    Signed(i64),
    /// For [`Kind::Text`].
    Text(Cow<'r, str>),
    /// For [`Kind::Texts`].
    Texts(&'r [String]),
    /// For [`Kind::Time`].
    Time(u64),
    /// For [`Kind::Flag`].
    Flag(bool),
}

impl<'r> Cell<'r> {
    /// A number that may be unknown.
    pub(super) fn number(value: Option<impl Into<u64>>) -> Self {
        value.map_or(Self::Null, |value| Self::Number(value.into()))
    }

    /// A text that may be unknown.
    pub(super) fn text(value: Option<impl Into<Cow<'r, str>>>) -> Self {
        value.map_or(Self::Null, |value| Self::Text(value.into()))
    }

    /// A moment that may be unknown.
    pub(super) fn time(value: Option<u64>) -> Self {
        value.map_or(Self::Null, Self::Time)
    }
}

/// A kind of row.
pub trait Table: Sized {
    /// What a row is read from.
    type Row<'r>;

    /// The columns in their order.
    fn columns() -> Vec<Column<Self>>;
}

/// A column of a table.
pub struct Column<T: Table> {
    /// Name and type.
    pub field: Field,
    /// Reads its cell.
    pub cell: for<'a> fn(&'a T::Row<'_>) -> Cell<'a>,
}

/// A column.
pub(super) fn column<T: Table>(
    name: &'static str,
    kind: Kind,
    cell: for<'a> fn(&'a T::Row<'_>) -> Cell<'a>,
) -> Column<T> {
    Column { field: Field { name, kind }, cell }
}
