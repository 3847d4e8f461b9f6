//! Arguments of the commands that print what sockleak carries with it.

use clap::Args;
use clap_complete::Shell;
use sockleak_core::verdict::Verdict;

use super::verdicts::Names;

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// The verdict, as reports write it.
    #[arg(value_name = "VERDICT", value_parser = Names::<Verdict>::verdicts_and(&[]))]
    pub verdict: Option<Verdict>,
}

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell.
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: Shell,
}
