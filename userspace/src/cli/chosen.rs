//! Arguments that choose processes and verdicts: the same for every command.

use clap::{Args, builder::NonEmptyStringValueParser};
use sockleak_core::{
    assess::Wanted,
    attribution::filter::{Filter, Glob},
    verdict::Verdict,
};

use super::{Names, values::pod};

/// Which processes are wanted. Several values of one option mean any of them; different options must all match.
#[derive(Clone, Debug, Default, Args)]
pub struct Chosen {
    /// Only this process; may be repeated.
    #[arg(short, long = "pid", value_name = "PID", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..))]
    pub pids: Vec<u32>,
    /// Only programs whose path, file name or process name matches, for example 'nginx*'; may be repeated.
    #[arg(long = "program", value_name = "GLOB", value_parser = Glob::parse)]
    pub programs: Vec<Glob>,
    /// Only processes of this user, by name or number; may be repeated.
    #[arg(long = "user", value_name = "USER", value_parser = NonEmptyStringValueParser::new())]
    pub users: Vec<String>,
    /// Only processes of this systemd unit, with or without .service; may be a glob, and be repeated.
    #[arg(long = "unit", value_name = "GLOB", value_parser = Glob::parse)]
    pub units: Vec<Glob>,
    /// Only processes of this container: its name, or the beginning of its id or of its pod's uid; may be a glob, and be repeated.
    #[arg(long = "container", value_name = "NAME|ID", value_parser = Glob::parse)]
    pub containers: Vec<Glob>,
    /// Only processes of this Kubernetes pod: NAMESPACE/POD, POD, or the beginning of its uid; may be a glob, and be repeated.
    #[arg(long = "pod", value_name = "NS/NAME", value_parser = pod)]
    pub pods: Vec<Glob>,
}

impl Chosen {
    /// As a filter.
    #[must_use]
    pub fn filter(&self) -> Filter {
        let Self { pids, programs, users, units, containers, pods } = self.clone();
        Filter { pids, programs, users, units, containers, pods }
    }
}

/// Which part of the findings is reported.
#[derive(Clone, Debug, Default, Args)]
pub struct Findings {
    /// Only findings with one of these verdicts, with their rows and connections. The report counts what it leaves out.
    #[arg(long = "verdict", value_name = "VERDICT,...", value_delimiter = ',', value_parser = Names::<Verdict>::verdicts_and(&[]))]
    pub verdicts: Vec<Verdict>,
    /// Of which processes the findings are.
    #[command(flatten)]
    pub chosen: Chosen,
}

impl Findings {
    /// As a report understands them.
    #[must_use]
    pub fn wanted(&self) -> Wanted {
        Wanted { verdicts: self.verdicts.clone(), processes: self.chosen.filter() }
    }
}
