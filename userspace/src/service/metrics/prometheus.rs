//! Figures in Prometheus's text format 0.0.4.
//!
//! Series and values are those of `openmetrics`, down to the bounds of the histogram (`le="86400.0"`): a Prometheus that asks for
//! the other form after an upgrade goes on with the same series. What differs: what describes a series has its whole name, an info
//! is a gauge, and there are no units and no end.

use std::fmt::{self, Write};

use super::{
    LIFETIME_BOUNDS,
    families::{Family, Kind, Label, Lifetimes, Unit, Value},
    figures::Figures,
};

impl Figures {
    /// Writes all figures.
    ///
    /// # Errors
    /// If `out` takes no more.
    pub(super) fn write_prometheus(&self, out: &mut impl Write) -> fmt::Result {
        let (name, help, labels) = self.build();
        let name = format!("sockleak_{name}_info");
        describe(out, &name, help, "gauge")?;
        series(out, &name, &labels, None, &Value::Whole(1))?;
        self.families().try_for_each(|family| write(out, family))
    }
}

/// Writes a family, unless it is empty.
fn write(out: &mut impl Write, family: Family<'_>) -> fmt::Result {
    let Family { name, help, unit, kind, rows } = family;
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return Ok(());
    }
    let unit = match unit {
        Some(Unit::Seconds) => "_seconds",
        Some(Unit::Bytes) => "_bytes",
        None => "",
    };
    let (total, kind) = match kind {
        Kind::Counter { .. } => ("_total", "counter"),
        Kind::Gauge => ("", "gauge"),
        Kind::Histogram => ("", "histogram"),
    };
    let name = format!("sockleak_{name}{unit}{total}");
    describe(out, &name, help, kind)?;
    for (labels, value) in rows {
        match value {
            Value::Lifetimes(lifetimes) => histogram(out, &name, &labels, &lifetimes)?,
            value => series(out, &name, &labels, None, &value)?,
        }
    }
    Ok(())
}

/// Texts that describe a series have no line ends and no backslashes: they are ours.
fn describe(out: &mut impl Write, name: &str, help: &str, kind: &str) -> fmt::Result {
    writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}")
}

fn histogram(out: &mut impl Write, name: &str, labels: &[Label<'_>], lifetimes: &Lifetimes) -> fmt::Result {
    let (mut count, bucket) = (0_u64, format!("{name}_bucket"));
    let bounds = LIFETIME_BOUNDS.iter().map(|bound| format!("{bound:?}")).chain(["+Inf".to_owned()]);
    for (bound, more) in bounds.zip(&lifetimes.buckets) {
        count = count.saturating_add(*more);
        series(out, &bucket, labels, Some(("le", &bound)), &Value::Whole(count))?;
    }
    series(out, &format!("{name}_sum"), labels, None, &Value::Real(lifetimes.sum))?;
    series(out, &format!("{name}_count"), labels, None, &Value::Whole(lifetimes.count))
}

fn series(
    out: &mut impl Write,
    name: &str,
    labels: &[Label<'_>],
    more: Option<Label<'_>>,
    value: &Value,
) -> fmt::Result {
    out.write_str(name)?;
    let mut before = '{';
    for (label, value) in more.into_iter().chain(labels.iter().copied()) {
        write!(out, "{before}{label}=\"")?;
        for c in value.chars() {
            match c {
                '\\' => out.write_str("\\\\")?,
                '"' => out.write_str("\\\"")?,
                '\n' => out.write_str("\\n")?,
                c => out.write_char(c)?,
            }
        }
        out.write_char('"')?;
        before = ',';
    }
    if before == ',' {
        out.write_char('}')?;
    }
    match value {
        Value::Whole(value) => writeln!(out, " {value}"),
        Value::Real(value) => writeln!(out, " {value:?}"),
        // Those are written by parts.
        Value::Lifetimes(_) => Err(fmt::Error),
    }
}
