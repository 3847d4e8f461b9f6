use proptest::prelude::*;

use super::*;
use crate::{
    attribution::who::ProgramId,
    event::{Actor, Comm, ProcessId, Queue},
    lifecycle::State,
};

pub(in crate::lifecycle) fn who(pid: u32) -> Arc<Who> {
    let id = ProcessId { pid, start: 1, exec_id: 0 };
    let actor = Actor { id, tid: pid, uid: Some(0), gid: Some(0), comm: Comm([0; 16]) };
    Arc::new(Who { actor, program: ProgramId(0), group: ProgramId(0), process: None })
}

pub(in crate::lifecycle) fn connect(connection: u64) -> What {
    let queue = Queue { length: 0, max: 10 };
    What::Connect {
        connection,
        listener: 1,
        client_inode: connection + 100,
        queue,
        client_untracked: false,
        server_untracked: false,
    }
}

pub(in crate::lifecycle) fn accept(connection: u64) -> What {
    What::Accept { connection, listener: 1, server_inode: connection + 200 }
}

pub(in crate::lifecycle) fn release(connection: u64, end: End) -> What {
    What::Release { connection, listener: 1, end, reason: Reason::Close }
}

/// Applies events to connection 1 and tells its state after each.
fn states(events: &[What]) -> Vec<State> {
    let mut table = Table::default();
    let mut states = Vec::new();
    for (at, what) in events.iter().enumerate() {
        match table.apply(at as u64, who(1), what) {
            Ok(Some(Change::Closed(connection))) => states.push(connection.state()),
            Ok(Some(Change::Live(id))) => states.extend(table.get(id).map(Connection::state)),
            other => panic!("{what:?}: {other:?}"),
        }
    }
    states
}

#[test]
fn each_life_passes_through_its_states() {
    use State::{Abandoned, ClientClosed, Closed, Open, Queued, ServerClosed};
    let (client, server) = (release(1, End::Client), release(1, End::Server));
    let cases: [(&[What], &[State]); 5] = [
        (&[connect(1), accept(1), client.clone(), server.clone()], &[Queued, Open, ClientClosed, Closed]),
        (&[connect(1), accept(1), server.clone(), client.clone()], &[Queued, Open, ServerClosed, Closed]),
        // The client leaves the queue's place behind, and the server accepts it all the same.
        (
            &[connect(1), client.clone(), accept(1), server.clone()],
            &[Queued, Abandoned, ClientClosed, Closed],
        ),
        // The listener closes first.
        (&[connect(1), server.clone(), client.clone()], &[Queued, ServerClosed, Closed]),
        (&[connect(1), client, server], &[Queued, Abandoned, Closed]),
    ];
    for (events, expected) in cases {
        assert_eq!(states(events), expected, "{events:?}");
    }
}

#[test]
fn untracked_ends_stay_unknown() {
    let mut table = Table::default();
    let What::Connect { connection, listener, client_inode, queue, .. } = connect(1) else { unreachable!() };
    let what = What::Connect {
        connection,
        listener,
        client_inode,
        queue,
        client_untracked: false,
        server_untracked: true,
    };
    assert_eq!(table.apply(0, who(1), &what), Ok(Some(Change::Live(1))));
    // Not "queued": nobody knows whether it was accepted.
    assert_eq!(table.get(1).map(Connection::state), Some(State::Open));
    assert_eq!(table.apply(1, who(1), &release(1, End::Client)), Ok(Some(Change::Live(1))));
    assert_eq!(
        table.get(1).map(|c| (c.state(), c.server.clone())),
        Some((State::ClientClosed, EndState::Unknown))
    );
}

#[test]
fn what_does_not_fit_changes_nothing() {
    let mut table = Table::default();
    for what in [accept(1), release(1, End::Client)] {
        assert_eq!(table.apply(0, who(1), &what), Err(Anomaly::Unknown));
    }
    for what in [connect(1), accept(1), release(1, End::Client)] {
        assert!(table.apply(0, who(1), &what).is_ok());
        let before = table.get(1).cloned();
        assert_eq!(table.apply(9, who(2), &what), Err(Anomaly::Repeated));
        assert_eq!(table.get(1).cloned(), before);
    }
}

/// Which lives a random session has: whether each connection is accepted, and which ends are released.
fn lives() -> impl Strategy<Value = Vec<(bool, bool, bool)>> {
    prop::collection::vec(any::<(bool, bool, bool)>(), 1..40)
}

proptest! {
    /// However the events of different connections interleave, the table ends with exactly those that were not
    /// released at both ends, each in its own state.
    #[test]
    fn interleaving_does_not_matter(lives in lives(), seed in any::<u64>()) {
        let mut queues: Vec<Vec<What>> = lives.iter().enumerate().map(|(i, &(accepted, client, server))| {
            let id = i as u64;
            let mut events = vec![connect(id)];
            events.extend(accepted.then(|| accept(id)));
            events.extend(client.then(|| release(id, End::Client)));
            events.extend(server.then(|| release(id, End::Server)));
            events.reverse();
            events
        }).collect();
        let mut table = Table::default();
        let mut random = seed;
        while queues.iter().any(|queue| !queue.is_empty()) {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let pick = (random >> 33) as usize % queues.len();
            if let Some(what) = queues[pick].pop() {
                prop_assert!(table.apply(0, who(1), &what).is_ok());
            }
        }
        for (i, &(accepted, client, server)) in lives.iter().enumerate() {
            let expected = match (accepted, client, server) {
                (_, true, true) => None,
                (_, false, true) => Some(State::ServerClosed),
                (true, true, false) => Some(State::ClientClosed),
                (false, true, false) => Some(State::Abandoned),
                (true, false, false) => Some(State::Open),
                (false, false, false) => Some(State::Queued),
            };
            prop_assert_eq!(table.get(i as u64).map(Connection::state), expected);
        }
    }
}

#[test]
fn a_connection_takes_little_memory() {
    // There may be millions. Who did something is shared, and not counted here.
    assert!(size_of::<Connection>() <= 136, "{}", size_of::<Connection>());
}
