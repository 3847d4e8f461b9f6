//! What is answered, and how that becomes bytes.

use std::{borrow::Cow, collections::BTreeSet, io};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sockleak_core::{
    assess::{Coverage, findings::FindingReport, stacks::StackReport},
    session::Session,
    text::escape,
    time::Clock,
    verdict::Verdict,
};
use sockleak_report::{
    document::{self, Format, Section},
    style::Style,
    text::Layout,
};

use super::{
    Question,
    body::Body,
    closed::Closed,
    connections::Page,
    frame::MOST_BODY,
    playing::{Control, Playing},
    question::{ConnectionFilter, FindingFilter, ReportFilter, SeriesRange, is_asked_for},
    story::Story,
};
use crate::{
    clock,
    failure::Failure,
    probe::status::HookStatus,
    service::{
        metrics::{Exposition, MetricDetail},
        snapshot::{Snapshot, SocketSnapshot, Surroundings},
        store::{
            StoreError,
            history::{Point, ProgramPoint},
        },
    },
    tracer::Tracer,
};

/// The content type of JSON.
pub const JSON: &str = "application/json";

/// An answer as HTTP has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP's status.
    pub status: u16,
    /// What the body is.
    pub content_type: String,
    /// The body.
    pub body: Bytes,
    /// Of a report, the names of the verdicts in it, whatever its form, with a comma and a blank between; `incomplete` last, if it is.
    pub verdicts: Option<String>,
}

/// What most answers are drawn from: a session at a moment, and what surrounds it.
#[derive(Clone, Debug)]
pub struct Sight<'a> {
    /// What is known.
    pub session: &'a Session,
    /// The connections that were closed last.
    pub closed: &'a Closed,
    /// The moment: nanoseconds since boot.
    pub now: u64,
    /// What does not come from the session.
    pub around: Surroundings<'a>,
}

impl<'a> Sight<'a> {
    /// Of what is traced, now.
    #[must_use]
    pub fn live<A>(
        tracer: &'a Tracer<A>,
        closed: &'a Closed,
        clock: &'a Clock,
        host: &'a str,
        kernel: &'a str,
    ) -> Self {
        let around = Surroundings { clock, host, kernel, hooks: &tracer.probe.hooks };
        Self { session: &tracer.session, closed, now: clock::now(), around }
    }
}

/// Who knows the answers. Each is worked out when it is asked for, and should take milliseconds at most. What is drawn from a session
/// is the same for all; health, history and metrics are each one's own.
pub trait Answers {
    /// What is known at this moment.
    fn sight(&self) -> Sight<'_>;
    /// What surrounds the session at this moment. Live, this asks the kernel about each program, so it is apart from the rest.
    fn coverage(&self) -> Coverage;
    /// Where a report comes from, in words.
    fn origin(&self) -> Cow<'static, str>;
    /// The metrics, as [`Metrics::encode_in`](crate::service::metrics::Metrics::encode_in) writes them.
    fn metrics(&mut self, detail: MetricDetail, form: Exposition) -> String;
    /// Whether everything works.
    fn health(&mut self) -> Health;
    /// What is known now.
    fn snapshot(&self) -> Snapshot {
        let Sight { session, around, .. } = self.sight();
        Snapshot::new(session, &self.coverage(), &around)
    }
    /// Connections, as [`Page::new`] picks them.
    fn connections(&self, filter: &ConnectionFilter) -> Page<'_> {
        let Sight { session, closed, now, .. } = self.sight();
        Page::new(session, closed, now, filter)
    }
    /// One connection, None if it is not known, or not any more.
    fn connection(&self, id: u64) -> Option<Story<'_>> {
        let Sight { session, closed, now, around } = self.sight();
        Story::new(session, closed, now, around.clock, id)
    }
    /// How full a socket was.
    ///
    /// # Errors
    /// If there is no history or it cannot be read.
    fn series(&mut self, range: &SeriesRange) -> Result<Series, SeriesError>;
    /// Where a replay stands, after this change; None if what is shown happens now.
    ///
    /// # Errors
    /// If the recording cannot be read again.
    fn replay(&mut self, _control: &Control) -> Option<Result<Playing, Failure>> {
        None
    }
    /// The report of now, with what its form needs.
    fn section(&self, format: Format) -> Section<'_> {
        let Sight { session, around, .. } = self.sight();
        let origin = (around.host.to_owned(), self.origin().into_owned());
        Section::new(session, self.coverage(), around.clock.clone(), origin, format)
    }
}

/// Whether everything works.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// How it is.
    pub status: HealthStatus,
    /// Why it is not well now, a sentence each.
    pub because: Vec<String>,
    /// What is missing since counting began, long ago or not, a sentence each.
    pub incomplete_because: Vec<String>,
    /// How each hook came out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hooks: Vec<HookReport>,
    /// Seconds since the service began to trace.
    pub uptime_seconds: u64,
    /// Version of sockleak.
    pub version: Cow<'static, str>,
}

/// How a hook came out, in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookReport {
    /// Its name.
    pub hook: Cow<'static, str>,
    /// Whether it is attached.
    pub attached: bool,
    /// Why not, or a warning.
    pub reason: Option<String>,
}

impl From<&HookStatus> for HookReport {
    fn from(status: &HookStatus) -> Self {
        Self {
            hook: Cow::Borrowed(status.hook.name()),
            attached: status.status == crate::probe::status::Outcome::Attached,
            reason: status.reason.clone(),
        }
    }
}

/// How the service is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HealthStatus {
    /// It does not know yet what was open before it started.
    Starting,
    /// Everything works.
    Ok,
    /// It traces, and something is not seen, or was lost within [`super::super::health::RECENT`].
    Degraded,
}

/// How full a socket was over time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Series {
    /// The socket as a whole.
    pub points: Vec<Point>,
    /// Its programs.
    pub programs: Vec<ProgramPoint>,
}

/// There is nothing to say about how full a socket was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SeriesError {
    /// No history is kept: a sentence that says so.
    #[error("{0}")]
    NoHistory(&'static str),
    /// The history cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The verdicts at a moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Findings {
    /// When: milliseconds since 1970, UTC.
    pub at_ms: i64,
    /// Nothing is known to be missing.
    pub complete: bool,
    /// What is missing, a sentence each.
    pub incomplete_because: Vec<String>,
    /// Those that were asked for, the most severe first.
    pub findings: Vec<FindingReport>,
    /// The stacks that most of their connections come from.
    pub stacks: Vec<StackReport>,
}

/// The sockets at a moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sockets {
    /// When: milliseconds since 1970, UTC.
    pub at_ms: i64,
    /// The sockets, by path.
    pub sockets: Vec<SocketSnapshot>,
}

/// How full a socket was in the time that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeriesOf {
    /// The socket.
    pub socket: String,
    /// From then: milliseconds since 1970, UTC.
    pub from_ms: i64,
    /// To then.
    pub to_ms: i64,
    /// What is known of it.
    #[serde(flatten)]
    pub series: Series,
}

/// Why a question is not answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// A sentence.
    pub error: String,
}

impl Answer {
    /// An answer that is no refusal.
    #[must_use]
    pub fn new(content_type: &str, body: impl Into<Bytes>) -> Self {
        Self { status: 200, content_type: content_type.to_owned(), body: body.into(), verdicts: None }
    }

    /// Something in JSON.
    #[must_use]
    pub fn json(value: &impl Serialize) -> Self {
        match escape::json_bytes(value) {
            Ok(body) => Self::new(JSON, body),
            Err(error) => Self::error(500, &format!("the answer cannot be written: {error}")),
        }
    }

    /// A refusal of what would not fit into a message to the web process.
    pub(super) fn too_large() -> Self {
        Self::error(500, "the answer is too large; ask for less")
    }

    /// A refusal, in a sentence.
    #[must_use]
    pub fn error(status: u16, sentence: &str) -> Self {
        // A sentence may repeat what was asked for, and can always be written.
        let body = escape::json_bytes(&serde_json::json!({"error": sentence})).unwrap_or_default();
        Self { status, ..Self::new(JSON, body) }
    }
}

/// Answers a question. Subscriptions are the link's own affair and no question for here.
#[must_use]
pub fn respond(answers: &mut impl Answers, question: &Question) -> Answer {
    match question {
        &Question::Metrics { detail, form } => {
            Answer::new(form.content_type(), answers.metrics(detail, form))
        }
        Question::Health => Answer::json(&answers.health()),
        Question::Ready => {
            let health = answers.health();
            let status = if health.status == HealthStatus::Starting { 503 } else { 200 };
            Answer { status, ..Answer::json(&health) }
        }
        Question::Snapshot => Answer::json(&answers.snapshot()),
        Question::Sockets => {
            let Snapshot { at_ms, sockets, .. } = answers.snapshot();
            Answer::json(&Sockets { at_ms, sockets })
        }
        Question::Findings(filter) => Answer::json(&findings(answers.snapshot(), filter)),
        Question::Connections(filter) => {
            let mut page = answers.connections(filter);
            if !filter.with_argv {
                page.hide_argv();
            }
            Answer::json(&page)
        }
        Question::Connection { id, with_argv } => match answers.connection(*id) {
            Some(mut story) => {
                if !with_argv {
                    story.connection.opener.argv = None;
                }
                Answer::json(&story)
            }
            None => Answer::error(
                404,
                &format!("no connection that is open, or was closed a short time ago, has the number {id}"),
            ),
        },
        Question::Series(range) => match answers.series(range) {
            Ok(series) => {
                let SeriesRange { socket, from_ms, to_ms, .. } = range.clone();
                Answer::json(&SeriesOf { socket, from_ms, to_ms, series })
            }
            Err(error) => Answer::error(503, &error.to_string()),
        },
        Question::Replay(control) => match answers.replay(control) {
            None => Answer::error(404, "nothing is replayed here: this is live"),
            Some(Ok(playing)) => Answer::json(&playing),
            Some(Err(failure)) => Answer::error(503, &failure.to_string()),
        },
        Question::Report(filter) => report(answers.section(filter.format), filter, MOST_BODY),
        Question::Subscribe { .. } | Question::Unsubscribe { .. } => {
            Answer::error(500, "a subscription is no question")
        }
    }
}

/// Those that are asked for, with the stacks that they show.
fn findings(snapshot: Snapshot, filter: &FindingFilter) -> Findings {
    let Snapshot { at_ms, complete, incomplete_because, mut findings, mut stacks, .. } = snapshot;
    findings.retain(|finding| {
        is_asked_for(filter.socket.as_deref(), &finding.path)
            && is_asked_for(filter.verdict.as_deref(), finding.verdict.name())
    });
    stacks.retain(|stack| findings.iter().any(|finding| finding.shown_stacks().any(|id| id == stack.id)));
    Findings { at_ms, complete, incomplete_because, findings, stacks }
}

/// Connections that text and Markdown list at most. They are laid out whole before they are written: a table of so many takes some
/// 20 MiB.
const MOST_LISTED: usize = 100_000;

/// The report, in at most so many bytes. JSON and CSV are given up where they become longer.
fn report(mut section: Section<'_>, filter: &ReportFilter, most: usize) -> Answer {
    let &ReportFilter { format, table, width, all, older_than_ns, with_argv, ref wanted } = filter;
    let layout = Layout { width: width.into(), is_whole: all, style: Style::Plain };
    section.report.keep_only(wanted);
    if older_than_ns > 0 {
        section.report.hide_younger(older_than_ns);
    }
    if !with_argv {
        section.report.hide_argv();
    }
    let found: BTreeSet<_> = section.report.findings.iter().map(|finding| finding.verdict).collect();
    let mut names: Vec<_> = found.into_iter().rev().map(Verdict::name).collect();
    names.extend((!section.report.complete).then_some("incomplete"));
    let is_listed = all && matches!(format, Format::Text | Format::Markdown);
    if is_listed && section.report.open.len() > MOST_LISTED {
        return Answer::too_large();
    }
    let mut body = Body::new(most);
    match document::write(&[section], format, table, layout, &mut body) {
        Ok(()) => Answer {
            verdicts: Some(names.join(", ")),
            ..Answer::new(format.content_type(), body.into_bytes())
        },
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => Answer::too_large(),
        Err(error) => Answer::error(500, &format!("the report cannot be written: {error}")),
    }
}

#[cfg(test)]
mod tests;
