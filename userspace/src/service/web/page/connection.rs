//! One connection's whole story.

use maud::{Markup, html};
use sockleak_core::attribution::container::Container;
use sockleak_report::{
    html::{
        lanes::{class, sign, words},
        parts::{Text, scroll},
    },
    stacks, use_sentence,
};

use super::{
    cells::{duration, figure, instant, moment, name, number, socket_address, some_duration, some_number},
    layout::{self, Frame},
    tables,
};
use crate::service::model::{EndReport, Identity, Open, Release, State, Story};

/// Holders of an end that are told.
const HOLDERS: usize = 50;

/// The page.
pub(super) fn page(id: u64, story: &Story, frame: &Frame<'_>) -> Markup {
    let open = &story.connection;
    let main = html! {
        nav class="crumbs" aria-label="Where you are" {
            a href="/" { "Sockets" } " › "
            a href=(socket_address(&open.path)) { (name(&open.path)) } " › "
            span { "connection" }
        }
        div data-source=(format!("/api/v1/connections/{id}")) {
            h1 { "Connection " (number("/connection", open.connection)) }
            p class="where" {
                span class={ "state " (class(open.state)) } { (sign(open.state)) " " (words(open.state)) }
                " · " (duration("/age_ns", open.age_ns))
                @if open.state == State::Closed { " since it was made" } @else { " old" }
                @if open.before_trace { ", at least: its start was not seen" }
            }
            section aria-labelledby="story" {
                h2 id="story" { "What happened" }
                ol class="story" { (steps(story)) }
            }
            div class="sides" {
                (person("opener", "Who opened it", "opened_by", &story.opened_by, open.opener.argv.as_deref()))
                @if let Some(by) = &story.accepted_by {
                    (person("acceptor", "Who accepted it", "accepted_by", by, None))
                }
            }
            section aria-labelledby="holders" {
                h2 id="holders" { "Who holds its ends" }
                (holders("client", "client_end", &open.client_end))
                (holders("server", "server_end", &open.server_end))
            }
            (usage(open))
            @if !story.frames.is_empty() { (stack(story)) }
            section aria-labelledby="numbers" {
                h2 id="numbers" { "Numbers" }
                dl class="facts" {
                    div { dt { "inode of the client's socket" } dd { (some_number("/client_inode", open.client_inode)) } }
                    div { dt { "inode of the server's" } dd { (some_number("/server_inode", open.server_inode)) } }
                    div { dt { "counts with" } dd { (name(&open.group)) } }
                }
            }
        }
    };
    layout::document(&format!("Connection {} · {} · sockleak", open.connection, open.path), frame, &main)
}

/// What happened, in order.
fn steps(story: &Story) -> Markup {
    let open = &story.connection;
    let mut ends = [
        ("client", &story.client_release, &open.client_end),
        ("server", &story.server_release, &open.server_end),
    ];
    // The end that was released first comes first; what is open comes last.
    ends.sort_by_key(|(_, release, _)| release.as_ref().map_or(i64::MAX, |it| it.at_ms));
    html! {
        li {
            (instant("/opened_ms", story.opened_ms)) " "
            @if open.before_trace { "first met: it was there before tracing started. Opened by " } @else { "opened by " }
            (who("opened_by", &story.opened_by))
        }
        @match (story.accepted_ms, &story.accepted_by) {
            (Some(at), by) => {
                li {
                    (instant("/accepted_ms", at)) " accepted"
                    @if let Some(by) = by { " by " (who("accepted_by", by)) }
                }
            }
            (None, Some(by)) => { li { "accepted, it was not seen when; held then by " (who("accepted_by", by)) } }
            (None, None) if open.server_inode.is_some() => { li { "accepted, it was not seen when and by whom" } }
            (None, None) => { li { "not accepted: it " @if open.server_end.state == "open" { "waits" } @else { "waited" } " in the queue" } }
        }
        @for (which, release, end) in ends { li { (fate(which, release.as_ref(), end)) } }
    }
}

fn fate(which: &str, release: Option<&Release>, end: &EndReport) -> Markup {
    let pointer = format!("/{which}_release");
    match release {
        Some(release) => html! {
            (instant(&format!("{pointer}/at_ms"), release.at_ms)) " "
            "the " (which) "'s end was released by " (who(&format!("{which}_release/by"), &release.by)) ": " strong { (Text(&release.how())) }
            ", " (duration(&format!("{pointer}/after_ns"), release.after_ns)) " after it was made"
        },
        None if end.state == "released" => {
            html! { "the " (which) "'s end is released; it was not seen when and by whom" }
        }
        None if end.state == "unknown" => html! { "the " (which) "'s end could not be followed" },
        None => html! { strong { "the " (which) "'s end is open" } },
    }
}

/// Somebody in a few words. `field` is where in the answer he is.
fn who(field: &str, identity: &Identity) -> Markup {
    html! {
        (name(&identity.program))
        @if let Some(pid) = identity.pid { " " (number(&format!("/{field}/pid"), pid.into())) }
    }
}

/// Somebody, with all that is known. `field` is where in the answer he is.
fn person(id: &str, title: &str, field: &str, who: &Identity, argv: Option<&[String]>) -> Markup {
    let at = |part: &str| format!("/{field}/{part}");
    let some = |part: &str, value: Option<u32>| value.map(|value| number(&at(part), value.into()));
    let text = |text: &Option<String>| text.as_deref().map(name);
    let container = who.container.as_ref();
    let facts: [(&str, Option<Markup>); 15] = [
        ("program", Some(html! { code { (Text(&who.program)) } })),
        ("command line", argv.map(|argv| html! { code { (Text(&argv.join(" "))) } })),
        ("name", text(&who.comm)),
        ("process", some("pid", who.pid)),
        ("thread", some("tid", who.tid).filter(|_| who.tid != who.pid)),
        (
            "in its own pid namespace",
            some("pid_in_namespace", who.pid_in_namespace).filter(|_| who.pid_in_namespace != who.pid),
        ),
        ("parent", some("ppid", who.ppid)),
        ("started", who.started_ms.map(|at_ms| moment(&at("started_ms"), at_ms))),
        ("user", user(&at, who)),
        ("group", some("gid", who.gid)),
        ("unit", text(&who.unit)),
        ("container", container.map(|it| name(&it.described()))),
        ("container id", container.map(|it| html! { (it.runtime.name()) " " (name(&it.id)) })),
        ("pod", container.and_then(Container::pod_path).map(|pod| name(&pod))),
        ("pod uid", container.and_then(|it| it.pod.as_deref()).map(name)),
    ];
    html! {
        section aria-labelledby=(id) {
            h2 id=(id) { (title) }
            dl class="person" {
                @for (what, value) in facts.into_iter().filter_map(|(what, value)| Some((what, value?))) {
                    div { dt { (what) } dd { (value) } }
                }
            }
        }
    }
}

fn user(at: &dyn Fn(&str) -> String, who: &Identity) -> Option<Markup> {
    let uid = figure(&at("uid"), who.uid?, who.uid?);
    Some(match &who.user {
        Some(user) => html! { (name(user)) " (" (uid) ")" },
        None => html! { "uid " (uid) },
    })
}

/// Who holds an end now.
fn holders(which: &str, field: &str, end: &EndReport) -> Markup {
    let table = |holders: &[crate::service::model::HeldBy]| {
        html! {
            table {
                caption { "The " (which) "'s end" }
                thead { tr {
                    th scope="col" { "Program" } th scope="col" class="number" { "PID" } th scope="col" class="number" { "Descriptor" }
                } }
                tbody {
                    @for (nth, holder) in holders.iter().enumerate().take(HOLDERS) {
                        @let at = |part: &str| format!("/{field}/held_by/{nth}/{part}");
                        tr {
                            th scope="row" { (name(&holder.party.program)) }
                            td class="number" { (number(&at("pid"), holder.party.pid.into())) }
                            td class="number" { (number(&at("fd"), holder.fd.into())) }
                        }
                    }
                }
            }
        }
    };
    match end.held_by.as_deref() {
        Some(holders) if !holders.is_empty() => html! {
            (scroll(&format!("Holders of the {which}'s end"), &table(holders)))
            (tables::more(holders.len(), HOLDERS, "descriptors"))
        },
        Some(_) => html! { p { "No process held the " (which) "'s end at the last descriptor scan." } },
        None if end.state == "open" => {
            html! { p { "Nobody has looked yet who holds the " (which) "'s end." } }
        }
        None => html! { p { "The " (which) "'s end: " (Text(&end.state)) "." } },
    }
}

/// What it was used for, as far as a look told.
fn usage(open: &Open) -> Markup {
    let ends = [("client", "client_end", &open.client_end), ("server", "server_end", &open.server_end)];
    let known: Vec<_> =
        ends.into_iter().filter_map(|(which, field, end)| Some((which, field, end.usage?))).collect();
    let table = html! {
        table {
            caption class="unseen" { "What each end sent, by the last descriptor scan" }
            thead { tr {
                th scope="col" { "End" }
                th scope="col" class="number" { "Sent last" }
                th scope="col" class="number" { "Sends" }
                th scope="col" class="number" { "Bytes" }
                th scope="col" class="number" { "Unread there" }
                th scope="col" { "Shut down for" }
            } }
            tbody { @for (which, field, known) in &known {
                @let at = |part: &str| format!("/{field}/use/{part}");
                tr {
                    th scope="row" { (which) }
                    td class="number" {
                        (some_duration(&at("last_sent_ns_ago"), known.last_sent_ns_ago))
                        @if known.last_sent_ns_ago.is_some() { " ago" }
                    }
                    td class="number" { (some_number(&at("sends"), known.sends.map(u64::from))) }
                    td class="number" { (some_number(&at("sent_bytes"), known.sent_bytes)) }
                    td class="number" { (number(&at("unread"), known.unread.into())) }
                    td { (known.shut().unwrap_or("nothing")) }
                }
            } }
        }
    };
    html! {
        @if !known.is_empty() {
            section aria-labelledby="use" {
                h2 id="use" { "Use" }
                p class="statement" {
                    @match use_sentence(open.client_end.usage, open.server_end.usage) {
                        Some(sentence) => { "By the last descriptor scan: " (sentence) "." }
                        None => "It is not known for how long it has been idle.",
                    }
                }
                (scroll("What each end sent", &table))
            }
        }
    }
}

/// Where in its program it was opened.
fn stack(story: &Story) -> Markup {
    let mut lines = String::new();
    stacks::lines(&story.frames, stacks::Depth::WHOLE.frames, &mut lines);
    html! {
        section aria-labelledby="stack" {
            h2 id="stack" { "Where it was opened" }
            @if let Some(site) = stacks::site(&story.frames) { p { "In " code { (site) } "." } }
            (scroll("Stack", &html! { pre { @for line in lines.lines() { (Text(line)) "\n" } } }))
        }
    }
}
