//! Words that are known to be spelled wrongly, in every text of the repository.

use std::fs;

use anyhow::{Result, bail};
use typos::tokens::{Identifier, TokenizerBuilder, Word};
use typos::{Dictionary, Status};
use unicase::UniCase;

use crate::repository;
use crate::rules::{NOT_READ, WORDS};

/// Checks every file that is text.
pub(crate) fn check() -> Result<()> {
    let mut wrong = Vec::new();
    for name in repository::files()?.iter().filter(|name| is_read(name)) {
        // What is no text, or was deleted, has no words.
        let Ok(text) = fs::read_to_string(repository::root().join(name)) else { continue };
        wrong.extend(mistakes(&text).into_iter().map(|mistake| format!("{name}:{mistake}")));
    }
    if !wrong.is_empty() {
        bail!(
            "{} words (the table WORDS is in xtask/lint/src/rules.rs)\n  {}",
            wrong.len(),
            wrong.join("\n  ")
        );
    }
    Ok(())
}

fn is_read(name: &str) -> bool {
    !NOT_READ.iter().any(|part| name.contains(part))
}

/// Wrong words, with line and correction.
fn mistakes(text: &str) -> Vec<String> {
    let tokenizer = TokenizerBuilder::new().build();
    let found = typos::check_str(text, &tokenizer, &Words);
    let lines = found.map(|typo| {
        let line = text[..typo.byte_offset].lines().count().max(1);
        let right = match typo.corrections {
            Status::Corrections(words) => words.join(" or "),
            Status::Valid | Status::Invalid => "something else".to_owned(),
        };
        format!("{line} {} should be {right}", typo.typo)
    });
    lines.collect()
}

/// The dictionary of known mistakes, and the words of this project that look like some.
struct Words;

impl Dictionary for Words {
    fn correct_ident<'s>(&'s self, identifier: Identifier<'_>) -> Option<Status<'s>> {
        is_ours(identifier.token()).then_some(Status::Valid)
    }

    fn correct_word<'s>(&'s self, word: Word<'_>) -> Option<Status<'s>> {
        if is_ours(word.token()) {
            return Some(Status::Valid);
        }
        let right = typos_dict::WORD.find(&UniCase::new(word.token()))?;
        Some(Status::Corrections(right.iter().map(|&word| word.into()).collect()))
    }
}

fn is_ours(word: &str) -> bool {
    WORDS.iter().any(|it| it.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_found_in_prose_and_names() {
        // Written in two parts, so that this file has no mistake.
        let (prose, name) = (["rec", "ieve"].concat(), ["seper", "ate"].concat());
        let text = format!("All is well.\nTo {prose} is good; fn {name}_it() {{}}\n");
        let found = mistakes(&text);
        assert_eq!(found, [format!("2 {prose} should be receive"), format!("2 {name} should be separate")]);
        assert!(mistakes("A colour, a color; 4f2a9c3b1d5e7f90 and fooBar.").is_empty());
    }
}
