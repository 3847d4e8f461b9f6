//! One connection's whole story.

use ratatui::text::{Line, Span};
use sockleak_core::{attribution::container::Container, time::human};
use sockleak_report::{html::lanes::words, stacks};

use super::{
    Facts,
    connections::{command, in_full},
    prose, prose_columns,
    when::{day_and_exact_time, day_and_time},
};
use crate::{
    service::model::{EndReport, Identity, Release, State as Stands, Story},
    top::{
        state::{Known, State},
        text::Letters,
    },
};

/// Its lines.
pub(super) fn lines(state: &State, id: u64) -> Vec<Line<'static>> {
    let theme = state.theme;
    match state.data.story(id) {
        Known::Asked => vec![Line::raw("Waiting for an answer.")],
        Known::Gone(None) => {
            let gone =
                format!("Connection {id} is not known, or not any more: only the last that were closed are.");
            prose(state, &gone, prose_columns(state))
        }
        Known::Gone(Some(story)) => {
            let gone = "It is not known any more; this is what was known last.";
            let mut lines = vec![Line::styled(gone, theme.doubtful()), Line::default()];
            lines.extend(told(state, story));
            lines
        }
        Known::Told(story) => told(state, story),
    }
}

fn told(state: &State, story: &Story) -> Vec<Line<'static>> {
    let (theme, letters, facts) = (state.theme, state.theme.letters(), Facts::of(state));
    let open = &story.connection;
    let heading = |title: &'static str| Line::styled(title, theme.strong());
    let age = letters.time(human(open.age_ns));
    let age = match (open.state, open.before_trace) {
        (Stands::Closed, _) => format!("{age} since it was made"),
        (_, true) => format!("{age} old, at least: its start was not seen"),
        (_, false) => format!("{age} old"),
    };
    let mut lines = vec![
        Line::from(vec![
            Span::styled(format!("Connection {}: ", open.connection), theme.strong()),
            Span::styled(words(open.state), theme.state(open.state)),
            Span::raw(letters.safe(&format!(", {age}"))),
        ]),
        Line::default(),
        heading("What happened"),
    ];
    lines.extend(steps(facts, letters, story));
    lines.extend([Line::default(), heading("Who opened it")]);
    lines.extend(person(facts, &story.opened_by));
    lines.extend(facts.lines("command", &command(open)));
    if let Some(by) = &story.accepted_by {
        lines.extend([Line::default(), heading("Who accepted it")]);
        lines.extend(person(facts, by));
    }
    lines.extend([Line::default(), heading("Who holds its ends")]);
    lines.extend(facts.lines("client end", &in_full(letters, &open.client_end)));
    lines.extend(facts.lines("server end", &in_full(letters, &open.server_end)));
    if !story.frames.is_empty() {
        lines.extend([Line::default(), heading("Where it was opened")]);
        let mut stack = String::new();
        stacks::lines(&story.frames, stacks::Depth::WHOLE.frames, &mut stack);
        lines.extend(facts.stack(&stack));
    }
    let inode = |inode: Option<u64>| inode.map_or_else(|| "not known".to_owned(), |inode| inode.to_string());
    lines.extend([Line::default(), heading("Numbers")]);
    lines.extend(facts.lines("client inode", &inode(open.client_inode)));
    lines.extend(facts.lines("server inode", &inode(open.server_inode)));
    lines.extend(facts.lines("counts with", &open.group));
    lines
}

/// What happened, in order.
fn steps(facts: Facts, letters: Letters, story: &Story) -> Vec<Line<'static>> {
    let open = &story.connection;
    /// Columns of a date and a time, and what is behind.
    const WHEN: usize = 25;

    let facts = facts.with_names(WHEN);
    let step =
        |at: Option<i64>, what: String| facts.lines(&at.map_or_else(String::new, day_and_exact_time), &what);
    let by = name(&story.opened_by);
    let opened = if open.before_trace {
        format!("first met: it was there before tracing started. Opened by {by}")
    } else {
        format!("opened by {by}")
    };
    let accepted = match (story.accepted_ms, &story.accepted_by) {
        (Some(_), Some(by)) => format!("accepted by {}", name(by)),
        (Some(_), None) => "accepted".to_owned(),
        (None, Some(by)) => format!("accepted, it was not seen when; held then by {}", name(by)),
        (None, None) if open.server_inode.is_some() => {
            "accepted, it was not seen when and by whom".to_owned()
        }
        (None, None) if open.server_end.state == "open" => "not accepted: it waits in the queue".to_owned(),
        (None, None) => "not accepted: it waited in the queue".to_owned(),
    };
    let mut steps = step(Some(story.opened_ms), opened);
    steps.extend(step(story.accepted_ms, accepted));
    let mut ends = [
        ("client", &story.client_release, &open.client_end),
        ("server", &story.server_release, &open.server_end),
    ];
    // The end that was released first comes first; what is open comes last.
    ends.sort_by_key(|(_, release, _)| release.as_ref().map_or(i64::MAX, |it| it.at_ms));
    for (which, release, end) in ends {
        let fate = fate(letters, which, release.as_ref(), end);
        steps.extend(step(release.as_ref().map(|release| release.at_ms), fate));
    }
    steps
}

fn fate(letters: Letters, which: &str, release: Option<&Release>, end: &EndReport) -> String {
    match (release, end.state.as_str()) {
        (Some(release), _) => {
            let (by, how) = (name(&release.by), release.how());
            let after = letters.time(human(release.after_ns));
            format!("the {which}'s end was released by {by}: {how}, {after} after it was made")
        }
        (None, "released") => format!("the {which}'s end is released; it was not seen when and by whom"),
        (None, "unknown") => format!("the {which}'s end could not be followed"),
        (None, _) => format!("the {which}'s end is open"),
    }
}

/// Somebody in a few words.
fn name(who: &Identity) -> String {
    who.pid.map_or_else(|| who.program.clone(), |pid| format!("{} {pid}", who.program))
}

/// Somebody, with all that is known.
fn person(facts: Facts, who: &Identity) -> Vec<Line<'static>> {
    let number = |value: Option<u32>| value.map(|value| value.to_string());
    let user = who.uid.map(|uid| match &who.user {
        Some(user) => format!("{user} ({uid})"),
        None => format!("uid {uid}"),
    });
    let container = who.container.as_ref();
    let known = [
        ("program", Some(who.program.clone())),
        ("name", who.comm.clone()),
        ("process", number(who.pid)),
        ("thread", number(who.tid).filter(|_| who.tid != who.pid)),
        ("there", number(who.pid_in_namespace).filter(|_| who.pid_in_namespace != who.pid)),
        ("parent", number(who.ppid)),
        ("started", who.started_ms.map(day_and_time)),
        ("user", user),
        ("group", number(who.gid)),
        ("unit", who.unit.clone()),
        ("container", container.map(Container::described)),
        ("id", container.map(|it| format!("{} {}", it.runtime.name(), it.id))),
        ("pod", container.and_then(Container::pod_path)),
        ("pod uid", container.and_then(|it| it.pod.clone())),
    ];
    let known = known.into_iter().filter_map(|(what, told)| Some((what, told?)));
    known.flat_map(|(what, told)| facts.lines(what, &told)).collect()
}
