//! How connections are used, in words.

use std::cmp::Ordering;

use sockleak_core::{
    assess::{Idle, UseReport},
    text::count::counted,
    time::human,
};

/// What a connection is used for, in a sentence: for how long it has been idle, who sent last, and whether that was read. None if
/// that is not known of both ends.
#[must_use]
pub fn sentence(client: Option<UseReport>, server: Option<UseReport>) -> Option<String> {
    let (client, server) = (client?, server?);
    let idle = Idle::of([client, server])?;
    let ns = human(idle.for_ns);
    if idle.at_least {
        let unread = unread(&client, &server);
        return Some(format!("idle for at least {ns}: nothing was sent since that is noted{unread}"));
    }
    if client.last_sent_ns_ago.or(server.last_sent_ns_ago).is_none() {
        return Some(format!("not used since it was made, {ns} ago"));
    }
    let ago = |end: &UseReport| end.last_sent_ns_ago.unwrap_or(u64::MAX);
    let (who, is_read) = match ago(&client).cmp(&ago(&server)) {
        Ordering::Less => ("the client", server.unread == 0),
        Ordering::Greater => ("the server", client.unread == 0),
        // To 67 ms.
        Ordering::Equal => ("both ends", client.unread == 0 && server.unread == 0),
    };
    let rest = if is_read { ", and it was read".to_owned() } else { unread(&client, &server) };
    Some(format!("idle for {ns}: {who} sent last{rest}"))
}

fn unread(client: &UseReport, server: &UseReport) -> String {
    let at = |whose: &str, end: &UseReport| {
        let lie = if end.unread == 1 { "lies" } else { "lie" };
        format!("{} {lie} unread at the {whose}'s end", counted(u64::from(end.unread), "message"))
    };
    let told = [("client", client), ("server", server)].into_iter().filter(|(_, end)| end.unread > 0);
    told.map(|(whose, end)| format!("; {}", at(whose, end))).collect()
}

/// An end in a line: what it sent, what lies unread, what is shut. None if there is nothing to say.
pub fn words(end: &UseReport) -> Option<String> {
    let sent = match (end.known_ns, end.last_sent_ns_ago) {
        (None, _) => None,
        (Some(known), None) => Some(format!("has sent nothing for {}", human(known))),
        (Some(_), Some(ago)) => Some(format!("sent last {} ago", human(ago))),
    };
    let unread = (end.unread > 0).then(|| format!("{} unread", counted(u64::from(end.unread), "message")));
    let shut = end.shut().map(|what| format!("shut down for {what}"));
    let words: Vec<String> = sent.into_iter().chain(unread).chain(shut).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Noted for so long, sent so long ago.
    fn end(known_ns: Option<u64>, last_sent_ns_ago: Option<u64>, whole: bool) -> UseReport {
        UseReport {
            read_ns_ago: 0,
            known_ns,
            whole,
            last_sent_ns_ago,
            sends: None,
            sent_bytes: None,
            unread: 0,
            no_receive: false,
            no_send: false,
        }
    }

    #[test]
    fn a_sentence_says_who_sent_last_and_whether_it_was_read() {
        let second = 1_000_000_000;
        let hour = 3600 * second;
        let sent = |ago: Option<u64>, unread| UseReport { unread, ..end(Some(5 * hour), ago, true) };
        let table = [
            (
                sent(Some(3 * hour + second), 0),
                sent(Some(3 * hour), 0),
                "idle for 3 h: the server sent last, and it was read",
            ),
            (sent(Some(3 * hour), 0), sent(None, 0), "idle for 3 h: the client sent last, and it was read"),
            (
                sent(Some(3 * hour), 0),
                sent(Some(3 * hour), 0),
                "idle for 3 h: both ends sent last, and it was read",
            ),
            (
                sent(Some(4 * hour), 2),
                sent(Some(3 * hour), 0),
                "idle for 3 h: the server sent last; 2 messages lie unread at the client's end",
            ),
            (
                sent(Some(3 * hour), 0),
                sent(Some(4 * hour), 1),
                "idle for 3 h: the client sent last; 1 message lies unread at the server's end",
            ),
            (sent(None, 0), sent(None, 0), "not used since it was made, 5 h ago"),
            (
                end(Some(hour), None, false),
                end(Some(hour), None, false),
                "idle for at least 1 h: nothing was sent since that is noted",
            ),
        ];
        for (client, server, expected) in table {
            let expected = expected.replace("3 h", &human(3 * hour)).replace("5 h", &human(5 * hour));
            let expected = expected.replace("1 h", &human(hour));
            assert_eq!(sentence(Some(client), Some(server)), Some(expected));
        }
        assert_eq!(sentence(Some(sent(None, 0)), None), None);
        assert_eq!(sentence(Some(end(None, None, false)), Some(sent(None, 0))), None);
    }

    #[test]
    fn words_tell_what_is_known() {
        let said = |end: UseReport| words(&end).unwrap_or_default();
        let second = 1_000_000_000;
        assert_eq!(said(end(None, None, false)), "");
        assert_eq!(
            said(end(Some(60 * second), None, false)),
            format!("has sent nothing for {}", human(60 * second))
        );
        let busy = UseReport { unread: 2, no_send: true, ..end(Some(60 * second), Some(second), true) };
        assert_eq!(
            said(busy),
            format!("sent last {} ago, 2 messages unread, shut down for sending", human(second))
        );
    }
}
