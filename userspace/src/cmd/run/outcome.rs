//! What `run` says in the end, on standard error.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    io::{self, Write as _},
};

use sockleak_core::{
    assess::{Report, findings::FindingReport},
    event::End,
    session::Session,
    text::{
        count::{agreeing, counted, times},
        escape::terminal,
    },
    verdict::Verdict,
};
use sockleak_report::{sentence, stacks, text::prose};

use super::watcher::{Kind, Lost, Seized};
use crate::{cli::FailOnRun, console::say};

/// Groups of lost connections that are told one by one.
const MOST: usize = 20;

/// What was found.
pub(super) struct Outcome {
    seized: Seized,
    findings: Vec<FindingReport>,
    leak_age: u64,
    missing: Vec<String>,
}

impl Outcome {
    /// `report` is of all processes of the host: only what is about the command counts.
    pub(super) fn new(seized: Seized, report: Report<'_>, session: &Session) -> Self {
        let own: BTreeSet<(&str, &str)> =
            seized.own.iter().map(|(program, socket)| (session.program(*program), socket.as_str())).collect();
        let findings = report.findings.into_iter();
        let findings = findings.filter(|it| own.contains(&(it.program.as_str(), it.path.as_str()))).collect();
        let mut missing = report.incomplete_because;
        if seized.unknown > 0 {
            let (processes, was) =
                (counted_processes(seized.unknown), agreeing(seized.unknown, "was gone", "were gone"));
            missing.push(format!(
                "{processes} {was} before it could be found out whether the command had started {}: what {} left open is not \
                 known",
                agreeing(seized.unknown, "it", "them"),
                agreeing(seized.unknown, "it", "they")
            ));
        }
        Self { seized, findings, leak_age: report.leak_age_ns, missing }
    }

    /// What was found of what is asked for.
    pub(super) fn found(&self, asked: &[FailOnRun]) -> Vec<FailOnRun> {
        let lost = (!self.seized.lost.is_empty()).then_some(FailOnRun::Lost);
        let missing = (!self.missing.is_empty()).then_some(FailOnRun::Incomplete);
        let verdicts = self.findings.iter().map(|it| FailOnRun::Verdict(it.verdict));
        let found: BTreeSet<FailOnRun> = verdicts.chain(lost).chain(missing).collect();
        found.into_iter().rev().filter(|it| asked.contains(it)).collect()
    }

    /// Says it.
    pub(super) fn tell(&self, asked: &[FailOnRun]) {
        let lost: u64 = self.seized.lost.iter().map(|it| it.count).sum();
        if lost > 0 {
            let were = agreeing(lost, "was", "were");
            say(format_args!("{} {were} lost: open until the process ended", counted(lost, "connection")));
        }
        let mut text = String::new();
        for group in self.seized.lost.iter().take(MOST) {
            describe(group, &mut text);
        }
        let rest = self.seized.lost.get(MOST..).unwrap_or_default();
        if !rest.is_empty() {
            let count: u64 = rest.iter().map(|it| it.count).sum();
            prose(
                &format!("And {} from {} other places.", counted(count, "connection"), rest.len()),
                "",
                &mut text,
            );
        }
        for finding in self.findings.iter().filter(|it| is_told(it.verdict, asked)) {
            let name = finding.verdict.name().to_uppercase();
            prose(&format!("{name}: {}", terminal(&sentence(finding, self.leak_age))), "", &mut text);
            finding
                .uncertain
                .iter()
                .for_each(|doubt| prose(&format!("Uncertain: {doubt}."), "  ", &mut text));
            prose(&finding.advice, "  ", &mut text);
        }
        // Where standard error is closed or full there is nobody to tell.
        let _ = io::stderr().write_all(text.as_bytes());
        self.remark();
    }

    fn remark(&self) {
        let kept = self.seized.kept;
        if kept > 0 {
            let (connections, were) = (counted(kept, "connection"), agreeing(kept, "was", "were"));
            say(format_args!(
                "{connections} {were} kept until the process ended, and may have been used till then (--allow 0 counts {})",
                agreeing(kept, "it", "them")
            ));
        }
        let (held, processes) = self.seized.running;
        if held > 0 {
            say(format_args!(
                "{} of the command still {} and {} {}, which {} not judged",
                counted_processes(processes),
                agreeing(processes, "runs", "run"),
                agreeing(processes, "holds", "hold"),
                counted(held, "connection"),
                agreeing(held, "is", "are")
            ));
        }
        for sentence in &self.missing {
            say(format_args!("INCOMPLETE: {sentence}"));
        }
    }
}

fn is_told(verdict: Verdict, asked: &[FailOnRun]) -> bool {
    asked.contains(&FailOnRun::Verdict(verdict))
}

fn counted_processes(count: u64) -> String {
    if count == 1 { "1 process".to_owned() } else { format!("{count} processes") }
}

fn describe(lost: &Lost, out: &mut String) {
    let Kind { program, socket, end } = &lost.kind;
    let (program, socket) = (terminal(program), terminal(socket));
    let who = if lost.processes == 1 {
        format!("{program} left")
    } else {
        format!("{} of {program} left", counted_processes(lost.processes))
    };
    let its = if lost.processes == 1 { "its end" } else { "their ends" };
    let what = match end {
        End::Client => format!("{} to {socket}", counted(lost.count, "connection")),
        End::Server => format!(
            "{} on {socket}, whose {} left before,",
            counted(lost.count, "server end"),
            agreeing(lost.count, "client", "clients")
        ),
    };
    let _ = writeln!(out);
    prose(&format!("{who} {what} open until {its}."), "", out);
    if *end == End::Server {
        return;
    }
    if lost.stack.is_empty() {
        prose("It is not known where: the process was gone before its stack could be read.", "  ", out);
        return;
    }
    let site = stacks::site(&lost.stack).map_or_else(String::new, |site| format!(" in {site}"));
    prose(&format!("Opened {}{site}:", times(lost.count)), "  ", out);
    stacks::lines(&lost.stack, stacks::Depth::WHOLE.frames, out);
}
