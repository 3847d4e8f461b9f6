//! Who answers for a server end whose client has left.

use crate::{
    attribution::who::Who,
    event::End,
    lifecycle::Accepted,
    session::{Holder, Session},
    verdict::Keeper,
};

/// Everybody whom an open server end concerns, each group once: those who hold it, and the process that accepted it if it does not
/// hold it any more. While that one holds it, nobody else is accused: a child may have inherited the end without knowing.
///
/// Where no descriptor scan found a holder, the acceptor is presumed to hold it. Of a connection whose accept was not seen, the one
/// that was found first to hold it is no more its acceptor than the others.
pub(super) fn keepers<'a>(
    session: &'a Session,
    connection: u64,
    accepted: &'a Accepted,
) -> Vec<(&'a Who, Keeper)> {
    let holders = session.holders(connection, End::Server).unwrap_or_default();
    match &accepted.by {
        None => Vec::new(),
        Some(_) if accepted.at.is_none() && !holders.is_empty() => keepers_unseen(holders),
        Some(acceptor) => keepers_among(holders, acceptor),
    }
}

fn keepers_unseen(holders: &[Holder]) -> Vec<(&Who, Keeper)> {
    let mut keepers: Vec<(&Who, Keeper)> = Vec::new();
    for holder in holders {
        if keepers.iter().all(|(known, _)| known.group != holder.who.group) {
            keepers.push((&holder.who, Keeper::Itself));
        }
    }
    if keepers.len() > 1 {
        keepers.iter_mut().for_each(|(_, keeper)| *keeper = Keeper::OneOfSeveral);
    }
    keepers
}

fn keepers_among<'a>(holders: &'a [Holder], acceptor: &'a Who) -> Vec<(&'a Who, Keeper)> {
    if holders.is_empty() {
        return vec![(acceptor, Keeper::Presumed)];
    }
    if holders.iter().any(|holder| holder.who.is_still(acceptor)) {
        return vec![(acceptor, Keeper::Itself)];
    }
    let mut keepers: Vec<(&Who, Keeper)> = Vec::new();
    let others = holders.iter().map(|holder| (&*holder.who, Keeper::Itself));
    for (who, keeper) in others.chain([(acceptor, Keeper::Another)]) {
        if keepers.iter().all(|(known, _)| known.group != who.group) {
            keepers.push((who, keeper));
        }
    }
    keepers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        assess::findings::{FindingReport, findings},
        event::{Actor, Comm, Held, HeldSocket, Peer, ProcessId, Reason, Record, What},
        testing::{accept, connect, event, feed, listener, process, release, session},
        verdict::Verdict,
    };

    const SECOND: u64 = 1_000_000_000;
    const NOW: u64 = 3600 * SECOND;
    const CLIENT: u32 = 7;
    const SERVER: u32 = 8;

    /// A process that runs its `exec_id`th program.
    fn described(pid: u32, exec_id: u32, program: &str) -> Record {
        let Record::Process(described) = process(pid, Some(program)) else { unreachable!() };
        let mut described = std::sync::Arc::unwrap_or_clone(described);
        described.id.exec_id = exec_id;
        Record::Process(std::sync::Arc::new(described))
    }

    /// What a scan finds of each of both connections.
    fn held(pid: u32, exec_id: u32, end: End) -> [Record; 2] {
        [1, 2].map(|connection| sighting(connection, pid, exec_id, end))
    }

    fn sighting(connection: u64, pid: u32, exec_id: u32, end: End) -> Record {
        let id = ProcessId { pid, start: u64::from(pid), exec_id };
        let holder = Actor { id, tid: pid, uid: None, gid: None, comm: Comm([b'x'; 16]) };
        let (inode, peer, own) = match end {
            End::Client => (1000 + connection, Peer::Open(2000 + connection), CLIENT),
            End::Server => (2000 + connection, Peer::Released, CLIENT),
        };
        let socket = HeldSocket::End { connection, is_seed: false, end, peer, opener: Some(own) };
        Record::Held(Held { at: 5 * SECOND, holder, fd: 3, inode, listener: 1, socket, usage: None })
    }

    /// Verdicts on two connections after a descriptor scan that found this; None without a scan.
    fn judged(leaves: bool, others: &[Record], scan: Option<&[[Record; 2]]>) -> Vec<(String, Verdict, bool)> {
        let mut session = session(&["a.sock"]);
        feed(&mut session, [described(CLIENT, 1, "/bin/c"), described(SERVER, 1, "/bin/inetd")]);
        feed(&mut session, others.iter().cloned());
        feed(&mut session, [listener(1, "/run/a.sock")]);
        for connection in [1, 2] {
            feed(
                &mut session,
                [event(1, CLIENT, connect(connection, 1)), event(2, SERVER, accept(connection, 1))],
            );
        }
        for connection in [1, 2].into_iter().filter(|_| leaves) {
            feed(&mut session, [event(3, CLIENT, release(connection, 1, End::Client))]);
        }
        if let Some(scan) = scan {
            feed(&mut session, [Record::RoundBegins]);
            feed(&mut session, scan.iter().flatten().cloned());
            feed(&mut session, [Record::RoundEnds]);
        }
        let found = findings(&session, NOW, false);
        let certain = |it: &FindingReport| !it.uncertain.iter().any(|why| why.contains("no descriptor scan"));
        let named = found.iter().filter(|it| it.verdict != Verdict::Healthy);
        let mut named: Vec<_> = named.map(|it| (it.program.clone(), it.verdict, certain(it))).collect();
        named.sort();
        named
    }

    fn one(program: &str, verdict: Verdict, certain: bool) -> (String, Verdict, bool) {
        (program.to_owned(), verdict, certain)
    }

    #[test]
    fn who_holds_a_server_end_is_accused() {
        use Verdict::{Inherited, ServerLeak};
        let server = |scan: Option<&[[Record; 2]]>| judged(true, &[described(9, 2, "/bin/handler")], scan);
        // Not scanned, or nobody found: presumed.
        assert_eq!(server(None), [one("/bin/inetd", ServerLeak, false)]);
        assert_eq!(server(Some(&[])), [one("/bin/inetd", ServerLeak, false)]);
        let (own, handler) = (held(SERVER, 1, End::Server), held(9, 2, End::Server));
        assert_eq!(server(Some(std::slice::from_ref(&own))), [one("/bin/inetd", ServerLeak, true)]);
        assert_eq!(server(Some(&[handler.clone(), own])), [one("/bin/inetd", ServerLeak, true)]);
        let handed_over = [one("/bin/handler", ServerLeak, true), one("/bin/inetd", Inherited, true)];
        assert_eq!(server(Some(&[handler.clone(), handler])), handed_over);
        // A child of the same program, as prefork servers have them.
        let child = judged(true, &[described(9, 1, "/bin/inetd")], Some(&[held(9, 1, End::Server)]));
        assert_eq!(child, [one("/bin/inetd", ServerLeak, true)]);
    }

    /// A worker was met first, at ends that another program accepted before tracing started.
    #[test]
    fn whoever_was_met_first_is_no_more_the_acceptor_than_others() {
        let found = |scans: &[&[(u32, &str)]]| {
            let mut session = session(&["a.sock"]);
            let descriptions = [(CLIENT, "/bin/c"), (SERVER, "/bin/server"), (9, "/bin/worker")];
            feed(&mut session, descriptions.map(|(pid, program)| described(pid, 1, program)));
            feed(&mut session, [listener(1, "/run/a.sock")]);
            for scan in scans {
                feed(&mut session, [Record::RoundBegins]);
                for connection in [1, 2] {
                    let ends = scan.iter().map(|&(pid, _)| {
                        let Record::Held(held) = sighting(connection, pid, 1, End::Server) else {
                            unreachable!()
                        };
                        let HeldSocket::End { connection, end, peer, opener, .. } = held.socket else {
                            unreachable!()
                        };
                        let socket = HeldSocket::End { connection, is_seed: true, end, peer, opener };
                        Record::Held(Held { socket, ..held })
                    });
                    feed(&mut session, ends);
                }
                feed(&mut session, [Record::RoundEnds, Record::RoundEnds]);
            }
            let found = findings(&session, NOW, false).into_iter();
            let told = found.filter(|it| it.verdict != Verdict::Healthy && it.program != "/bin/c");
            let seen = |it: &FindingReport| !it.uncertain.iter().any(|why| why.contains("not seen which"));
            let mut told: Vec<_> = told.map(|it| (it.program.clone(), it.verdict, seen(&it))).collect();
            told.sort();
            told
        };
        let (worker, server) = ((9, "/bin/worker"), (SERVER, "/bin/server"));
        let leak = |program, certain| one(program, Verdict::ServerLeak, certain);
        let both = [leak("/bin/server", false), leak("/bin/worker", false)];
        assert_eq!(found(&[&[worker, server]]), both);
        // The first lets go: the other one keeps them, and the first accepted nothing that is known of.
        assert_eq!(found(&[&[worker, server], &[server]]), [leak("/bin/server", true)]);
    }

    #[test]
    fn an_acceptor_that_executes_another_program_is_that_program() {
        use Verdict::{Inherited, ServerLeak};
        let after =
            |program| judged(true, &[described(SERVER, 2, program)], Some(&[held(SERVER, 2, End::Server)]));
        for reloaded in ["/bin/inetd", "/bin/inetd (deleted)"] {
            let found = after(reloaded);
            assert_eq!(found, [one("/bin/inetd", ServerLeak, true)], "{reloaded}");
        }
        let handed_over = [one("/bin/handler", ServerLeak, true), one("/bin/inetd", Inherited, true)];
        assert_eq!(after("/bin/handler"), handed_over);
    }

    #[test]
    fn an_opener_that_executes_another_program_has_passed_on_its_ends() {
        let after =
            |program| judged(false, &[described(CLIENT, 2, program)], Some(&[held(CLIENT, 2, End::Client)]));
        assert_eq!(after("/bin/service"), [one("/bin/c", Verdict::Inherited, true)]);
        assert_eq!(after("/bin/c"), [one("/bin/c", Verdict::Pool, true)]);
    }

    #[test]
    fn what_the_next_program_leaves_to_its_exit_is_not_the_openers_habit() {
        let exits = |program: &str, exec_id: u32| {
            let mut session = session(&["a.sock"]);
            let descriptions = [described(CLIENT, 1, "/bin/c"), described(CLIENT, exec_id, program)];
            feed(&mut session, descriptions.into_iter().chain([listener(1, "/run/a.sock")]));
            for connection in 1..=3 {
                let what =
                    What::Release { connection, listener: 1, end: End::Client, reason: Reason::Exit(0) };
                let Record::Event(mut left) = event(2, CLIENT, what) else { unreachable!() };
                left.actor.id.exec_id = exec_id;
                feed(&mut session, [event(1, CLIENT, connect(connection, 1)), Record::Event(left)]);
            }
            findings(&session, NOW, false).iter().any(|it| it.verdict == Verdict::ExitOnly)
        };
        assert!(exits("/bin/c", 1) && exits("/bin/c", 2));
        assert!(!exits("/bin/service", 2));
    }
}
