//! The rows of a query, with as few questions to SQLite as can be.
//!
//! A replay reads a hundred million values, and rusqlite calls SQLite three times for each, with checks in each call. Here it is
//! asked once for the value and then for what is in it.

use std::{
    cell::Cell,
    ffi::{CStr, c_int},
    marker::PhantomData,
    ptr::{self, NonNull},
    slice,
};

use rusqlite::{Connection, Error, Result, ffi, types::ValueRef};

/// A query, and the row where it stands. It stays in the thread of its connection, which nobody else uses meanwhile: what SQLite
/// calls unprotected values may be read then.
pub(super) struct Scan<'c> {
    statement: NonNull<ffi::sqlite3_stmt>,
    /// As many as rows have; none while it stands on no row.
    columns: usize,
    is_over: bool,
    /// Bytes of texts and blobs since it was asked last.
    taken: Cell<u64>,
    connection: PhantomData<&'c Connection>,
}

impl<'c> Scan<'c> {
    /// Asks, and stands before the first row.
    ///
    /// # Errors
    /// If the query is none that the database can answer.
    pub(super) fn new(connection: &'c Connection, query: &str) -> Result<Self> {
        let length = c_int::try_from(query.len()).map_err(|_| Error::InvalidQuery)?;
        let mut statement = ptr::null_mut();
        // SAFETY: the connection is open as long as it is borrowed. SQLite reads so many bytes of the query and no more, and writes
        // one pointer.
        let code = unsafe {
            ffi::sqlite3_prepare_v3(
                connection.handle(),
                query.as_ptr().cast(),
                length,
                0,
                &raw mut statement,
                ptr::null_mut(),
            )
        };
        match NonNull::new(statement) {
            Some(statement) if code == ffi::SQLITE_OK => Ok(Self {
                statement,
                columns: 0,
                is_over: false,
                taken: Cell::new(0),
                connection: PhantomData,
            }),
            // SAFETY: the connection is open.
            _ => Err(unsafe { failure(connection.handle()) }),
        }
    }

    /// Goes to the next row; tells whether there is one.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(super) fn advance(&mut self) -> Result<bool> {
        let statement = self.statement.as_ptr();
        self.columns = 0;
        if self.is_over {
            // SQLite would begin anew.
            return Ok(false);
        }
        // SAFETY: the statement is finalized when this is dropped, not before. Nothing refers to values of the last row: they
        // borrow this.
        match unsafe { ffi::sqlite3_step(statement) } {
            ffi::SQLITE_ROW => {
                // SAFETY: as above.
                let columns = unsafe { ffi::sqlite3_data_count(statement) };
                self.columns = usize::try_from(columns).unwrap_or(0);
                Ok(true)
            }
            ffi::SQLITE_DONE => {
                self.is_over = true;
                Ok(false)
            }
            // SAFETY: as above, and its connection is open as long as it is borrowed.
            _ => Err(unsafe { failure(ffi::sqlite3_db_handle(statement)) }),
        }
    }

    /// Bytes of the texts and blobs that were asked for since the last call of this.
    pub(super) fn taken(&self) -> u64 {
        self.taken.take()
    }

    fn note(&self, bytes: &[u8]) {
        self.taken.set(self.taken.get().saturating_add(bytes.len() as u64));
    }

    /// A value of the row. Null if it stands on none, or a row has no such column.
    #[inline]
    pub(super) fn value(&self, column: usize) -> ValueRef<'_> {
        if column >= self.columns {
            return ValueRef::Null;
        }
        // SAFETY: the statement stands on a row, which has this column. The value is SQLite's until the statement goes on, which it
        // does not while this is borrowed.
        unsafe {
            let value = ffi::sqlite3_column_value(self.statement.as_ptr(), column as c_int);
            match ffi::sqlite3_value_type(value) {
                ffi::SQLITE_INTEGER => ValueRef::Integer(ffi::sqlite3_value_int64(value)),
                ffi::SQLITE_FLOAT => ValueRef::Real(ffi::sqlite3_value_double(value)),
                ffi::SQLITE_TEXT => {
                    // The length is that of the text, which is why that comes first.
                    let text = ffi::sqlite3_value_text(value);
                    let text = bytes(text, ffi::sqlite3_value_bytes(value));
                    text.inspect(|text| self.note(text)).map_or(ValueRef::Null, ValueRef::Text)
                }
                ffi::SQLITE_BLOB => {
                    let blob = ffi::sqlite3_value_blob(value).cast();
                    let bytes = bytes(blob, ffi::sqlite3_value_bytes(value));
                    ValueRef::Blob(bytes.inspect(|blob| self.note(blob)).unwrap_or_default())
                }
                _ => ValueRef::Null,
            }
        }
    }
}

impl Drop for Scan<'_> {
    fn drop(&mut self) {
        // SAFETY: nobody has another pointer to it, and values borrow this. What it says is what the last step said.
        unsafe { ffi::sqlite3_finalize(self.statement.as_ptr()) };
    }
}

/// Bytes of SQLite's. None for a null pointer: an empty blob, or no memory left.
///
/// # Safety
/// Unless it is null, there must be so many bytes for as long as they are used.
unsafe fn bytes<'v>(first: *const u8, length: c_int) -> Option<&'v [u8]> {
    let length = usize::try_from(length).ok()?;
    // SAFETY: the caller's.
    (!first.is_null()).then(|| unsafe { slice::from_raw_parts(first, length) })
}

/// What went wrong in the last call.
///
/// # Safety
/// The connection must be open.
unsafe fn failure(database: *mut ffi::sqlite3) -> Error {
    // SAFETY: the caller's; the message is there until the next call.
    let (code, message) = unsafe { (ffi::sqlite3_extended_errcode(database), ffi::sqlite3_errmsg(database)) };
    // SAFETY: SQLite ends its messages with NUL.
    let message = (!message.is_null()).then(|| unsafe { CStr::from_ptr(message) });
    let message = message.map(|message| message.to_string_lossy().into_owned());
    Error::SqliteFailure(ffi::Error::new(code), message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_what_they_are() {
        let connection = Connection::open_in_memory().expect("memory is a database");
        let query = "SELECT 7, -1, 1.5, 'ä', '', x'ff00', x'', NULL UNION ALL SELECT 8, 0, 0, 0, 0, 0, 0, 0";
        let mut scan = Scan::new(&connection, query).expect("it is a query");
        assert_eq!(scan.value(0), ValueRef::Null, "no row is there yet");
        assert_eq!(scan.advance(), Ok(true));
        let values: Vec<_> = (0..8).map(|column| scan.value(column)).collect();
        let expected = [
            ValueRef::Integer(7),
            ValueRef::Integer(-1),
            ValueRef::Real(1.5),
            ValueRef::Text("ä".as_bytes()),
            ValueRef::Text(b""),
            ValueRef::Blob(&[255, 0]),
            ValueRef::Blob(b""),
            ValueRef::Null,
        ];
        assert_eq!(values, expected);
        assert_eq!(scan.value(8), ValueRef::Null, "there is no such column");
        assert_eq!(scan.advance(), Ok(true));
        assert_eq!(scan.value(0), ValueRef::Integer(8));
        for _ in 0..2 {
            assert_eq!(scan.advance(), Ok(false));
            assert_eq!(scan.value(0), ValueRef::Null, "the last row is over");
        }
    }

    #[test]
    fn errors_are_sqlites() {
        let connection = Connection::open_in_memory().expect("memory is a database");
        let said = Scan::new(&connection, "SELECT elsewhere").err().map(|error| error.to_string());
        assert!(said.as_ref().is_some_and(|said| said.contains("no such column")), "{said:?}");
        assert!(Scan::new(&connection, "").is_err());
        let mut scan = Scan::new(&connection, "SELECT abs(-9223372036854775807 - 1)").expect("it is a query");
        let said = scan.advance().err().map(|error| error.to_string());
        assert!(said.as_ref().is_some_and(|said| said.contains("integer overflow")), "{said:?}");
    }
}
