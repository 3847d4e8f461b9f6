//! A segment as files for an object store.

use std::{collections::BTreeMap, io};

use parquet::{
    file::reader::{FileReader as _, SerializedFileReader},
    record::Field,
};
use sockleak_core::testing::{SECOND, accept, attempt, event, listener, process, release};

use super::*;
use crate::export::{
    What as Rows,
    archive::{Kind, Options, Part, archive},
    fields,
};

/// Connections 1 to 4, of which 3 is closed by its client alone and 4 not at all, and two failed connects.
fn records() -> Vec<Record> {
    use sockleak_core::{event::End, testing::connect};

    let mut records = vec![listener(3, "/run/a.sock"), process(40, Some("/bin/x"))];
    records.extend((1..=4).map(|id| event(id, 40, connect(id, 3))));
    records.extend((1..=3).map(|id| event(10 + id, 50, accept(id, 3))));
    records.extend((1..=3).map(|id| event(20 + id, 40, release(id, 3, End::Client))));
    records.extend((1..=2).map(|id| event(30 + id, 50, release(id, 3, End::Server))));
    records.extend([41, 42].map(|at| event(at, 40, attempt(Some(3), "/run/a.sock"))));
    records
}

fn parts(trace: &Trace, options: Options) -> Vec<Part> {
    let mut parts = Vec::new();
    let take = &mut |part| {
        parts.push(part);
        Ok(())
    };
    archive(trace, options, take).unwrap_or_else(|error| panic!("{error}"));
    parts
}

/// The rows of a file: name and value of each cell.
fn rows(part: &Part) -> Vec<BTreeMap<String, Field>> {
    let file = SerializedFileReader::new(bytes::Bytes::from(part.bytes.clone())).expect("it is Parquet");
    let rows = file.get_row_iter(None).expect("it has rows");
    rows.map(|row| row.expect("it is readable").into_columns().into_iter().collect()).collect()
}

fn of(parts: &[Part], kind: Kind) -> Vec<BTreeMap<String, Field>> {
    parts.iter().filter(|part| part.kind == kind).flat_map(rows).collect()
}

#[test]
fn each_row_is_in_one_file() {
    let scratch = Scratch::new();
    let path = scratch.file("trace-1.db");
    recorded_until(&path, &records(), 50 * SECOND);
    let trace = opened(&path);
    let whole = parts(&trace, Options::default());
    let counts: Vec<_> = whole.iter().map(|part| (part.kind, part.number, part.rows)).collect();
    assert_eq!(counts[..2], [(Kind::Connections, 0, 2), (Kind::Attempts, 0, 2)]);
    assert_eq!(counts.last(), Some(&(Kind::Open, 0, 2)));
    let cut = parts(&trace, Options { rows: 1, ..Options::default() });
    for kind in [Kind::Connections, Kind::Attempts, Kind::Findings, Kind::Open] {
        assert_eq!(of(&cut, kind), of(&whole, kind), "{kind}");
        let numbers: Vec<_> = cut.iter().filter(|it| it.kind == kind).map(|it| it.number).collect();
        assert_eq!(numbers, Vec::from_iter(0..of(&whole, kind).len() as u32), "{kind}");
    }
    let closed = of(&whole, Kind::Connections);
    let ids: Vec<_> = closed.iter().map(|row| row["connection"].clone()).collect();
    assert_eq!(ids, [Field::ULong(1), Field::ULong(2)]);
    // The columns are those of an export, and then some.
    let file = SerializedFileReader::new(bytes::Bytes::from(whole[0].bytes.clone())).expect("it is Parquet");
    let schema = file.metadata().file_metadata().schema_descr().root_schema().get_fields().to_vec();
    let names: Vec<_> = schema.iter().map(|field| field.name().to_owned()).collect();
    let exported = fields(Rows::Connections).into_iter().map(|field| field.name);
    let expected: Vec<_> = exported.chain(["boot_id", "kernel", "sockleak", "schema"]).collect();
    assert_eq!(names, expected);
}

#[test]
fn command_lines_are_left_out_unless_asked_for() {
    let scratch = Scratch::new();
    let path = scratch.file("trace-1.db");
    let mut records = records();
    let Record::Process(process) = &mut records[1] else { panic!("it is one") };
    Arc::make_mut(process).argv = vec!["x".to_owned(), "--password=secret".to_owned()];
    recorded_until(&path, &records, 50 * SECOND);
    let trace = opened(&path);
    for command_lines in [false, true] {
        let parts = parts(&trace, Options { command_lines, ..Options::default() });
        for kind in [Kind::Connections, Kind::Attempts, Kind::Open] {
            let shown = format!("{:?}", of(&parts, kind));
            assert_eq!(shown.contains("secret"), command_lines, "{kind}: {shown}");
        }
    }
}

/// A retry must give what the first attempt gave, also where only the file's bytes can be had.
#[test]
fn the_same_segment_gives_the_same_bytes() {
    let scratch = Scratch::new();
    let path = scratch.file("trace-1.db");
    recorded_until(&path, &records(), 50 * SECOND);
    let bytes = |trace: &Trace| -> Vec<_> {
        parts(trace, Options::default()).into_iter().map(|part| part.bytes).collect()
    };
    let first = bytes(&opened(&path));
    let file: &'static mut [u8] = Vec::leak(fs::read(&path).expect("it is there"));
    let inherited = Trace::of_bytes(&path, file).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(first, bytes(&inherited));
    let cut: &'static mut [u8] = Vec::leak(fs::read(&path).expect("it is there")[..8192].to_vec());
    let refused = Trace::of_bytes(&path, cut).map(drop).expect_err("its end is missing");
    assert!(matches!(refused, TraceError::Damaged { .. }), "{refused}");
    let junk: &'static mut [u8] = Vec::leak(b"no database".to_vec());
    let refused = Trace::of_bytes(&path, junk).map(drop).expect_err("it is none");
    assert!(matches!(refused, TraceError::NotATrace(_)), "{refused}");
}

#[test]
fn a_file_that_cannot_be_taken_ends_it() {
    let scratch = Scratch::new();
    let path = scratch.file("trace-1.db");
    recorded_until(&path, &records(), 50 * SECOND);
    let mut taken = 0;
    let mut take = |_: Part| {
        taken += 1;
        Err(io::Error::other("no room"))
    };
    let error = archive(&opened(&path), Options::default(), &mut take).expect_err("it is refused");
    assert_eq!((error.to_string().as_str(), taken), ("the output cannot be written (no room)", 1));
}
