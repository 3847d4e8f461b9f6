//! How an end was used, as the last descriptor scan saw it.

use workload::truth::Use;

use super::same;
use crate::capture::{Session, UseReport};

/// Can the kernel's side note it? Where kretprobes run out and there is no fexit, the hook says so; elsewhere it can.
pub(super) fn is_noted(sessions: &[Session]) -> bool {
    let hooks = sessions.iter().flat_map(|session| &session.hooks);
    let unable = hooks.filter(|hook| hook.hook.starts_with("send") && hook.status != "attached");
    let runs_out = |reason: &String| reason.contains("kretprobes of this kernel run out");
    !unable.filter_map(|hook| hook.reason.as_ref()).any(runs_out)
}

pub(super) fn check(
    truth: Option<&Use>,
    is_noted: bool,
    found: Option<&UseReport>,
    what: &str,
    differences: &mut Vec<String>,
) {
    let Some(truth) = truth else { return };
    let Some(found) = found else {
        differences.push(format!("{what}: nobody looked how it was used"));
        return;
    };
    let of = |field: &str| format!("{what}, {field}");
    same(differences, || of("something lies unread"), truth.has_unread, found.unread > 0);
    same(differences, || of("receives nothing more"), truth.no_receive, found.no_receive);
    same(differences, || of("sends nothing more"), truth.no_send, found.no_send);
    same(differences, || of("known from its start"), is_noted, found.whole && found.known_ns.is_some());
    if !is_noted {
        same(differences, || of("bytes sent"), None, found.sent_bytes);
        same(differences, || of("known at all"), None, found.known_ns);
        return;
    }
    same(differences, || of("bytes sent"), Some(truth.bytes), found.sent_bytes);
    if truth.sends.is_some() {
        same(differences, || of("sends"), truth.sends, found.sends);
    }
    same(differences, || of("has sent"), truth.bytes > 0, found.last_sent_ns_ago.is_some());
}
