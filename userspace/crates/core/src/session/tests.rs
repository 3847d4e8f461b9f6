use std::collections::BTreeMap;

use super::*;
use crate::{
    event::{Actor, Comm, End, Frame, Held, HeldSocket, Peer, ProcessId, Reason, Stack},
    lifecycle::{LiveEnds, State},
    testing::*,
};

mod naming;
mod unfollowed;
mod unwatched;

/// The figures of a notice: path and connections open on the listener.
fn seen(session: &mut Session, record: Record) -> Option<(String, u64)> {
    match session.feed(record).notice {
        Some(Notice::Seen(seen)) => Some((seen.socket.path.clone(), seen.open)),
        _ => None,
    }
}

#[test]
fn listeners_that_nobody_asked_for_are_turned_down_once() {
    let mut session = session(&["/run/a.sock"]);
    assert!(matches!(session.feed(listener(1, "/run/a.sock")).notice, Some(Notice::Listener(_))));
    assert!(matches!(session.feed(listener(2, "/other/a.sock")).notice, Some(Notice::Ignored(2))));
    // What was under way in the ring before the kernel side knew is dropped, and is no sign of loss.
    assert!(session.feed(event(1, 7, connect(1, 2))).notice.is_none());
    assert_eq!(session.misfits(), 0);
    assert!(session.open().next().is_none());
}

#[test]
fn slots_are_counted_by_listener_and_programs_by_path() {
    let mut session = session(&["/run/a.sock"]);
    feed(&mut session, [process(7, Some("/bin/x")), listener(1, "/run/a.sock"), listener(2, "/run/a.sock")]);
    let path = || "/run/a.sock".to_owned();
    assert_eq!(seen(&mut session, event(1, 7, connect(1, 1))), Some((path(), 1)));
    assert_eq!(seen(&mut session, event(2, 7, connect(2, 1))), Some((path(), 2)));
    // After a reload: the slots of the new listener are free.
    assert_eq!(seen(&mut session, event(3, 7, connect(3, 2))), Some((path(), 1)));
    // The client's leaving frees no slot; the server's does.
    assert_eq!(seen(&mut session, event(4, 7, release(1, 1, End::Client))), Some((path(), 2)));
    assert_eq!(seen(&mut session, event(5, 9, release(1, 1, End::Server))), Some((path(), 1)));
    assert_eq!(seen(&mut session, event(6, 9, release(2, 1, End::Server))), Some((path(), 0)));
    let tallies: Vec<_> =
        session.tallies().map(|(_, _, tally)| (tally.opened(), tally.record.closed())).collect();
    assert_eq!((session.sockets().len(), tallies), (1, vec![(3, 1)]));
}

#[test]
fn attempts_before_there_is_a_listener_count_with_its_path() {
    let mut session = session(&["/run/a.sock"]);
    feed(&mut session, [process(7, Some("/bin/x")), event(1, 7, attempt(None, "/run/a.sock"))]);
    feed(&mut session, [listener(1, "/run/a.sock"), event(2, 7, connect(1, 1))]);
    feed(&mut session, [event(3, 7, attempt(Some(1), "a.sock")), event(4, 7, attempt(None, "/run/a.sock"))]);
    let tallies: Vec<_> =
        session.tallies().map(|(_, _, tally)| (tally.opened(), tally.record.failed().clone())).collect();
    assert_eq!((session.sockets().len(), tallies), (1, vec![(1, BTreeMap::from([(11, 3)]))]));
}

#[test]
fn attempts_elsewhere_and_by_unknown_processes_accuse_nobody() {
    let mut session = session(&["/run/a.sock"]);
    feed(&mut session, [process(7, Some("/bin/x")), event(1, 7, attempt(None, "/other/a.sock"))]);
    // Nobody knows in which mount namespace process 8 tried.
    feed(&mut session, [event(2, 8, attempt(None, "/run/a.sock"))]);
    assert_eq!(session.tallies().count(), 0);
}

#[test]
fn a_process_without_a_description_goes_by_its_name() {
    let mut session = session(&["a.sock"]);
    feed(&mut session, [listener(1, "/run/a.sock"), event(1, 7, connect(1, 1))]);
    let names: Vec<_> = session.tallies().map(|(_, program, _)| session.program(program)).collect();
    assert_eq!(names, ["[a-thread]"]);
}

#[test]
fn events_without_a_beginning_are_signs_of_loss() {
    let mut session = session(&["a.sock"]);
    assert!(session.feed(listener(1, "/run/a.sock")).notice.is_some());
    assert!(matches!(session.feed(event(1, 7, release(5, 1, End::Client))).notice, Some(Notice::Misfit)));
    assert!(matches!(session.feed(event(1, 7, accept(5, 9))).notice, Some(Notice::Misfit)));
    assert_eq!(session.misfits(), 2);
}

#[test]
fn lost_releases_free_their_slots() {
    let mut session = session(&["a.sock"]);
    feed(&mut session, [process(7, Some("/bin/x")), listener(1, "/run/a.sock")]);
    feed(&mut session, [event(1, 7, connect(1, 1)), event(2, 7, connect(2, 1)), event(3, 7, connect(3, 1))]);
    // Of connection 1 both releases were lost, of connection 2 the server's.
    let live = LiveEnds::from([(2, End::Client), (3, End::Client), (3, End::Server)]);
    let gone = session.gone_by(&live, 9 * SECOND);
    assert_eq!(gone.len(), 3);
    feed(&mut session, gone.into_iter().map(|(connection, end)| Record::Gone { connection, end }));
    let tallies: Vec<_> =
        session.tallies().map(|(_, _, tally)| (tally.opened(), tally.record.closed())).collect();
    assert_eq!(tallies, [(3, 1)]);
    assert_eq!(seen(&mut session, event(10, 7, connect(4, 1))), Some(("/run/a.sock".to_owned(), 2)));
}

fn held(connection: u64, pid: u32, end: End, peer: Peer) -> Record {
    let id = ProcessId { pid, start: u64::from(pid), exec_id: 1 };
    let holder = Actor { id, tid: pid, uid: None, gid: None, comm: Comm(*b"a-thread\0\0\0\0\0\0\0\0") };
    let socket = HeldSocket::End { connection, is_seed: true, end, peer, opener: Some(7) };
    Record::Held(Held {
        at: 5 * SECOND,
        holder,
        fd: 3,
        inode: 100 + u64::from(pid),
        listener: 1,
        socket,
        usage: None,
    })
}

#[test]
fn connections_from_before_the_trace_count_as_such() {
    let mut session = session(&["a.sock"]);
    feed(&mut session, [process(7, Some("/bin/x")), process(8, Some("/bin/d")), listener(1, "/run/a.sock")]);
    let round = |session: &mut Session| {
        // The server's descriptor comes by first: whose the other end is shows only with the client's.
        let rows = [held(9, 8, End::Server, Peer::Open(107)), held(9, 7, End::Client, Peer::Open(108))];
        feed(session, [Record::RoundBegins].into_iter().chain(rows).chain([Record::RoundEnds]));
    };
    assert_eq!(session.holders(9, End::Client), None);
    round(&mut session);
    round(&mut session);
    let tallies: Vec<_> = session
        .tallies()
        .map(|(_, who, tally)| (session.program(who), tally.opened(), tally.before_trace))
        .collect();
    assert_eq!(tallies, [("/bin/x", 0, 1)]);
    let holders =
        |end| session.holders(9, end).map(|it| it.iter().map(|it| it.who.actor.id.pid).collect::<Vec<_>>());
    assert_eq!((holders(End::Client), holders(End::Server)), (Some(vec![7]), Some(vec![8])));
    // It takes a slot until its server end goes, and counts as closed then.
    assert_eq!(seen(&mut session, event(6, 7, connect(1, 1))), Some(("/run/a.sock".to_owned(), 2)));
    feed(&mut session, [event(7, 7, release(9, 1, End::Client))]);
    assert_eq!(
        seen(&mut session, event(8, 8, release(9, 1, End::Server))),
        Some(("/run/a.sock".to_owned(), 1))
    );
    assert_eq!(session.tallies().map(|(_, _, tally)| tally.record.closed()).collect::<Vec<_>>(), [1]);
    assert_eq!(session.holders(9, End::Client), Some(&[][..]));
}

#[test]
fn one_abandoned_before_the_trace_is_in_nobodys_hands() {
    let mut session = session(&["a.sock"]);
    feed(&mut session, [process(8, Some("/bin/d")), listener(1, "/run/a.sock"), Record::RoundBegins]);
    let Record::Held(through_listener) = held(9, 8, End::Server, Peer::Released) else {
        unreachable!("it is a descriptor")
    };
    feed(&mut session, [Record::Held(Held { inode: 0, ..through_listener }), Record::RoundEnds]);
    feed(&mut session, [Record::RoundBegins, Record::RoundEnds]);
    let found: Vec<_> = session
        .open()
        .map(|(_, it)| (it.state(), it.opener.actor.id.pid, it.accepted.is_none(), it.client_inode))
        .collect();
    assert_eq!(found, [(State::Abandoned, 7, true, 0)]);
    assert_eq!(session.holders(9, End::Server), Some(&[][..]));
    // The server takes it after all.
    let accepted = What::Accept { connection: 9, listener: 1, server_inode: 109 };
    feed(&mut session, [event(6, 8, accepted)]);
    assert_eq!(session.open().map(|(_, it)| it.state()).collect::<Vec<_>>(), [State::ClientClosed]);
    feed(&mut session, [event(7, 8, release(9, 1, End::Server))]);
    assert_eq!(session.open().count(), 0);
}

#[test]
fn an_heir_is_not_taken_for_the_opener() {
    let mut session = session(&["a.sock"]);
    feed(&mut session, [process(9, Some("/bin/heir")), listener(1, "/run/a.sock"), Record::RoundBegins]);
    feed(&mut session, [held(9, 9, End::Client, Peer::Open(1)), Record::RoundEnds]);
    // The opener's own descriptor may still come by in the next round.
    assert_eq!(session.tallies().count(), 0);
    feed(&mut session, [Record::RoundBegins, Record::RoundEnds]);
    let tallies: Vec<_> = session.tallies().map(|(_, who, _)| session.program(who)).collect();
    assert_eq!(tallies, ["[unknown]"]);
    assert_eq!(session.open().map(|(_, it)| it.opener.actor.id.pid).collect::<Vec<_>>(), [7]);
}

#[test]
fn an_opener_may_become_known_later() {
    let mut session = session(&["a.sock"]);
    feed(&mut session, [process(7, Some("/bin/x")), process(8, Some("/bin/d")), listener(1, "/run/a.sock")]);
    feed(&mut session, [Record::RoundBegins, held(9, 8, End::Server, Peer::Open(107)), Record::RoundEnds]);
    // Something happens to another connection, and to a descriptor of this one, before its client is met.
    feed(&mut session, [event(6, 7, connect(1, 1)), Record::RoundBegins, Record::RoundEnds]);
    let programs = |session: &Session| {
        let tallies = session.tallies();
        tallies
            .map(|(_, who, tally)| (session.program(who).to_owned(), tally.before_trace, tally.slots))
            .collect::<Vec<_>>()
    };
    assert_eq!(programs(&session), [("/bin/x".to_owned(), 0, 0), ("[unknown]".to_owned(), 1, 1)]);
    feed(&mut session, [Record::RoundBegins, held(9, 7, End::Client, Peer::Open(108)), Record::RoundEnds]);
    assert_eq!(programs(&session), [("/bin/x".to_owned(), 1, 1)]);
    feed(&mut session, [event(7, 7, release(9, 1, End::Client)), event(8, 8, release(9, 1, End::Server))]);
    let counts: Vec<_> = session
        .tallies()
        .map(|(_, _, tally)| (tally.record.opened(), tally.record.closed(), tally.slots))
        .collect();
    assert_eq!(counts, [(2, 1, 0)]);
}

#[test]
fn a_round_broken_off_does_not_replace_the_last() {
    let mut session = session(&["a.sock"]);
    feed(&mut session, [listener(1, "/run/a.sock"), Record::RoundBegins]);
    feed(&mut session, [held(9, 7, End::Client, Peer::Queued), Record::RoundEnds, Record::RoundBegins]);
    assert_eq!(session.holders(9, End::Client).map(<[Holder]>::len), Some(1));
    feed(&mut session, [Record::RoundEnds]);
    assert_eq!(session.holders(9, End::Client).map(<[Holder]>::len), Some(0));
}

#[test]
fn places_in_programs_are_groups_where_stacks_were_taken() {
    let settings = Settings { by: By::Stack, ..Settings::default() };
    let mut session = session_with(&["/run/a.sock"], settings);
    let stack = |connection, function: &str| {
        let named = |function: &str| Frame { function: Some(function.into()), ..Frame::default() };
        let libc = Frame { module: Some("/lib/libc.so.6".into()), ..named("connect") };
        Record::Stack(Stack { connection, frames: [libc, named(function), named("main")].into() })
    };
    feed(&mut session, [process(7, Some("/bin/x")), listener(1, "/run/a.sock")]);
    feed(&mut session, [stack(1, "query"), event(1, 7, connect(1, 1)), event(2, 7, accept(1, 1))]);
    feed(&mut session, [stack(2, "query"), event(3, 7, connect(2, 1))]);
    feed(
        &mut session,
        [stack(3, "watch"), event(4, 7, connect(3, 1)), event(5, 7, release(3, 1, End::Client))],
    );
    // No stack was taken of the last one.
    feed(&mut session, [event(6, 7, connect(4, 1))]);
    let opened: BTreeMap<_, _> =
        session.tallies().map(|(_, group, tally)| (session.program(group), tally.opened())).collect();
    assert_eq!(opened, BTreeMap::from([("/bin/x", 1), ("/bin/x: query", 2), ("/bin/x: watch", 1)]));
    assert!(session.open().all(|(_, connection)| session.program(connection.opener.program) == "/bin/x"));
}
