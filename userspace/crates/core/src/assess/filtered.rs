//! A report of some programs, or of some verdicts, alone: `--program`, `--pid`, `--verdict` and their like.
//!
//! Verdicts rest on everything. What nobody asked for is left out afterwards, and counted.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::{Report, keepers::keepers};
use crate::{
    attribution::{
        by::By,
        container::Membership,
        filter::{Filter, Subject},
        script,
        who::Who,
    },
    event::{End, Process, ProcessId},
    lifecycle::{Connection, State},
    session::Session,
    verdict::Verdict,
};

/// What a report is to tell of. Findings have to match both, where both are given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Wanted {
    /// Findings with one of these verdicts; all if there is none.
    pub verdicts: Vec<Verdict>,
    /// Programs with a process that this matches.
    pub processes: Filter,
}

/// What is left out of a report, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Filtered {
    /// The arguments that say what is wanted: `--program nginx --verdict client-leak`.
    pub by: String,
    /// Findings that are left out.
    pub findings: u64,
    /// Rows of figures, one for each program and socket.
    pub programs: u64,
    /// Connections that are not closed.
    pub open: u64,
}

impl Wanted {
    /// Is everything wanted?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.verdicts.is_empty() && self.processes.is_empty()
    }

    /// As arguments: `--program nginx --verdict client-leak`.
    #[must_use]
    pub fn text(&self) -> String {
        let verdicts: Vec<&str> = self.verdicts.iter().map(|verdict| verdict.name()).collect();
        let verdicts = (!verdicts.is_empty()).then(|| format!("--verdict {}", verdicts.join(",")));
        let processes = Some(self.processes.text()).filter(|text| !text.is_empty());
        processes.into_iter().chain(verdicts).collect::<Vec<_>>().join(" ")
    }

    fn is_wanted(&self, verdict: Verdict) -> bool {
        self.verdicts.is_empty() || self.verdicts.contains(&verdict)
    }
}

impl Report<'_> {
    /// Leaves out what is not wanted: findings, rows of figures and open connections. Figures are still those of whole
    /// programs. Connections belong to those who opened them, and those who hold the client end; once the client has left, also
    /// to those who keep the server end.
    ///
    /// A process that ended long ago may be forgotten. What is known of its group is the name alone then.
    pub fn keep_only(&mut self, wanted: &Wanted) {
        if wanted.is_empty() {
            return;
        }
        let mut matching = Matching::new(self.open.session(), &wanted.processes);
        let groups = Groups::new(self, &mut matching);
        let by = self.by;
        let is_chosen = |path: &str, program: &str| groups.contain(path, program, by, &wanted.processes);
        let before = (self.findings.len(), self.programs.len());
        self.findings.retain(|it| wanted.is_wanted(it.verdict) && is_chosen(&it.path, &it.program));
        let accused: HashSet<(&str, &str)> =
            self.findings.iter().map(|it| (it.path.as_str(), it.program.as_str())).collect();
        let is_accused =
            |path: &str, program: &str| wanted.verdicts.is_empty() || accused.contains(&(path, program));
        self.programs.retain(|it| is_accused(&it.path, &it.program) && is_chosen(&it.path, &it.program));
        let open = self.open.keep(|path, connection| {
            let mut parties = matching.parties(connection);
            parties[0].1 |= matching.is_held(connection);
            parties.iter().any(|&(group, is_match)| is_match && is_accused(path, group))
        });
        let after = (self.findings.len(), self.programs.len());
        self.filtered = Some(Filtered {
            by: wanted.text(),
            findings: (before.0 - after.0) as u64,
            programs: (before.1 - after.1) as u64,
            open,
        });
        let mut shown: HashSet<u32> =
            self.open.named().filter_map(|(_, connection)| Some(connection.stack?.0)).collect();
        shown.extend(self.findings.iter().flat_map(|it| &it.opened_at).map(|place| place.stack));
        self.stacks.retain(|stack| shown.contains(&stack.id));
    }
}

/// The groups with a process that matches.
struct Groups<'s> {
    /// Socket and group of open connections: does one of their processes match?
    open: HashMap<(&'s str, &'s str), bool>,
    /// Groups of the processes that are remembered, likewise.
    known: HashMap<&'s str, bool>,
}

impl<'s> Groups<'s> {
    fn new(report: &Report<'s>, matching: &mut Matching<'s, '_>) -> Self {
        let session = matching.session;
        let mut groups = Self { open: HashMap::new(), known: HashMap::new() };
        if matching.filter.is_empty() {
            return groups;
        }
        for (path, connection) in report.open.named() {
            for (group, is_match) in matching.parties(connection) {
                *groups.open.entry((path, group)).or_default() |= is_match;
            }
        }
        for (process, program, group) in session.processes() {
            let is_match = matching.is_process(session.program(program), process, process.uid);
            *groups.known.entry(session.program(group)).or_default() |= is_match;
        }
        groups
    }

    fn contain(&self, path: &str, program: &str, by: By, filter: &Filter) -> bool {
        let open = self.open.get(&(path, program));
        let known = open.or_else(|| self.known.get(program)).copied();
        filter.is_empty() || known.unwrap_or_else(|| is_name(filter, by, program))
    }
}

/// Does the name alone of a group match? Of a container, a pod or an image that cannot be told: the name is shortened, or is of several.
fn is_name(filter: &Filter, by: By, name: &str) -> bool {
    let named = |program| Subject { program, ..Subject::default() };
    match by {
        By::Program => filter.matches(&named(name)),
        By::Stack => filter.matches(&named(name.rsplit_once(": ").map_or(name, |(program, _)| program))),
        By::Pid => {
            let parts = name.strip_suffix(')').and_then(|name| name.rsplit_once(" (pid "));
            let (program, pid) = parts.unwrap_or((name, ""));
            filter.matches(&Subject { pid: pid.parse().unwrap_or(0), ..named(program) })
        }
        By::User => {
            let uid = name.strip_prefix("uid ").and_then(|uid| uid.parse().ok());
            filter.matches(&Subject { user: Some(name), uid, ..Subject::default() })
        }
        By::Unit => {
            let unit = name.split(" (of user ").next().map(str::to_owned);
            let membership = Membership { unit, ..Membership::default() };
            filter.matches(&Subject { membership: Some(&membership), ..Subject::default() })
        }
        By::Cmdline | By::Container | By::Pod | By::Image => false,
    }
}

/// Asks a filter about each process once.
struct Matching<'s, 'f> {
    session: &'s Session,
    filter: &'f Filter,
    asked: HashMap<(ProcessId, Option<u32>), bool>,
}

impl<'s, 'f> Matching<'s, 'f> {
    fn new(session: &'s Session, filter: &'f Filter) -> Self {
        Self { session, filter, asked: HashMap::new() }
    }

    /// Does a process hold the client end that matches?
    fn is_held(&mut self, connection: &Connection) -> bool {
        let holders = self.session.holders(connection.id, End::Client).unwrap_or_default();
        holders.iter().any(|it| self.is_match(&it.who))
    }

    /// The groups that a connection belongs to, and whether it does so by a process that matches: first its opener's.
    fn parties(&mut self, connection: &'s Connection) -> Vec<(&'s str, bool)> {
        let session = self.session;
        let is_match = self.is_match(&connection.opener);
        let mut parties = vec![(session.program(connection.opener.group), is_match)];
        if let (State::ClientClosed, Some(accepted)) = (connection.state(), &connection.accepted) {
            for (who, _) in keepers(session, connection.id, accepted) {
                parties.push((session.program(who.group), self.is_match(who)));
            }
        }
        parties
    }

    fn is_match(&mut self, who: &Who) -> bool {
        if self.filter.is_empty() {
            return true;
        }
        let key = (who.actor.id, who.actor.uid);
        if let Some(&known) = self.asked.get(&key) {
            return known;
        }
        let program = self.session.program(who.program);
        let is_match = match who.process.as_deref() {
            Some(process) => self.is_process(program, process, who.actor.uid.unwrap_or(process.uid)),
            None => {
                let comm = who.comm().to_string();
                let (pid, uid) = (who.actor.id.pid, who.actor.uid);
                let user = uid.and_then(|uid| self.session.user(uid));
                let comm = Some(comm.as_str());
                self.filter.matches(&Subject { pid, program, comm, uid, user, membership: None })
            }
        };
        self.asked.insert(key, is_match);
        is_match
    }

    /// An interpreter matches by its own name and by its script's.
    fn is_process(&self, program: &str, process: &Process, uid: u32) -> bool {
        let membership = process.cgroup_path.as_deref().map(Membership::of);
        let comm = process.comm.to_string();
        let subject = Subject {
            pid: process.id.pid,
            program,
            comm: Some(&comm),
            uid: Some(uid),
            user: self.session.user(uid),
            membership: membership.as_ref(),
        };
        let script = script::name(program, process);
        self.filter.matches(&subject)
            || script.is_some_and(|script| self.filter.matches(&Subject { program: &script, ..subject }))
    }
}

#[cfg(test)]
mod tests;
