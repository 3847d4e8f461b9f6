use super::*;
use crate::{
    event::What,
    lifecycle::{
        State,
        table::tests::{accept, connect, release, who},
    },
};

const AT: u64 = 50;

fn found(connection: u64, end: End, peer: Peer) -> Found {
    Found {
        at: AT,
        connection,
        is_seed: true,
        listener: 1,
        end,
        inode: if end == End::Client { 100 } else { 200 },
        peer,
        holder: who(7),
        opener: who(7),
    }
}

fn state(table: &Table, id: u64) -> Option<State> {
    table.get(id).map(Connection::state)
}

#[test]
fn a_first_sight_tells_the_state_of_both_ends() {
    use End::{Client, Server};
    use Peer::{Open, Queued, Released};
    for (end, peer, expected) in [
        (Client, Open(200), State::Open),
        (Client, Queued, State::Queued),
        (Client, Released, State::ServerClosed),
        (Server, Open(100), State::Open),
        (Server, Released, State::ClientClosed),
    ] {
        let mut table = Table::default();
        assert_eq!(table.find(&found(9, end, peer)), Ok((Change::Live(9), true)));
        assert_eq!(state(&table, 9), Some(expected), "{end:?} {peer:?}");
        let connection = table.get(9).expect("it was entered");
        assert_eq!((connection.origin, connection.opened), (Origin::BeforeTrace, AT));
    }
}

#[test]
fn the_second_descriptor_completes_the_first() {
    let mut table = Table::default();
    assert!(table.find(&found(9, End::Client, Peer::Open(200))).is_ok_and(|(_, is_new)| is_new));
    let accepted = |table: &Table| table.get(9).and_then(|it| it.accepted.clone());
    assert_eq!(accepted(&table), Some(Accepted { at: None, by: None, inode: 200 }));
    let server = Found { holder: who(8), ..found(9, End::Server, Peer::Open(100)) };
    assert!(table.find(&server).is_ok_and(|(_, is_new)| !is_new));
    assert_eq!(accepted(&table), Some(Accepted { at: None, by: Some(who(8)), inode: 200 }));
    // A process that inherited the end did not accept it.
    let heir = Found { holder: who(9), ..server };
    assert!(table.find(&heir).is_ok());
    assert_eq!(accepted(&table).and_then(|accepted| accepted.by), Some(who(8)));
}

#[test]
fn what_was_seen_is_not_seen_anew() {
    let mut table = Table::default();
    for what in [connect(1), accept(1)] {
        assert!(table.apply(5, who(3), &what).is_ok());
    }
    let before = table.get(1).cloned();
    let row = Found { is_seed: false, inode: 101, ..found(1, End::Client, Peer::Open(201)) };
    assert_eq!(table.find(&row), Ok((Change::Live(1), false)));
    assert_eq!(table.get(1).cloned(), before);
}

#[test]
fn one_without_room_at_its_start_is_not_met_as_a_second_one() {
    for (end, peer) in
        [(End::Client, Peer::Open(201)), (End::Client, Peer::Queued), (End::Server, Peer::Open(101))]
    {
        let mut table = Table::default();
        let mut start = connect(1);
        if let What::Connect { client_untracked, server_untracked, .. } = &mut start {
            (*client_untracked, *server_untracked) = (true, true);
        }
        assert!(table.apply(5, who(3), &start).is_ok());
        // Of which connection this is the end nobody can tell.
        let orphan = found(8, End::Server, Peer::Released);
        assert_eq!(table.find(&orphan), Err(Anomaly::Unknown));
        let row = Found { inode: if end == End::Client { 101 } else { 201 }, ..found(9, end, peer) };
        assert_eq!(table.find(&row), Ok((Change::Live(9), false)));
        let connection = table.get(9).expect("it has the round's number");
        assert_eq!((connection.opened, &connection.opener), (5, &who(3)));
        assert_eq!((connection.origin, table.iter().count()), (Origin::Seen, 1));
        // Nothing is unfollowed any more.
        assert!(table.find(&orphan).is_ok());
    }
}

/// A connection with an end that found no room on the kernel side, while the other did.
fn half_followed(client_untracked: bool) -> Table {
    let mut table = Table::default();
    let mut start = connect(1);
    if let What::Connect { client_untracked: client, server_untracked: server, .. } = &mut start {
        (*client, *server) = (client_untracked, !client_untracked);
    }
    assert!(table.apply(5, who(3), &start).is_ok());
    table
}

#[test]
fn an_end_without_room_is_not_taken_for_released() {
    for (end, peer) in [(End::Client, Peer::Open(201)), (End::Server, Peer::Open(101))] {
        let mut table = half_followed(end == End::Server);
        let row = Found { is_seed: false, ..found(1, end, peer) };
        assert_eq!(table.find(&row), Ok((Change::Live(1), false)));
        // The kernel side knows but this end: it had entered the other at the start, or never.
        assert_eq!(table.gone_by(&[(1, end)].into(), AT), [], "{end:?}");
        assert_eq!(state(&table, 1), Some(State::Open));
    }
}

#[test]
fn one_with_a_single_end_is_known_again_by_its_client() {
    let mut table = half_followed(true);
    assert!(table.apply(6, who(4), &release(1, End::Server)).is_ok());
    let row = Found { inode: 101, ..found(9, End::Client, Peer::Released) };
    assert_eq!(table.find(&row), Ok((Change::Live(9), false)));
    let connection = table.get(9).expect("it has the scan's number");
    assert_eq!(
        (connection.origin, connection.opened, connection.state()),
        (Origin::Seen, 5, State::ServerClosed)
    );
    // If the client that was followed is gone, nobody can tell whose server end this is.
    let mut table = half_followed(false);
    assert!(table.apply(6, who(3), &release(1, End::Client)).is_ok());
    assert_eq!(table.find(&found(9, End::Server, Peer::Released)), Err(Anomaly::Unknown));
    assert_eq!(table.iter().count(), 1);
}

#[test]
fn lost_records_are_made_up_for() {
    let mut table = Table::default();
    assert!(table.apply(5, who(3), &connect(1)).is_ok());
    // The accept was lost.
    let row = Found { is_seed: false, ..found(1, End::Server, Peer::Open(101)) };
    assert!(table.find(&row).is_ok());
    assert_eq!(state(&table, 1), Some(State::Open));
    // So was the client's release.
    assert!(table.find(&Found { peer: Peer::Released, ..row }).is_ok());
    assert_eq!(state(&table, 1), Some(State::ClientClosed));
    assert_eq!(table.get(1).map(|it| it.client.clone()), Some(EndState::ReleasedUnseen { known: Some(AT) }));
    // The start was lost.
    let row = Found { is_seed: false, ..found(2, End::Client, Peer::Queued) };
    assert!(table.find(&row).is_ok_and(|(_, is_new)| is_new));
    assert_eq!(table.get(2).map(|it| it.origin), Some(Origin::StartLost));
}

#[test]
fn a_released_end_never_opens_again() {
    let mut table = Table::default();
    for what in [connect(1), release(1, End::Client)] {
        assert!(table.apply(5, who(3), &what).is_ok());
    }
    assert_eq!(table.find(&found(1, End::Client, Peer::Open(1))), Err(Anomaly::Repeated));
    assert_eq!(state(&table, 1), Some(State::Abandoned));
}

#[test]
fn seeds_are_released_like_any_other() {
    let mut table = Table::default();
    assert!(table.find(&found(9, End::Client, Peer::Open(200))).is_ok());
    assert!(table.apply(60, who(7), &release(9, End::Client)).is_ok());
    assert_eq!(state(&table, 9), Some(State::ClientClosed));
    let closed = table.apply(61, who(8), &release(9, End::Server));
    assert!(matches!(closed, Ok(Some(Change::Closed(_)))));
}

#[test]
fn one_that_was_lost_from_sight_in_the_queue_is_there_again() {
    let mut table = Table::default();
    for what in [connect(1), connect(2), connect(3), accept(3)] {
        assert!(table.apply(5, who(3), &what).is_ok());
    }
    table.lose_sight(|_, _| ());
    // The first waits still, and the kernel side followed it all the while. Of the second nothing is found.
    let row = Found { is_seed: false, inode: 101, ..found(1, End::Client, Peer::Queued) };
    assert_eq!(table.find(&row), Ok((Change::Live(1), false)));
    assert_eq!(state(&table, 1), Some(State::Queued));
    // The server has released the third meanwhile.
    let row = Found { is_seed: false, inode: 103, ..found(3, End::Client, Peer::Released) };
    assert!(table.find(&row).is_ok());
    assert_eq!(state(&table, 3), Some(State::ServerClosed));
    assert_eq!(table.lost(), [(2, End::Client), (2, End::Server)]);
}
