//! What takes bytes from outside, each as a function of bytes that neither panics nor runs for long, whatever they are.
//!
//! A fuzzer calls these (see `tests/fuzz`), and `cargo test` replays the files in `tests/fuzz/corpus` and changes of them, with
//! arithmetic checked.

mod records;
#[cfg(test)]
mod tests;

use std::{fs, io, ops::ControlFlow, path::Path};

use sockleak_core::{
    assess::Coverage,
    attribution::{by::By, limits::GivenLimit, selection::Selection},
    decode::{DecodeError, decode},
    session::{Session, Settings},
};
use sockleak_recording::Trace;
use sockleak_report::{
    document::{self, CsvTable, Format, Section},
    text::Layout,
};

use crate::{
    clock, diag,
    service::{config::Config, web},
};

/// What takes bytes from outside.
pub type Target = fn(&[u8]);

/// What is called by a name, which is that of its folder in the corpus.
pub const TARGETS: [(&str, Target); 6] = [
    ("config", config),
    ("decode", decoded),
    ("diag", diag::fuzz),
    ("recording", recording),
    ("request", web::fuzz),
    ("session", session),
];

/// Calls a target by its name.
pub fn run(name: &str, data: &[u8]) {
    if let Some((_, run)) = TARGETS.iter().find(|(target, _)| *target == name) {
        run(data);
    }
}

/// The text of a configuration.
pub fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = Config::parse(text, Path::new("/etc/sockleak/config.toml"));
}

/// A record from the ring buffer.
pub fn decoded(data: &[u8]) {
    // Of one that is too long, the front.
    if let Err(DecodeError::Size { wanted, .. }) = decode(data)
        && let Some(data) = data.get(..wanted)
    {
        let _ = decode(data);
    }
}

/// A recording, to its report.
pub fn recording(data: &[u8]) {
    let Ok(file) = tempfile::NamedTempFile::new() else { return };
    if fs::write(file.path(), data).is_err() {
        return;
    }
    let Ok(trace) = Trace::open(file.path()) else { return };
    let _ = trace.verify();
    let header = trace.header().clone();
    let limits = header.limits.iter().filter_map(|limit| GivenLimit::parse(limit).ok()).collect();
    let settings = Settings { started: header.started, leak_age: header.leak_age, limits, by: By::default() };
    let mut session = Session::new(Selection::recorded(header.targets), settings);
    let _ = trace.replay(|record| {
        session.feed(record);
        ControlFlow::Continue(())
    });
    documents(&session, trace.progress(), header.boot_time);
}

/// Records of any values that a reader lets through, to their report.
pub fn session(data: &[u8]) {
    let mut records = records::Records::new(data);
    let (settings, frame, boot_time) = records.surroundings();
    let mut session = Session::new(Selection::recorded(vec!["*".to_owned()]), settings);
    for record in records.by_ref() {
        session.feed(record);
    }
    documents(&session, &frame, boot_time);
}

fn documents(session: &Session, frame: &Coverage, boot_time: i64) {
    for format in [Format::Text, Format::Json, Format::Csv, Format::Markdown, Format::Html] {
        let origin = ("host".to_owned(), "file".to_owned());
        let section = Section::new(session, frame.clone(), clock::booted_at(boot_time), origin, format);
        let written = document::write(
            &[section],
            format,
            CsvTable::default(),
            Layout { width: 80, is_whole: false, style: sockleak_report::style::Style::Plain },
            &mut io::sink(),
        );
        assert!(written.is_ok(), "nothing is wrong with where it goes");
    }
}
