//! Runs the scenarios inside a test machine: `scenarios run --hooks auto`, `scenarios list`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use scenarios::run::{Setup, play};
use workload::scenario::{self, ALL, Group, Scenario};

/// As many differences are shown of one scenario; the files under `--out` have the rest.
const SHOWN: usize = 10;

#[derive(Parser)]
#[command(about = "Compares captures with the truth, connection by connection")]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run scenarios, as root.
    Run(Run),
    /// Print the names of all scenarios.
    List,
}

#[derive(Args)]
struct Run {
    /// Kind of kernel hooks, passed to sockleak.
    #[arg(long, value_enum, default_value_t = Hooks::Auto)]
    hooks: Hooks,
    /// Which group to run.
    #[arg(long, value_enum, default_value_t = GroupName::Kernel)]
    group: GroupName,
    /// Run only this scenario of the group; may be repeated.
    #[arg(long)]
    only: Vec<String>,
    /// Path of sockleak.
    #[arg(long, default_value = "/usr/bin/sockleak")]
    sockleak: PathBuf,
    /// Path of the workload.
    #[arg(long, default_value = "/usr/bin/workload")]
    workload: PathBuf,
    /// Where captures and truths of failed scenarios are kept.
    #[arg(long, default_value = "/out")]
    out: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum Hooks {
    Auto,
    Fentry,
    Kprobe,
}

#[derive(Clone, Copy, ValueEnum)]
enum GroupName {
    Kernel,
    Haproxy,
}

fn main() -> anyhow::Result<ExitCode> {
    match Arguments::parse().command {
        Task::List => {
            for scenario in ALL {
                println!("{}", scenario.name);
            }
            Ok(ExitCode::SUCCESS)
        }
        Task::Run(arguments) => run(arguments),
    }
}

fn run(arguments: Run) -> anyhow::Result<ExitCode> {
    let chosen = choose(arguments.group, &arguments.only)?;
    let hooks = match arguments.hooks {
        Hooks::Auto => "auto",
        Hooks::Fentry => "fentry",
        Hooks::Kprobe => "kprobe",
    };
    let Run { sockleak, workload, out, .. } = arguments;
    let setup = Setup { sockleak, workload, hooks: hooks.to_owned(), out };
    let mut failed = 0;
    for &scenario in &chosen {
        let differences = play(&setup, scenario);
        if differences.is_empty() {
            println!("ok {}", scenario.name);
            continue;
        }
        failed += 1;
        println!("FAIL {}: {} differences", scenario.name, differences.len());
        for difference in differences.iter().take(SHOWN) {
            println!("  {difference}");
        }
    }
    println!("scenarios: {} passed, {failed} failed", chosen.len() - failed);
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The scenarios to run. A name that is none is an error: it would pass without being run.
fn choose(group: GroupName, only: &[String]) -> anyhow::Result<Vec<&'static Scenario>> {
    let group = match group {
        GroupName::Kernel => Group::Kernel,
        GroupName::Haproxy => Group::Haproxy,
    };
    for name in only {
        anyhow::ensure!(scenario::find(name).is_some(), "there is no scenario '{name}'");
    }
    let is_wanted = |it: &&Scenario| only.is_empty() || only.iter().any(|name| name == it.name);
    Ok(ALL.iter().filter(|scenario| scenario.group == group).filter(is_wanted).collect())
}
