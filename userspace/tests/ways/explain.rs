//! `sockleak explain`.

use sockleak_core::verdict::Verdict;

use crate::{printed, run, text};

/// As on the web: without markup and line breaks.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_verdict_is_explained_by_its_section() {
    let document = include_str!("../../../docs/verdicts.md");
    for verdict in Verdict::ALL {
        let said = printed(&["explain", verdict.name()]);
        assert!(said.starts_with(&format!("{}: ", verdict.name().to_uppercase())), "{said}");
        // The first line of the section that has no markup.
        let heading = format!("\n## `{verdict}`: ");
        let (_, section) =
            document.split_once(&heading).unwrap_or_else(|| panic!("{verdict} has no section"));
        let is_plain = |line: &&str| !line.is_empty() && !line.contains(['*', '`', '[', '>']);
        let first = section.lines().skip(1).find(is_plain).unwrap().trim_start_matches("- ");
        assert!(words(&said).contains(&words(first)), "{first} is not in {said}");
        assert!(said.lines().all(|line| line.chars().count() <= 80), "{said}");
        // As reports write it.
        assert_eq!(printed(&["explain", &verdict.name().to_uppercase()]), said);
    }
    let said = printed(&["explain", "server-leak"]);
    assert!(!said.contains("opens and does not close"), "it goes on with the next section: {said}");
}

#[test]
fn without_a_verdict_all_are_listed() {
    let said = printed(&["explain"]);
    let lines: Vec<&str> = said.lines().collect();
    for (line, verdict) in lines.iter().zip(Verdict::ALL) {
        let (name, meaning) = line.split_once("  ").unwrap();
        assert_eq!(name, verdict.name(), "{said}");
        assert!(!meaning.trim().is_empty(), "{said}");
    }
    assert_eq!(lines.len(), Verdict::ALL.len() + 2, "{said}");
    assert!(lines.last().is_some_and(|line| line.contains("sockleak explain VERDICT")), "{said}");
}

#[test]
fn an_unknown_verdict_is_refused_with_the_nearest() {
    for command in [&["explain", "clientleak"][..], &["report", "x.db", "--fail-on", "clientleak"]] {
        let output = run(command);
        let said = text(&output.stderr);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), String::new()), "{said}");
        assert!(
            said.contains("invalid value 'clientleak'") && said.contains("did you mean 'client-leak'?"),
            "{said}"
        );
        for verdict in Verdict::ALL {
            assert!(said.contains(verdict.name()), "{verdict} is not in {said}");
        }
    }
}

#[test]
fn the_help_of_fail_on_lists_the_verdicts() {
    for command in ["capture", "report"] {
        let help = words(&printed(&[command, "--help"]));
        let (_, of_option) = help.split_once("--fail-on").unwrap();
        let names = Verdict::ALL.map(Verdict::name).join(", ");
        assert!(of_option.contains(&format!("[possible values: {names}, incomplete]")), "{of_option}");
    }
}
