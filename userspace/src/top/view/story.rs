//! One connection's whole story.

use ratatui::text::{Line, Span};

use super::{
    connections::{command, in_full},
    fact,
    when::{day_and_time, time_of_day},
};
use crate::{
    clock::human,
    report::{html::lanes::words, stacks},
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
        Known::Gone(None) => vec![Line::raw(format!(
            "Connection {id} is not known, or not any more: only the last that were closed are."
        ))],
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
    let (theme, letters) = (state.theme, state.theme.letters());
    let open = &story.connection;
    let heading = |title: &'static str| Line::styled(title, theme.strong());
    let age = human(open.age_ns);
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
    lines.extend(steps(letters, story));
    lines.extend([Line::default(), heading("Who opened it")]);
    lines.extend(person(letters, &story.opened_by));
    lines.push(fact(letters, "command", &command(open)));
    if let Some(by) = &story.accepted_by {
        lines.extend([Line::default(), heading("Who accepted it")]);
        lines.extend(person(letters, by));
    }
    lines.extend([
        Line::default(),
        heading("Who holds its ends"),
        fact(letters, "client end", &in_full(&open.client_end)),
        fact(letters, "server end", &in_full(&open.server_end)),
    ]);
    if !story.frames.is_empty() {
        lines.extend([Line::default(), heading("Where it was opened")]);
        let mut stack = String::new();
        stacks::lines(&story.frames, &mut stack);
        lines.extend(stack.lines().map(|line| Line::raw(letters.safe(line))));
    }
    let inode = |inode: Option<u64>| inode.map_or_else(|| "not known".to_owned(), |inode| inode.to_string());
    lines.extend([
        Line::default(),
        heading("Numbers"),
        fact(letters, "client inode", &inode(open.client_inode)),
        fact(letters, "server inode", &inode(open.server_inode)),
        fact(letters, "counts with", &open.group),
    ]);
    lines
}

/// What happened, in order.
fn steps(letters: Letters, story: &Story) -> Vec<Line<'static>> {
    let open = &story.connection;
    let step = |at: Option<i64>, what: String| {
        let at = at.map_or_else(String::new, time_of_day);
        Line::from(vec![Span::raw(format!("  {at:12}  ")), Span::raw(letters.safe(&what))])
    };
    let by = name(&story.opened_by);
    let opened = if open.before_trace {
        format!("first met: it was there before the trace. Opened by {by}")
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
    let mut steps = vec![step(Some(story.opened_ms), opened), step(story.accepted_ms, accepted)];
    let mut ends = [
        ("client", &story.client_release, &open.client_end),
        ("server", &story.server_release, &open.server_end),
    ];
    // The end that was released first comes first; what is open comes last.
    ends.sort_by_key(|(_, release, _)| release.as_ref().map_or(i64::MAX, |it| it.at_ms));
    for (which, release, end) in ends {
        steps.push(step(release.as_ref().map(|release| release.at_ms), fate(which, release.as_ref(), end)));
    }
    steps
}

fn fate(which: &str, release: Option<&Release>, end: &EndReport) -> String {
    match (release, end.state.as_str()) {
        (Some(release), _) => {
            let (by, how, after) = (name(&release.by), release.how(), human(release.after_ns));
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
fn person(letters: Letters, who: &Identity) -> Vec<Line<'static>> {
    let number = |value: Option<u32>| value.map(|value| value.to_string());
    let user = who.uid.map(|uid| match &who.user {
        Some(user) => format!("{user} ({uid})"),
        None => format!("uid {uid}"),
    });
    let container = who.container.as_ref().map(|it| format!("{} {}", it.runtime.name(), it.id));
    let pod = who.container.as_ref().and_then(|it| it.pod.clone());
    let facts = [
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
        ("container", container),
        ("pod", pod),
    ];
    facts.into_iter().filter_map(|(what, told)| Some(fact(letters, what, &told?))).collect()
}
