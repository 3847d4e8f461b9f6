//! `sockleak explain`: what a verdict means, from the same document that is read on the web.

use sockleak_core::verdict::Verdict;
use sockleak_report::text::WIDTH;

use super::output::{Output, terminal_width};
use crate::{cli::Explain, failure::Failure};

mod markdown;

/// The document.
const VERDICTS: &str = include_str!("../../../docs/verdicts.md");

/// Longer lines are hard to read.
const WIDEST: usize = 100;

/// Runs it.
///
/// # Errors
/// If it cannot be written.
pub fn run(arguments: &Explain) -> Result<(), Failure> {
    let width = terminal_width().unwrap_or(WIDTH).min(WIDEST);
    let text = arguments.verdict.map_or_else(|| list(width), |verdict| explain(verdict, width));
    let mut out = Output::default();
    out.buffer.extend_from_slice(text.as_bytes());
    out.flush()
}

/// Each verdict with its heading.
fn list(width: usize) -> String {
    let name = Verdict::ALL.iter().map(|verdict| verdict.name().len()).max().unwrap_or_default();
    let mut text = String::new();
    for verdict in Verdict::ALL {
        let meaning = section(verdict).map_or("", |section| section.meaning);
        let line = format!("{verdict:name$}  {}", markdown::inline(meaning));
        text.push_str(&markdown::wrapped(&line, "", &" ".repeat(name + 2), width));
    }
    text.push_str("\nThe most severe come first. To read about one: sockleak explain VERDICT\n");
    text
}

/// The section of a verdict, and the terms that it uses.
fn explain(verdict: Verdict, width: usize) -> String {
    let Some(section) = section(verdict) else { return String::new() };
    let title = format!("{}: {}", verdict.name().to_uppercase(), markdown::inline(section.meaning));
    let mut text = format!("{title}\n\n{}", markdown::blocks(section.body, width));
    let terms = terms_in(section.body);
    if !terms.is_empty() {
        text.push_str(&format!("\nTerms\n\n{}", markdown::blocks(&terms.join("\n"), width)));
    }
    text
}

/// The terms that a text uses, and those that their explanations use, in the order of the document.
fn terms_in(text: &str) -> Vec<&'static str> {
    let mut words = markdown::inline(text).to_lowercase();
    let mut used = Vec::new();
    loop {
        let known = used.len();
        used = terms().filter(|(term, _)| words.contains(term)).map(|(_, line)| line).collect();
        if used.len() == known {
            return used;
        }
        words.extend(used.iter().map(|line| line.to_lowercase()));
    }
}

/// A part of the document.
struct Section {
    /// What stands behind the verdict's name.
    meaning: &'static str,
    body: &'static str,
}

/// Every part of the document that has a heading of the second level, and that heading.
fn parts() -> impl Iterator<Item = (&'static str, &'static str)> {
    VERDICTS.split("\n## ").skip(1).filter_map(|part| part.split_once('\n'))
}

fn section(verdict: Verdict) -> Option<Section> {
    let name = format!("`{verdict}`: ");
    parts().find_map(|(heading, body)| Some(Section { meaning: heading.strip_prefix(&name)?, body }))
}

/// What the document defines: each term in small letters, and its item of the list.
fn terms() -> impl Iterator<Item = (String, &'static str)> {
    let body = parts().find(|(heading, _)| *heading == "Terms").map_or("", |(_, body)| body);
    body.lines().filter_map(|line| {
        let (term, _) = line.strip_prefix("- **")?.split_once("**")?;
        Some((term.to_lowercase(), line))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_verdict_has_its_section() {
        for verdict in Verdict::ALL {
            let section =
                section(verdict).unwrap_or_else(|| panic!("docs/verdicts.md does not explain {verdict}"));
            assert!(!section.meaning.is_empty() && !section.body.trim().is_empty(), "{verdict}");
            let headings = parts().filter(|(heading, _)| heading.contains(&format!("`{verdict}`"))).count();
            assert_eq!(headings, 1, "{verdict} has more than one section");
            // Nothing is left of the markup, and no line is too long.
            let text = explain(verdict, 80);
            assert!(!text.contains("](") && !text.contains("**") && !text.contains('`'), "{text}");
            let longest = text.lines().map(|line| line.chars().count()).max().unwrap_or_default();
            assert!(longest <= 80, "{longest} columns: {text}");
        }
    }

    #[test]
    fn terms_that_a_section_uses_are_explained() {
        assert_eq!(terms().count(), 4);
        let text = explain(Verdict::ClientLeak, 80);
        assert!(
            text.contains("\nTerms\n\n- Natural age: how long") && text.contains("\n- Overdue: "),
            "{text}"
        );
        assert!(!explain(Verdict::ExitOnly, 80).contains("\nTerms\n"));
    }
}
