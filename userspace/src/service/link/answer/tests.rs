use sockleak_core::{
    assess::Wanted,
    testing::{accept, connect, event, feed, listener, process, session},
};
use sockleak_report::document::CsvTable;

use super::*;

/// A report becomes as long as there are connections: it is not drawn further than it may be.
#[test]
fn a_report_that_is_too_long_is_refused() {
    let mut session = session(&["*.sock"]);
    feed(&mut session, [listener(1, "/run/a.sock"), process(7, Some("/bin/a"))]);
    let both = |nth| [event(1, 7, connect(nth, 1)), event(1, 7, accept(nth, 1))];
    feed(&mut session, (1..200).flat_map(both));
    let answer = |format, most| {
        let filter = ReportFilter {
            format,
            table: CsvTable::Open,
            width: 80,
            all: true,
            older_than_ns: 0,
            with_argv: false,
            wanted: Wanted::default(),
        };
        let origin = ("db1".to_owned(), String::new());
        let section = Section::new(&session, Coverage::default(), clock::booted_at(0), origin, format);
        report(section, &filter, most)
    };
    for format in [Format::Json, Format::Csv, Format::Text, Format::Markdown, Format::Html] {
        let whole = answer(format, MOST_BODY);
        assert_eq!(whole.status, 200, "{format:?}");
        assert_eq!(answer(format, whole.body.len()), whole, "{format:?}");
        assert_eq!(answer(format, whole.body.len() - 1), Answer::too_large(), "{format:?}");
    }
}
