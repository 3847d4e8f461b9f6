//! The scenarios: their names, their capture targets, their scripts.

mod before_trace;
mod exec;
mod handover;
mod haproxy;
mod names;
mod plain;
mod queue;
mod rebind;
mod refused;
mod short_lived;
mod start_up;
mod threads;
mod uses;
mod verdicts;
mod volume;

use std::path::Path;

use crate::stage::Stage;

pub use short_lived::touch;

/// File name of the socket that most scenarios watch.
const SOCKET: &str = "t.sock";

/// What a capture is told that notes use from its start.
const USE_NOTED: &[&str] = &["--use", "on"];

/// Scenarios that need the same surroundings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// A kernel is enough.
    Kernel,
    /// So it is, and no kind of hook makes a difference: what matters is what the report concludes.
    Verdicts,
    /// HAProxy has to be installed.
    Haproxy,
}

/// What begins first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// The capture: nothing exists yet.
    Capture,
    /// The workload: it says `prepared`, and goes on when told.
    Workload,
}

/// A scenario.
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    /// What it needs.
    pub group: Group,
    /// What begins first.
    pub first: First,
    /// The targets to capture when it plays in a directory.
    pub targets: fn(&Path) -> Vec<String>,
    /// What else the capture is told.
    pub arguments: &'static [&'static str],
    /// The script.
    pub play: fn(&mut Stage) -> anyhow::Result<()>,
}

const fn kernel(name: &'static str, play: fn(&mut Stage) -> anyhow::Result<()>) -> Scenario {
    let (group, first) = (Group::Kernel, First::Capture);
    Scenario { name, group, first, targets: the_socket, arguments: &[], play }
}

const fn verdict(name: &'static str, play: fn(&mut Stage) -> anyhow::Result<()>) -> Scenario {
    Scenario { group: Group::Verdicts, arguments: verdicts::ARGUMENTS, ..kernel(name, play) }
}

const fn haproxy(name: &'static str, first: First, play: fn(&mut Stage) -> anyhow::Result<()>) -> Scenario {
    let (group, targets) = (Group::Haproxy, haproxy::targets);
    Scenario { name, group, first, targets, arguments: haproxy::ARGUMENTS, play }
}

/// All scenarios.
pub static ALL: &[Scenario] = &[
    kernel("open-close", plain::open_close),
    kernel("open-hold", plain::open_hold),
    kernel("exit-without-close", plain::exit_without_close),
    kernel("killed", plain::killed),
    kernel("server-closes-first", plain::server_closes_first),
    kernel("client-closes-first", plain::client_closes_first),
    kernel("accept-close-race", volume::accept_close_race),
    kernel("accept-close-race-4-acceptors", volume::accept_close_race_4_acceptors),
    kernel("listener-closes-queued", queue::listener_closes_queued),
    kernel("backlog-full", queue::backlog_full),
    Scenario { targets: refused::targets, ..kernel("refused", refused::play) },
    kernel("rename-after-bind", names::rename_after_bind),
    Scenario { targets: names::targets, ..kernel("names", names::play) },
    kernel("short-lived", short_lived::play),
    kernel("threads", threads::play),
    kernel("noisy-neighbour", volume::noisy_neighbour),
    kernel("fork-parent-closes", handover::fork_parent_closes),
    kernel("scm-rights", handover::scm_rights),
    kernel("exec", exec::play),
    kernel("seqpacket", plain::seqpacket),
    Scenario { arguments: USE_NOTED, ..kernel("use-stream", uses::stream) },
    Scenario { arguments: USE_NOTED, ..kernel("use-seqpacket", uses::seqpacket) },
    kernel("rebind", rebind::play),
    kernel("handover-holders", handover::holders),
    Scenario {
        first: First::Workload,
        targets: before_trace::targets,
        ..kernel("before-trace", before_trace::play)
    },
    Scenario { first: First::Workload, ..kernel("start-up-race", start_up::race) },
    verdict("verdict-client-leak", verdicts::client_leak),
    verdict("verdict-slow-leak", verdicts::slow_leak),
    verdict("verdict-pool", verdicts::pool),
    verdict("verdict-server-leak", verdicts::server_leak),
    verdict("verdict-server-leak-handed-over", verdicts::server_leak_handed_over),
    verdict("verdict-stale-client", verdicts::stale_client),
    verdict("verdict-inherited", verdicts::inherited),
    verdict("verdict-exit-only", verdicts::exit_only),
    Scenario { arguments: verdicts::ARGUMENTS_WITH_LIMIT, ..verdict("verdict-starved", verdicts::starved) },
    Scenario { first: First::Workload, ..verdict("verdict-before-trace", verdicts::before_trace) },
    haproxy("haproxy-client-leak", First::Capture, haproxy::client_leak),
    haproxy("haproxy-server-leak", First::Workload, haproxy::server_leak_of_a_running_haproxy),
    haproxy("haproxy-server-leak-from-start", First::Capture, haproxy::server_leak),
    haproxy("haproxy-3.0-client-leak", First::Capture, haproxy::client_leak_3_0),
    haproxy("haproxy-3.0-server-leak", First::Capture, haproxy::server_leak_3_0),
];

/// The scenario of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Scenario> {
    ALL.iter().find(|scenario| scenario.name == name)
}

fn the_socket(dir: &Path) -> Vec<String> {
    vec![dir.join(SOCKET).to_string_lossy().into_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        for scenario in ALL {
            assert!(std::ptr::eq(find(scenario.name).unwrap(), scenario), "{} is there twice", scenario.name);
        }
    }
}
