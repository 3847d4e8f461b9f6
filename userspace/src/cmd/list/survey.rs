//! `sockleak list` without a target: every unix stream socket of the host.

use std::collections::HashMap;

use anyhow::Context as _;
use sockleak_core::{
    attribution::{container::Membership, limits, script},
    event::{self, Actor},
};
use sockleak_report::survey::{Facts, Process, Survey};

use super::{
    super::output::{Output, terminal_width},
    no_diag,
};
use crate::{
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
    let Seen { listeners, ends, holders, mut gaps } = diag::look().map_err(no_diag)?;
    let shows_host = proc::shows_host();
    gaps.extend((!shows_host).then(|| OwnNamespaces::UNSEEN.to_owned()));
    gaps.extend(OwnNamespaces::inspect().remarks().into_iter().map(str::to_owned));
    let known = describe(holders.values().flatten());
    let listeners = listeners.into_iter().map(|(mut listener, described)| {
        let given = arguments.limits.iter().rev().find(|limit| limit.means(&listener.path));
        let holders = holders.get(&listener.inode).into_iter().flatten();
        let mut servers = holders.filter_map(|actor| known.get(&actor.id.pid));
        listener.limit = given
            .map(limits::GivenLimit::limit)
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
    let mut survey = Survey::new(&facts, &filter, gaps);
    let cut = (!arguments.all && !arguments.json).then_some(ROWS);
    survey.sort_and_cut(arguments.sort, arguments.top.map(|top| top as usize).or(cut));
    let mut out = Output::default();
    if arguments.json {
        out.json(&serde_json::to_value(&survey).context("the survey cannot be written as JSON")?);
    } else {
        let text = survey.text(terminal_width().unwrap_or(usize::MAX));
        out.buffer.extend_from_slice(text.as_bytes());
    }
    out.flush()?;
    // Where not every process is seen, there may be one all the same.
    if survey.sockets.is_empty() && shows_host {
        return Err(Failure::NoSocket(if filter.is_empty() {
            "a survey of this host: no program listens on a unix stream socket".to_owned()
        } else {
            filter.text()
        }));
    }
    Ok(())
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
        program: script::name(&path, process).unwrap_or(path),
        comm: Some(process.comm.to_string()),
        uid: Some(process.uid),
        user: process.user.as_deref().map(str::to_owned),
        membership: process.cgroup_path.as_deref().map(Membership::of),
    }
}
