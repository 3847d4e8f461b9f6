//! What follows from the command line alone.

use std::path::Path;

use anyhow::Context as _;
use clap::Command;
use clap_complete::Shell;
use clap_mangen::{
    Man,
    roff::{Roff, bold, roman},
};
use sockleak::cli::{PROGRAM, command};

use crate::config;

const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Fish];

/// A page for the program and for each of its commands, by file name.
pub(crate) fn pages() -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let program = command();
    let commands: Vec<_> = program.get_subcommands().cloned().collect();
    let names: Vec<_> = commands.iter().map(|command| format!("{PROGRAM}-{}", command.get_name())).collect();
    [program].into_iter().chain(commands).map(|command| page(command, &names)).collect()
}

fn page(command: Command, names: &[String]) -> anyhow::Result<(String, Vec<u8>)> {
    // Its status is in a section of its own, under the name that readers look for.
    let status = command.get_after_help().map(ToString::to_string);
    let page = Man::new(command).source(source()).manual("User Commands");
    let own = page.get_filename();
    let mut text = Vec::new();
    page.render_title(&mut text)?;
    page.render_name_section(&mut text)?;
    page.render_synopsis_section(&mut text)?;
    page.render_description_section(&mut text)?;
    page.render_options_section(&mut text)?;
    let is_program = own == format!("{PROGRAM}.1");
    if is_program {
        page.render_subcommands_section(&mut text)?;
    }
    let mut end = Roff::new();
    if let Some(status) = status {
        end.control("SH", ["EXIT STATUS"]);
        end.text([roman(status.trim_start_matches("Exit status: "))]);
    }
    end.control("SH", ["SEE ALSO"]);
    let others = [PROGRAM.to_owned()].into_iter().chain(names.iter().cloned()).map(|name| (name, "1"));
    let others = others.chain([(config::NAME.to_owned(), config::SECTION)]);
    let others: Vec<_> = others.filter(|(name, section)| format!("{name}.{section}") != own).collect();
    let mut line = Vec::new();
    for (index, (name, section)) in others.iter().enumerate() {
        let end = if index + 1 < others.len() { ", " } else { "" };
        line.extend([bold(name), roman(format!("({section}){end}"))]);
    }
    end.text(line);
    end.to_writer(&mut text)?;
    Ok((own, text))
}

/// What a page's footer names.
pub(crate) fn source() -> String {
    format!("{PROGRAM} {}", env!("CARGO_PKG_VERSION"))
}

/// Writes a completion for each shell, under the name that the shell looks for.
pub(crate) fn complete(directory: &Path) -> anyhow::Result<()> {
    for shell in SHELLS {
        clap_complete::generate_to(shell, &mut command(), PROGRAM, directory)
            .with_context(|| format!("the completion of {shell} cannot be written"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;
    use sockleak::cli::Cli;

    use super::*;

    #[test]
    fn each_command_has_its_page() {
        let pages = pages().expect("pages are made");
        let names: Vec<_> = pages.iter().map(|(name, _)| name.as_str()).collect();
        for command in Cli::command().get_subcommands() {
            let page = format!("sockleak-{}.1", command.get_name());
            assert_eq!(names.contains(&page.as_str()), !command.is_hide_set(), "{page} of {names:?}");
        }
        let (_, main) = pages.iter().find(|(name, _)| name == "sockleak.1").expect("there is a page of all");
        let main = String::from_utf8_lossy(main);
        for part in ["EXIT STATUS", "SEE ALSO", "sockleak\\-config", "(5)"] {
            assert!(main.contains(part), "{part} is not in {main}");
        }
    }

    #[test]
    fn what_is_hidden_is_not_completed() {
        for shell in SHELLS {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command(), PROGRAM, &mut script);
            let script = String::from_utf8_lossy(&script);
            assert!(script.contains("capture") && script.contains("check-config"), "{shell}");
            assert!(!script.contains("web"), "{shell} completes what only the service starts");
        }
    }
}
