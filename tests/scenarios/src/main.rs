//! Runs the scenarios inside a test machine: `scenarios run --hooks auto`, `scenarios list`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use scenarios::actor::Part;
use scenarios::cli::{self, Case, Verdict};
use scenarios::run::{Setup, play};
use scenarios::soak::{self, Plan};
use workload::scenario::{self, ALL, Group};

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
    /// Have the service run under a steady load for a long time, as root, and print what it takes.
    Soak(Soak),
    /// Play a process that other programs cannot be made to play.
    #[command(hide = true, subcommand)]
    Act(Part),
    /// Connect and wait for the server to close: what a short-lived client of the soak does.
    #[command(hide = true)]
    Visit { socket: String },
}

#[derive(Args)]
struct Soak {
    /// Minutes with the service.
    #[arg(long, default_value_t = 30)]
    minutes: u64,
    /// Minutes of the same load without it, before.
    #[arg(long, default_value_t = 3)]
    untraced: u64,
    /// Connections a second.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// Path of sockleak.
    #[arg(long, default_value = "/usr/bin/sockleak")]
    sockleak: PathBuf,
    /// Where logs are kept if something does not hold.
    #[arg(long, default_value = "/out")]
    out: PathBuf,
}

#[derive(Args)]
struct Run {
    /// Kind of kernel hooks, passed to sockleak.
    #[arg(long, value_enum, default_value_t = Hooks::Auto)]
    hooks: Hooks,
    /// Which group to run; may be repeated.
    #[arg(long, value_enum, default_value = "kernel")]
    group: Vec<GroupName>,
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
    /// What the report concludes.
    Verdicts,
    Haproxy,
    /// What the command line promises.
    Cli,
    /// What the package does on a whole Debian.
    Debian,
    /// What is said of the clients of real servers.
    Servers,
    /// What containers of real engines are called.
    Containers,
}

fn main() -> anyhow::Result<ExitCode> {
    match Arguments::parse().command {
        Task::List => {
            let cases = cli::ALL.iter().chain(cli::debian::ALL).chain(cli::servers::ALL);
            let cases = cases.chain(cli::containers::ALL);
            for name in ALL.iter().map(|it| it.name).chain(cases.map(|it| it.name)) {
                println!("{name}");
            }
            Ok(ExitCode::SUCCESS)
        }
        Task::Run(arguments) => run(arguments),
        Task::Soak(arguments) => {
            let Soak { minutes, untraced, rate, sockleak, out } = arguments;
            let setup = Setup { sockleak, workload: PathBuf::new(), hooks: "auto".to_owned(), out };
            let plan =
                Plan { traced: Duration::from_mins(minutes), untraced: Duration::from_mins(untraced), rate };
            soak::soak(&setup, plan).map(|()| ExitCode::SUCCESS)
        }
        Task::Act(part) => part.play(),
        Task::Visit { socket } => soak::visit(&socket).map(|()| ExitCode::SUCCESS),
    }
}

fn run(arguments: Run) -> anyhow::Result<ExitCode> {
    for name in &arguments.only {
        // It would pass without being run.
        let is_known = scenario::find(name).is_some() || cli::find(name).is_some();
        anyhow::ensure!(is_known, "there is no scenario '{name}'");
    }
    let hooks = match arguments.hooks {
        Hooks::Auto => "auto",
        Hooks::Fentry => "fentry",
        Hooks::Kprobe => "kprobe",
    };
    let Run { sockleak, workload, out, group, only, .. } = arguments;
    let setup = Setup { sockleak, workload, hooks: hooks.to_owned(), out };
    let is_wanted = |name: &str| only.is_empty() || only.iter().any(|it| it == name);
    let (mut passed, mut failed) = (0, 0);
    for group in group {
        let counts = match group {
            GroupName::Kernel => run_scenarios(&setup, Group::Kernel, is_wanted),
            GroupName::Verdicts => run_scenarios(&setup, Group::Verdicts, is_wanted),
            GroupName::Haproxy => run_scenarios(&setup, Group::Haproxy, is_wanted),
            GroupName::Cli => run_cases(&setup, cli::ALL, is_wanted),
            GroupName::Debian => run_cases(&setup, cli::debian::ALL, is_wanted),
            GroupName::Servers => run_cases(&setup, cli::servers::ALL, is_wanted),
            GroupName::Containers => run_cases(&setup, cli::containers::ALL, is_wanted),
        };
        (passed, failed) = (passed + counts.0, failed + counts.1);
    }
    println!("scenarios: {passed} passed, {failed} failed");
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run_scenarios(setup: &Setup, group: Group, is_wanted: impl Fn(&str) -> bool) -> (usize, usize) {
    let (mut passed, mut failed) = (0, 0);
    for scenario in ALL.iter().filter(|it| it.group == group && is_wanted(it.name)) {
        let differences = play(setup, scenario);
        if differences.is_empty() {
            passed += 1;
            println!("ok {}", scenario.name);
            continue;
        }
        failed += 1;
        println!("FAIL {}: {} differences", scenario.name, differences.len());
        for difference in differences.iter().take(SHOWN) {
            println!("  {difference}");
        }
    }
    (passed, failed)
}

fn run_cases(setup: &Setup, cases: &[Case], is_wanted: impl Fn(&str) -> bool) -> (usize, usize) {
    let (mut passed, mut failed) = (0, 0);
    for case in cases.iter().filter(|case| is_wanted(case.name)) {
        match cli::play(setup, case) {
            Verdict::Passed(figures) => {
                passed += 1;
                let figures = figures.map(|figures| format!(": {figures}")).unwrap_or_default();
                println!("ok {}{figures}", case.name);
            }
            Verdict::Skipped(reason) => println!("skipped {}: {reason}", case.name),
            Verdict::Failed(why) => {
                failed += 1;
                let mut lines = why.lines();
                println!("FAIL {}: {}", case.name, lines.next().unwrap_or_default());
                for line in lines.take(SHOWN) {
                    println!("  {line}");
                }
            }
        }
    }
    (passed, failed)
}
