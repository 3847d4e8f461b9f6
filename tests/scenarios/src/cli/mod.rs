//! What the command line promises, tried on a kernel that can be traced: targets, ends, output, refusals.

pub(crate) mod bench;
mod check;
mod collector;
mod confine;
mod ends;
mod hostile;
mod killed;
pub(crate) mod limits;
mod list;
mod names;
mod namespaces;
mod output;
mod pipes;
mod recording;
mod refusals;
mod refused;
mod reload;
mod run;
mod sandbox;
pub(crate) mod service;
mod stacks;
mod store;
mod targets;
mod top;

use std::fs;

use anyhow::Context as _;

use crate::run::Setup;
use bench::Bench;

/// How a case ended.
#[derive(Debug)]
pub enum Verdict {
    /// All promises were kept. Some cases measure something on the way, and tell it.
    Passed(Option<String>),
    /// It cannot be tried on this machine, for this reason.
    Skipped(String),
    /// One was not.
    Failed(String),
}

/// Tries one thing; an error is a broken promise.
type Try = fn(&Bench<'_>) -> anyhow::Result<Verdict>;

/// One case.
pub struct Case {
    /// Its name.
    pub name: &'static str,
    run: Try,
}

macro_rules! case {
    ($name:literal, $run:path) => {
        Case {
            name: $name,
            run: |bench| {
                $run(bench)?;
                Ok(Verdict::Passed(None))
            },
        }
    };
}

/// A case that tells what it measured.
macro_rules! measuring_case {
    ($name:literal, $run:path) => {
        Case { name: $name, run: |bench| Ok(Verdict::Passed(Some($run(bench)?))) }
    };
}

pub mod containers;
pub mod debian;
pub mod servers;

/// All cases, in the order in which they run.
pub const ALL: &[Case] = &[
    case!("waits-for-target", targets::waits_for_target),
    case!("several-targets", targets::several_targets),
    case!("odd-names", names::odd_names),
    case!("sigint-reports", ends::sigint_reports),
    case!("sigterm-reports", ends::sigterm_reports),
    case!("signal-at-once", ends::signal_at_once),
    case!("for-ends", ends::for_ends),
    case!("count-ends", ends::count_ends),
    case!("leak-age", ends::leak_age),
    case!("quiet", output::quiet),
    case!("quiet-json", output::quiet_json),
    case!("full-disk", output::full_disk),
    case!("full-disk-midway", output::full_disk_midway),
    case!("closed-stdout", output::closed_stdout),
    case!("closed-pipe-busy", pipes::closed_pipe_busy),
    case!("closed-pipe-idle", pipes::closed_pipe_idle),
    case!("closed-stderr", pipes::closed_stderr),
    case!("blocked-pipe", pipes::blocked_pipe),
    case!("no-btf", refusals::no_btf),
    case!("no-privilege", refusals::no_privilege),
    case!("few-capabilities", refusals::few_capabilities),
    case!("check", check::check),
    case!("list", list::list),
    case!("list-watch", list::watch),
    Case { name: "list-sock-diag", run: list::by_sock_diag },
    case!("pid-namespace", namespaces::pid_namespace),
    case!("time-namespace", namespaces::time_namespace),
    case!("other-namespaces", namespaces::other_namespaces),
    case!("equal-paths", namespaces::equal_paths),
    case!("restless-process", namespaces::restless_process),
    case!("first-thread-gone", namespaces::leaderless),
    case!("interrupted-connect", refused::interrupted),
    case!("shut-down-listener", refused::shut_down),
    case!("recording-replays", recording::replays),
    measuring_case!("recording-killed", killed::killed),
    case!("service-answers", service::answers),
    case!("service-reload", reload::reload),
    case!("service-hostile", hostile::hostile),
    case!("service-store-lost", store::lost),
    measuring_case!("service-restart", service::restart),
    measuring_case!("service-restart-kprobes", service::restart_by_kprobes),
    case!("service-sandbox", sandbox::sandbox),
    case!("recording-refused", recording::refused),
    case!("fail-on", recording::fail_on),
    case!("run-c", run::c),
    case!("run-go", run::go),
    case!("run-python", run::python),
    case!("run-rules", run::rules),
    case!("run-tree", run::tree),
    case!("run-status", run::status),
    case!("run-user", run::user),
    case!("stacks-c", stacks::c),
    case!("stacks-go", stacks::go),
    case!("stacks-python", stacks::python),
    case!("stacks-auto", stacks::auto),
    case!("stacks-hostile", stacks::hostile),
    case!("top-traces", top::traces),
    case!("forced-kind-warns", check::forced_kind_warns),
    case!("hostile-names", names::hostile_names),
    case!("storm", limits::storm),
    case!("small-ring", limits::small_ring),
    case!("service-many-descriptors", limits::many_descriptors),
    case!("max-connections", limits::max_connections),
    case!("full-map", limits::full_map),
    // The last one: what it does lasts until the next boot.
    Case { name: "lockdown", run: refusals::lockdown },
];

/// Finds a case by its name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Case> {
    ALL.iter().chain(debian::ALL).chain(servers::ALL).chain(containers::ALL).find(|case| case.name == name)
}

/// Runs a case in a fresh directory. The evidence of a failure is kept.
#[must_use]
pub fn play(setup: &Setup, case: &Case) -> Verdict {
    let dir = std::env::temp_dir().join(format!("cli-{}-{}", std::process::id(), case.name));
    let tried = fs::create_dir_all(&dir).context("no directory").and_then(|()| {
        let bench = Bench::new(setup, &dir);
        (case.run)(&bench).inspect_err(|_| {
            // What cannot be kept is missed by whoever reads the verdict, which counts all the same.
            let _ = bench.keep(&setup.out.join(case.name));
        })
    });
    // The directory is a temporary one; what it holds has been looked at.
    let _ = fs::remove_dir_all(&dir);
    match tried {
        Ok(verdict) => verdict,
        Err(error) => Verdict::Failed(format!("{error:#}")),
    }
}
