//! What a verdict means: the sections of docs/verdicts.md.

use sockleak_core::verdict::Verdict;

mod markdown;

pub use markdown::Block;

/// The document.
const VERDICTS: &str = include_str!("../../../../docs/verdicts.md");

/// Each verdict with what it means, as text in lines of a width.
#[must_use]
pub fn list(width: usize) -> String {
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

/// What is said of a verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// What it means, in a phrase.
    pub meaning: String,
    /// Its section of the document.
    pub body: Vec<Block>,
    /// The terms that it uses; empty if it uses none.
    pub terms: Vec<Block>,
}

/// The section of a verdict, and the terms that it uses.
#[must_use]
pub fn explain(verdict: Verdict) -> Explanation {
    // A test sees that each has one.
    let section = section(verdict).unwrap_or(Section { meaning: "", body: "" });
    Explanation {
        meaning: markdown::inline(section.meaning),
        body: markdown::blocks(section.body),
        terms: markdown::blocks(&terms_in(section.body).join("\n")),
    }
}

/// The same as text in lines of a width.
#[must_use]
pub fn text(verdict: Verdict, width: usize) -> String {
    let Explanation { meaning, body, terms } = explain(verdict);
    let mut text =
        format!("{}: {meaning}\n\n{}", verdict.name().to_uppercase(), markdown::text(&body, width));
    if !terms.is_empty() {
        text.push_str(&format!("\nTerms\n\n{}", markdown::text(&terms, width)));
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
            let text = text(verdict, 80);
            assert!(!text.contains("](") && !text.contains("**") && !text.contains('`'), "{text}");
            let longest = text.lines().map(|line| line.chars().count()).max().unwrap_or_default();
            assert!(longest <= 80, "{longest} columns: {text}");
        }
    }

    #[test]
    fn terms_that_a_section_uses_are_explained() {
        assert_eq!(terms().count(), 4);
        let leak = text(Verdict::ClientLeak, 80);
        assert!(
            leak.contains("\nTerms\n\n- Natural age: how long") && leak.contains("\n- Overdue: "),
            "{leak}"
        );
        assert!(!text(Verdict::ExitOnly, 80).contains("\nTerms\n"));
    }
}
