//! Times in which nothing was watched, as after a restart on a kernel that keeps nothing.

use super::*;

/// What a round says of an end of connection `old`, which it gives the number `new`; the listener has a new number too.
fn found(new: u64, old: u64, end: End, peer: Peer) -> Record {
    let (pid, inode) = if end == End::Client { (7, 1000 + old) } else { (8, 2000 + old) };
    let id = ProcessId { pid, start: u64::from(pid), exec_id: 1 };
    let holder = Actor { id, tid: pid, uid: None, gid: None, comm: Comm(*b"a-thread\0\0\0\0\0\0\0\0") };
    let socket = HeldSocket::End { connection: new, is_seed: true, end, peer, opener: Some(7) };
    Record::Held(Held { at: 21 * SECOND, holder, fd: 3, inode, listener: 2, socket, usage: None })
}

/// Three connections, all accepted; the client of the third has gone. Then nothing is watched from second 10 to 20.
fn scene() -> Session {
    let mut session = session(&["a.sock"]);
    feed(&mut session, [process(7, Some("/bin/x")), process(8, Some("/bin/d")), listener(1, "/run/a.sock")]);
    for id in 1..=3 {
        feed(&mut session, [event(id, 7, connect(id, 1)), event(id, 8, accept(id, 1))]);
    }
    feed(&mut session, [event(9, 7, release(3, 1, End::Client))]);
    feed(&mut session, [Record::Unwatched { since: 10 * SECOND, until: 20 * SECOND }]);
    feed(&mut session, [listener(2, "/run/a.sock")]);
    session
}

fn states(session: &Session) -> Vec<(u64, State, u64)> {
    let mut states: Vec<_> = session.open().map(|(_, it)| (it.id, it.state(), it.opened / SECOND)).collect();
    states.sort_unstable_by_key(|state| state.0);
    states
}

#[test]
fn what_is_still_open_is_found_again_and_no_slot_is_taken_meanwhile() {
    let mut session = scene();
    assert_eq!(session.blind(), (1, 10 * SECOND));
    assert_eq!(session.sockets()[0].slots, 0);
    let rows = [
        found(101, 1, End::Client, Peer::Open(2001)),
        found(101, 1, End::Server, Peer::Open(1001)),
        found(103, 3, End::Server, Peer::Released),
    ];
    feed(&mut session, [Record::RoundBegins].into_iter().chain(rows).chain([Record::RoundEnds]));
    assert_eq!(session.sockets()[0].slots, 2);
    // The second was closed while nobody watched.
    assert_eq!(session.lost(), [(2, End::Client), (2, End::Server)]);
    let lost = session.lost();
    feed(&mut session, lost.into_iter().map(|(connection, end)| Record::Gone { connection, end }));
    assert_eq!(session.lost(), []);
    assert_eq!(states(&session), [(101, State::Open, 1), (103, State::ClientClosed, 3)]);
    let tallies: Vec<_> = session
        .tallies()
        .map(|(_, who, it)| (session.program(who), it.opened(), it.before_trace, it.record.closed()))
        .collect();
    assert_eq!(tallies, [("/bin/x", 3, 0, 1)]);
    // From now on they go by the new numbers.
    feed(
        &mut session,
        [event(30, 7, release(101, 2, End::Client)), event(31, 8, release(101, 2, End::Server))],
    );
    feed(&mut session, [event(32, 8, release(103, 2, End::Server))]);
    assert_eq!((states(&session), session.sockets()[0].slots), (vec![], 0));
}

#[test]
fn the_other_end_is_there_as_soon_as_one_is_found() {
    let mut session = scene();
    feed(&mut session, [found(101, 1, End::Server, Peer::Open(1001))]);
    assert!(
        session.open().any(|(_, it)| (it.id, it.client.is_open(), it.server.is_open()) == (101, true, true))
    );
    assert_eq!(session.sockets()[0].slots, 1);
    // Of one that was opened meanwhile, nothing is known but what the round says.
    feed(&mut session, [found(109, 9, End::Client, Peer::Open(2009)), Record::RoundEnds]);
    assert_eq!(session.sockets()[0].slots, 2);
}
