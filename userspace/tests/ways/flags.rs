//! docs/flags.md names every flag of every command, and no other.

use std::collections::BTreeSet;

use sockleak::cli::command;

const DOCUMENT: &str = include_str!("../../../docs/flags.md");

/// The text under a command's heading.
#[track_caller]
fn section(name: &str) -> &'static str {
    let heading = format!("\n## `{name}`\n");
    let (_, rest) = DOCUMENT.split_once(&heading).unwrap_or_else(|| panic!("{name} has no section"));
    rest.split_once("\n## ").map_or(rest, |(section, _)| section)
}

/// The first cells of its table.
fn documented(section: &str) -> BTreeSet<String> {
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| format!("`{}", row.split(" | ").next().unwrap())).collect()
}

#[test]
fn every_flag_has_a_row() {
    let program = command();
    let mut count = 0;
    for command in program.get_subcommands() {
        let options = command.get_arguments().filter(|it| !it.is_positional() && !it.is_hide_set());
        let options = options.filter(|it| !matches!(it.get_id().as_str(), "help" | "version"));
        let flags: BTreeSet<String> = options
            .map(|option| {
                let short = option.get_short().map(|short| format!("`-{short}`, ")).unwrap_or_default();
                format!("{short}`--{}`", option.get_long().unwrap())
            })
            .collect();
        let name = command.get_name();
        assert_eq!(documented(section(name)), flags, "docs/flags.md, {name}");
        count += flags.len();
    }
    assert!(count > 60, "{count} flags were looked at");
}

#[test]
fn every_row_is_whole() {
    for line in DOCUMENT.lines().filter(|line| line.starts_with('|')) {
        assert_eq!(line.matches(" | ").count(), 2, "{line}");
    }
    let program = command();
    let commands: BTreeSet<&str> = program.get_subcommands().map(clap::Command::get_name).collect();
    let sections = DOCUMENT.lines().filter_map(|line| line.strip_prefix("## `"));
    let sections: BTreeSet<&str> = sections.filter_map(|it| it.strip_suffix('`')).collect();
    assert_eq!(sections, commands);
}
