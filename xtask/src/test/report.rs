//! What the boots reported: their lines read, counted and summed up. Pure.

use crate::counts::Counts;

/// A line of `scenarios run`.
#[derive(Debug, PartialEq, Eq)]
enum Line<'a> {
    Passed,
    Failed { name: &'a str },
    Closing(Counts),
    Other,
}

fn parse(line: &str) -> Line<'_> {
    if line.strip_prefix("ok ").is_some_and(|name| !name.trim().is_empty()) {
        return Line::Passed;
    }
    if let Some((name, _)) = line.strip_prefix("FAIL ").and_then(|rest| rest.split_once(": ")) {
        return Line::Failed { name };
    }
    closing(line).map_or(Line::Other, Line::Closing)
}

/// `scenarios: 20 passed, 0 failed`
fn closing(line: &str) -> Option<Counts> {
    let (passed, failed) = line.strip_prefix("scenarios: ")?.split_once(" passed, ")?;
    Some(Counts { passed: passed.parse().ok()?, failed: failed.strip_suffix(" failed")?.parse().ok()? })
}

/// Takes the lines of one boot.
#[derive(Debug, Default)]
pub(super) struct Tally {
    counts: Counts,
    failed: Vec<String>,
    closing: Option<Counts>,
}

impl Tally {
    /// Takes the next line.
    pub(super) fn take(&mut self, line: &str) {
        match parse(line) {
            Line::Passed => self.counts.passed += 1,
            Line::Failed { name } => {
                self.counts.failed += 1;
                self.failed.push(name.to_owned());
            }
            Line::Closing(counts) => self.closing = Some(counts),
            Line::Other => {}
        }
    }

    /// The result, once the boot has ended; `trouble` is what went wrong with the boot itself. A boot that does not
    /// account for its scenarios counts as one more failure.
    pub(super) fn finish(self, trouble: Option<String>) -> (Counts, Vec<String>, Option<String>) {
        let trouble = trouble.or_else(|| match self.closing {
            None => Some("the scenarios ended without their closing line".to_owned()),
            Some(closing) if closing != self.counts => Some(format!(
                "the closing line says {} passed, {} failed, the lines before it {} and {}",
                closing.passed, closing.failed, self.counts.passed, self.counts.failed
            )),
            Some(_) => None,
        });
        let mut counts = self.counts;
        counts.failed += usize::from(trouble.is_some());
        (counts, self.failed, trouble)
    }
}

/// What became of one boot.
#[derive(Debug)]
pub(super) struct BootResult {
    pub(super) label: String,
    pub(super) counts: Counts,
    /// Names of the scenarios that failed.
    pub(super) failed: Vec<String>,
    /// What went wrong with the boot itself.
    pub(super) trouble: Option<String>,
    /// Why it was run a second time.
    pub(super) again: Option<String>,
    pub(super) seconds: u64,
}

/// All boots together.
pub(super) fn sum(results: &[BootResult]) -> Counts {
    results.iter().fold(Counts::default(), |sum, result| sum + result.counts)
}

/// The summary, one line a boot.
pub(super) fn table(units: Counts, results: &[BootResult]) -> String {
    let width = results.iter().map(|result| result.label.len()).max().unwrap_or(0).max("unit tests".len());
    let mut text = format!("\n{:width$}  passed  failed  seconds\n", "");
    text.push_str(&format!("{:width$}  {:>6}  {:>6}\n", "unit tests", units.passed, units.failed));
    for result in results {
        text.push_str(&format!(
            "{:width$}  {:>6}  {:>6}  {:>7}\n",
            result.label, result.counts.passed, result.counts.failed, result.seconds
        ));
    }
    for (result, reason) in results.iter().filter_map(|it| Some((it, it.again.as_ref()?))) {
        text.push_str(&format!("run again: {}: {reason}\n", result.label));
    }
    for result in results.iter().filter(|result| result.counts.failed > 0) {
        let reasons = result.failed.iter().chain(&result.trouble).map(String::as_str).collect::<Vec<_>>();
        text.push_str(&format!("failed: {}: {}\n", result.label, reasons.join(", ")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(text: &str, trouble: Option<&str>) -> (Counts, Vec<String>, Option<String>) {
        let mut tally = Tally::default();
        text.lines().for_each(|line| tally.take(line));
        tally.finish(trouble.map(str::to_owned))
    }

    #[test]
    fn lines_are_told_apart() {
        for (line, expected) in [
            ("ok open-use-close", Line::Passed),
            ("ok ", Line::Other),
            ("FAIL hold: 3 missing", Line::Failed { name: "hold" }),
            ("FAIL hold", Line::Other),
            ("  ok indented", Line::Other),
            ("scenarios: 3 passed, 1 failed", Line::Closing(Counts { passed: 3, failed: 1 })),
            ("scenarios: many passed, 1 failed", Line::Other),
            ("", Line::Other),
        ] {
            assert_eq!(parse(line), expected, "{line:?}");
        }
    }

    #[test]
    fn a_complete_boot_counts_its_lines() {
        let (counts, failed, trouble) =
            tally("ok a\nFAIL b: x\n  detail\nok c\nscenarios: 2 passed, 1 failed\n", None);
        assert_eq!(counts, Counts { passed: 2, failed: 1 });
        assert_eq!(failed, ["b"]);
        assert_eq!(trouble, None);
    }

    #[test]
    fn a_boot_that_does_not_account_for_itself_failed() {
        for (text, trouble) in
            [("ok a\n", None), ("ok a\nscenarios: 2 passed, 0 failed\n", None), ("ok a\n", Some("panic"))]
        {
            let (counts, _, reason) = tally(text, trouble);
            assert_eq!(counts, Counts { passed: 1, failed: 1 }, "{text:?}");
            assert!(reason.is_some());
        }
    }

    #[test]
    fn the_table_names_what_failed() {
        let result = BootResult {
            label: "6.1 auto".into(),
            counts: Counts { passed: 3, failed: 2 },
            failed: vec!["hold".into()],
            trouble: Some("it panicked".into()),
            again: Some("the emulator's fault".into()),
            seconds: 12,
        };
        let text = table(Counts { passed: 9, failed: 0 }, &[result]);
        assert!(text.contains("\nrun again: 6.1 auto: the emulator's fault\n"), "{text}");
        assert!(text.ends_with("failed: 6.1 auto: hold, it panicked\n"), "{text}");
        assert!(text.contains("unit tests       9       0\n"), "{text}");
        assert!(text.contains("6.1 auto         3       2       12\n"), "{text}");
    }
}
