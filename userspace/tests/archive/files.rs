//! What is in an archive, read as any engine reads it.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
};

use parquet::{
    file::reader::{FileReader as _, SerializedFileReader},
    record::Field,
};

/// The Parquet files below a folder.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.unwrap().path()) {
        // What begins with a dot is not whole, and no engine reads it.
        let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if path.is_dir() {
            found.extend(files(&path));
        } else if !is_hidden {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The rows of all files below a folder.
pub(crate) fn rows(folder: &Path) -> Vec<BTreeMap<String, Field>> {
    let rows = files(folder).into_iter().flat_map(|path| {
        let file = SerializedFileReader::new(File::open(&path).unwrap()).unwrap();
        let rows =
            file.get_row_iter(None).unwrap().map(|row| row.unwrap().into_columns().into_iter().collect());
        rows.collect::<Vec<_>>()
    });
    rows.collect()
}

/// The numbers of the connections below a folder, as often as they are there.
pub(crate) fn connections(folder: &Path) -> Vec<u64> {
    let mut all: Vec<_> = rows(folder)
        .iter()
        .map(|row| match row["connection"] {
            Field::ULong(id) => id,
            ref other => panic!("it is no number: {other}"),
        })
        .collect();
    all.sort_unstable();
    all
}
