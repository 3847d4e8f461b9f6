//! The figures as a table. Pure.

use std::fmt::Write as _;

use super::timed::Spent;

/// Everything that was measured.
#[derive(Clone, Debug)]
pub(super) struct Figures {
    pub(super) events: u64,
    pub(super) open: u64,
    pub(super) trace_bytes: u64,
    pub(super) parquet_bytes: u64,
    pub(super) export: Spent,
    pub(super) replay: Spent,
    /// DuckDB, from the recording.
    pub(super) direct: Spent,
    /// DuckDB, from the export.
    pub(super) columnar: Spent,
    pub(super) duckdb: String,
    /// Memory that an open connection takes.
    pub(super) open_bytes: f64,
}

const MEGABYTE: f64 = 1e6;

/// Everything as text.
pub(super) fn render(figures: &Figures) -> String {
    let Figures { events, trace_bytes, parquet_bytes, duckdb, .. } = figures;
    let each = |bytes: u64| bytes as f64 / *events as f64;
    let mut out = format!(
        "\n{events} events; {:.1} bytes an event in the recording, {:.1} in Parquet; one processor, DuckDB {duckdb} in one \
         thread\n\n{:<42} {:>8} {:>10} {:>10} {:>9} {:>12}\n",
        each(*trace_bytes),
        each(*parquet_bytes),
        "",
        "clock",
        "processor",
        "events/s",
        "peak",
        "of sockleak's"
    );
    let rows = [
        ("sockleak report", figures.replay),
        ("DuckDB, from the recording", figures.direct),
        ("DuckDB, from Parquet", figures.columnar),
        ("sockleak export, which made the Parquet", figures.export),
    ];
    for (name, spent) in rows {
        let _ = writeln!(
            out,
            "{name:<42} {:>6.2} s {:>8.2} s {:>10.0} {:>6.0} MB {:>12.2}",
            spent.clock,
            spent.processor,
            *events as f64 / spent.processor,
            spent.peak as f64 / MEGABYTE,
            spent.processor / figures.replay.processor
        );
    }
    let _ = writeln!(
        out,
        "\nEvents a second of processor time. An open connection takes {:.0} bytes until the report is out, of {}. \
         (marks: at least as fast as DuckDB; below 300 bytes)",
        figures.open_bytes, figures.open
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_compared_with_sockleaks() {
        let spent = |processor| Spent { clock: 9.0, processor, peak: 70_000_000 };
        let figures = Figures {
            events: 1000,
            open: 10,
            trace_bytes: 56_000,
            parquet_bytes: 43_000,
            export: spent(8.0),
            replay: spent(2.0),
            direct: spent(3.0),
            columnar: spent(1.0),
            duckdb: "1.5.5".to_owned(),
            open_bytes: 250.0,
        };
        let text = render(&figures);
        let line = |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        assert!(text.contains("56.0 bytes an event") && text.contains("takes 250 bytes"), "{text}");
        assert!(
            line("sockleak report").contains(" 500 ") && line("sockleak report").ends_with(" 1.00"),
            "{text}"
        );
        assert!(line("DuckDB, from the recording").ends_with(" 1.50"), "{text}");
        assert!(line("DuckDB, from Parquet").ends_with(" 0.50"), "{text}");
    }
}
