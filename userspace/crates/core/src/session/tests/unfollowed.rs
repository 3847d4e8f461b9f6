//! Connections for whose ends the kernel side had no room: there may be any number, and of none it is known when it ends.

use super::*;

/// More than are kept.
const MANY: u64 = 20_000;

/// A connection of which the ends in question found no room.
fn without_room(id: u64, client_untracked: bool, server_untracked: bool) -> What {
    let What::Connect { listener, queue, .. } = connect(id, 1) else { unreachable!("it is a connect") };
    let client_inode = 1000 + id;
    What::Connect { connection: id, listener, client_inode, queue, client_untracked, server_untracked }
}

#[test]
fn they_take_no_more_than_so_much_room() {
    let mut session = session(&["a.sock"]);
    feed(&mut session, [process(7, Some("/bin/x")), process(8, Some("/bin/d")), listener(1, "/run/a.sock")]);
    // One that is followed is there before them, and stays.
    feed(&mut session, [event(1, 7, connect(1, 1)), event(1, 8, accept(1, 1))]);
    for id in 2..MANY {
        feed(&mut session, [event(id, 7, without_room(id, id % 2 == 0, true))]);
        if id % 2 == 1 {
            // Of this one the client's end was followed, and is heard of to its end.
            feed(&mut session, [event(id, 7, release(id, 1, End::Client))]);
        }
    }
    let open: Vec<_> = session.open().map(|(_, it)| it.id).collect();
    assert!(open.contains(&1) && open.contains(&(MANY - 1)) && !open.contains(&2), "{}", open.len());
    assert!((3000..4200).contains(&open.len()), "{}", open.len());
    // Each is there or counted, and none counts as closed.
    assert_eq!(session.forgotten() + open.len() as u64, MANY - 1);
    let tallies: Vec<_> = session.tallies().map(|(_, _, it)| (it.opened(), it.record.closed())).collect();
    assert_eq!(tallies, [(MANY - 1, 0)]);
    assert_eq!(session.sockets()[0].slots, 1);
    let report =
        crate::assess::Report::new(&session, crate::assess::Coverage { now: SECOND, ..Default::default() });
    let sentence = format!("{} connections have an end that could not be followed", MANY - 2);
    assert_eq!(report.incomplete_because, [sentence]);
}

/// The server's end of one was followed: it takes a slot no more when it is forgotten.
#[test]
fn their_slots_are_given_back() {
    let mut session = session(&["a.sock"]);
    feed(&mut session, [process(7, Some("/bin/x")), process(8, Some("/bin/d")), listener(1, "/run/a.sock")]);
    feed(&mut session, [event(1, 7, without_room(1, true, false)), event(1, 8, accept(1, 1))]);
    assert_eq!(session.sockets()[0].slots, 1);
    for id in 2..MANY {
        feed(&mut session, [event(id, 7, without_room(id, true, true))]);
    }
    assert!(session.forgotten() > 0);
    assert_eq!(session.sockets()[0].slots, 0);
}

/// Once some were forgotten, a descriptor scan may find one of them, or one from before tracing: nobody can tell, and it is not
/// counted a second time.
#[test]
fn one_that_was_forgotten_is_not_met_as_from_before_the_trace() {
    let mut session = session(&["a.sock"]);
    feed(&mut session, [process(7, Some("/bin/x")), process(8, Some("/bin/d")), listener(1, "/run/a.sock")]);
    for id in 1..MANY {
        feed(&mut session, [event(id, 7, without_room(id, true, true))]);
    }
    assert!(session.forgotten() > 0);
    let open = session.open().count();
    for (id, end, peer) in [
        (MANY + 1, End::Client, Peer::Open(9)),
        (MANY + 1, End::Server, Peer::Open(9)),
        (MANY + 2, End::Client, Peer::Released),
    ] {
        feed(&mut session, [Record::RoundBegins]);
        let notice = session.feed(held(id, 7, end, peer)).notice;
        assert!(matches!(notice, Some(Notice::Stranger)), "{notice:?}");
        feed(&mut session, [Record::RoundEnds]);
    }
    assert_eq!(session.open().count(), open);
    // It is known to be none of ours when it goes; then its number means nothing any more.
    for (id, end) in [(MANY + 1, End::Client), (MANY + 1, End::Server), (MANY + 2, End::Client)] {
        let notice = session.feed(event(MANY, 7, release(id, 1, end))).notice;
        assert!(matches!(notice, Some(Notice::Stranger)), "{notice:?}");
    }
    assert!(matches!(
        session.feed(event(MANY, 7, release(MANY + 2, 1, End::Client))).notice,
        Some(Notice::Misfit)
    ));
    let tallies: Vec<_> =
        session.tallies().map(|(_, _, it)| (it.opened(), it.before_trace, it.record.closed())).collect();
    assert_eq!(tallies, [(MANY - 1, 0, 0)]);
}

/// An accepted end whose client is gone may be of a connection whose ends found no room, as long as nobody has found that one.
#[test]
fn an_orphan_is_counted_once_it_can_be_of_nobody_else() {
    let mut session = session(&["a.sock"]);
    feed(&mut session, [process(7, Some("/bin/x")), process(8, Some("/bin/d")), listener(1, "/run/a.sock")]);
    let before_trace = |session: &Session| session.tallies().map(|(_, _, it)| it.before_trace).sum::<u64>();
    let scan = |session: &mut Session, found: Vec<Record>| {
        feed(
            session,
            std::iter::once(Record::RoundBegins).chain(found).chain([Record::RoundEnds, Record::RoundEnds]),
        );
    };
    let orphan = |id| held(id, 8, End::Server, Peer::Released);
    // The client of the one without room is followed, and open.
    feed(&mut session, [event(1, 7, without_room(1, false, true))]);
    scan(&mut session, vec![orphan(101)]);
    assert_eq!(before_trace(&session), 1);
    feed(&mut session, [event(2, 7, without_room(2, true, true))]);
    scan(&mut session, vec![orphan(102)]);
    assert_eq!(before_trace(&session), 1, "it may be of the second");
    // A scan finds that at its client, under a number of the kernel side's.
    let Record::Held(client) = held(202, 7, End::Client, Peer::Open(5002)) else { unreachable!("it is one") };
    scan(&mut session, vec![Record::Held(Held { inode: 1002, ..client }), orphan(102)]);
    assert_eq!(before_trace(&session), 2);
    assert_eq!(session.open().count(), 4);
}
