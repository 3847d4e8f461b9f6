//! `sockleak list` without a target: every unix stream socket of the host.

use std::{collections::HashMap, fs, io};

use anyhow::Context as _;
use serde_json::Value;
use sockleak_core::{
    attribution::{
        container::Membership,
        filter::Filter,
        limits::{self, GivenLimit},
        script,
    },
    event::{self, Actor},
    text::count::grouped,
};
use sockleak_report::{
    style::Style,
    survey::{Descriptors, Facts, OpenFiles, Process, SortKey, Survey},
};

use super::{
    super::output::{Output, style, terminal_width},
    no_diag, unused_limits,
    watch::{Shown, watch},
};
use crate::{
    cgroups::ControlGroups,
    cli::List,
    diag::survey::{self as diag, Seen},
    failure::Failure,
    namespaces::OwnNamespaces,
    proc,
    tracer::source::Source,
};

/// So many rows are shown of a longer survey.
const ROWS: usize = 20;

/// Runs it.
///
/// # Errors
/// See [`Failure`].
pub(super) fn run(arguments: &List) -> Result<(), Failure> {
    let filter = arguments.chosen.filter();
    // A watch goes on when they end: who is gone is told then.
    if !filter.pids.is_empty() && !filter.pids.iter().any(|&pid| proc::folder(pid).exists()) {
        let pids: Vec<String> = filter.pids.iter().map(u32::to_string).collect();
        return Err(Failure::NoProcess(pids.join(", ")));
    }
    let cut = (!arguments.all && !arguments.json).then_some(ROWS);
    let cut = arguments.top.map(|top| top as usize).or(cut);
    if let Some(every) = arguments.watch {
        let runtime = crate::runtime::start().context("the runtime cannot be started")?;
        let mut before = None;
        return runtime.block_on(watch(arguments, every, || {
            let mut survey = take(&arguments.limits, &filter)?;
            before = Some(survey.compare(before.as_ref()));
            survey.sort_and_cut(arguments.sort, cut);
            Ok(survey)
        }));
    }
    let mut survey = take(&arguments.limits, &filter)?;
    unused_limits(&arguments.limits, survey.sockets.iter().map(|row| row.path.as_str()));
    survey.sort_and_cut(arguments.sort, cut);
    let mut out = Output::default();
    if arguments.json {
        out.json(&serde_json::to_value(&survey).context("the survey cannot be written as JSON")?);
    } else {
        let text = survey.text(terminal_width().unwrap_or(usize::MAX), style(arguments.color, false));
        out.buffer.extend_from_slice(text.as_bytes());
    }
    out.flush()?;
    // Where not every process is seen, there may be one all the same.
    if survey.sockets.is_empty() && survey.sees_all {
        return Err(Failure::NoSocket(if filter.is_empty() {
            "a survey of this host: no program has a unix stream socket open".to_owned()
        } else {
            filter.text()
        }));
    }
    Ok(())
}

impl Shown for Survey {
    fn text(&self, width: usize, style: Style) -> String {
        Self::text(self, width, style)
    }

    fn json(&self) -> serde_json::Result<Value> {
        serde_json::to_value(self)
    }
}

/// Why `capture` does nothing without a target, with the busiest sockets and the command to type.
pub(in crate::cmd) fn without_target() -> Failure {
    /// So many sockets are named.
    const NAMED: usize = 3;

    let survey = take(&[], &Filter::default()).ok().map(|mut survey| {
        survey.sort_and_cut(SortKey::Open, None);
        survey
    });
    let used = |(_, open): &(&str, u64)| *open > 0;
    let busiest: Vec<(&str, u64)> =
        survey.iter().flat_map(Survey::targets).filter(used).take(NAMED).collect();
    let Some((first, _)) = busiest.first() else {
        let message = "capture needs a target, for example a path or a file name; sockleak list shows the sockets of this host";
        return Failure::Usage(message.to_owned());
    };
    let named: Vec<String> =
        busiest.iter().map(|(path, open)| format!("{path} ({} open)", grouped(*open))).collect();
    Failure::Usage(format!(
        "capture needs a target; the busiest here: {}; write for example: sockleak capture {first}; sockleak list shows all sockets",
        named.join(", ")
    ))
}

/// Looks at everything once.
fn take(given: &[GivenLimit], filter: &Filter) -> Result<Survey, Failure> {
    let Seen { listeners, ends, holders, mut gaps } = diag::look().map_err(|error| no_diag(&error))?;
    let mut sees_all = gaps.is_empty() && proc::shows_host();
    gaps.extend((!proc::shows_host()).then(|| OwnNamespaces::UNSEEN.to_owned()));
    gaps.extend(ControlGroups::remarks(OwnNamespaces::inspect()).into_iter().map(str::to_owned));
    let known = describe(holders.values().flatten());
    let listeners = listeners.into_iter().map(|(mut listener, described)| {
        let given = given.iter().rev().find(|limit| limit.means(&listener.path));
        let holders = holders.get(&listener.inode).into_iter().flatten();
        let mut servers = holders.filter_map(|actor| known.get(&actor.id.pid));
        listener.limit = given
            .map(GivenLimit::limit)
            .or_else(|| servers.find_map(|server| limits::assumed(&described, server)));
        listener
    });
    let facts = Facts {
        listeners: listeners.collect(),
        ends,
        processes: known.iter().map(|(&pid, process)| (pid, plain(process))).collect(),
        holders: holders
            .iter()
            .map(|(&inode, actors)| (inode, actors.iter().map(|actor| actor.id.pid).collect()))
            .collect(),
    };
    let descriptors = filter.pids.iter().filter_map(|&pid| match open_files(pid, &facts) {
        Ok(open) => Some(Descriptors::new(&open, &facts)),
        Err(error) => {
            sees_all &= matches!(error, DescriptorsError::NoProcess(_));
            gaps.push(error.to_string());
            None
        }
    });
    let descriptors = descriptors.collect();
    Ok(Survey { sees_all, descriptors, ..Survey::new(&facts, filter, gaps) })
}

/// Why it is not known which descriptors a process has.
#[derive(Debug, thiserror::Error)]
enum DescriptorsError {
    #[error("there is no process {0}")]
    NoProcess(u32),
    #[error("the descriptors of process {0} cannot be read: root with CAP_SYS_PTRACE sees them")]
    Denied(u32),
    #[error("the descriptors of process {0} cannot be read: {1}")]
    Unreadable(u32, #[source] io::Error),
}

/// Reads the descriptors of a process.
fn open_files(pid: u32, facts: &Facts) -> Result<OpenFiles, DescriptorsError> {
    let targets = proc::descriptors(pid).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => DescriptorsError::NoProcess(pid),
        io::ErrorKind::PermissionDenied => DescriptorsError::Denied(pid),
        _ => DescriptorsError::Unreadable(pid, error),
    })?;
    let known = facts.processes.get(&pid).map(|process| process.program.clone());
    // One without a unix socket was not described.
    let program =
        known.or_else(|| Some(fs::read_link(proc::folder(pid).join("exe")).ok()?.display().to_string()));
    Ok(OpenFiles {
        pid,
        program: program.unwrap_or_else(|| "[unknown]".to_owned()),
        targets,
        limit: proc::descriptor_limit(pid),
    })
}

/// Describes each process once. One that has ended meanwhile is left out.
fn describe<'a>(actors: impl Iterator<Item = &'a Actor>) -> HashMap<u32, event::Process> {
    let mut source = Source::new(0);
    let unique: HashMap<u32, &Actor> = actors.map(|actor| (actor.id.pid, actor)).collect();
    unique.into_iter().filter_map(|(pid, actor)| Some((pid, source.describe(actor)?))).collect()
}

fn plain(process: &event::Process) -> Process {
    let path = process.program.clone().unwrap_or_else(|| format!("[{}]", process.comm));
    Process {
        program: script::name(&path, process).unwrap_or_else(|| path.clone()),
        executable: path,
        comm: Some(process.comm.to_string()),
        uid: Some(process.uid),
        user: process.user.as_deref().map(str::to_owned),
        membership: Membership::of_process(process),
    }
}
