//! Sockets that have one path in several namespaces.

use super::*;

fn listener_in(namespace: u32, folder: u64, id: u64) -> Record {
    let Record::Listener(known) = listener(id, "/run/a.sock") else { unreachable!("it is a listener") };
    let known = Arc::unwrap_or_clone(known);
    Record::Listener(Arc::new(Listener { mount_namespace: namespace, directory_inode: folder, ..known }))
}

fn closed(id: u64) -> Record {
    event(9, 8, What::ListenerClosed { listener: id, reason: Reason::Close })
}

fn names(session: &Session) -> Vec<&str> {
    session.sockets().iter().map(|socket| socket.name.as_str()).collect()
}

fn fed(records: impl IntoIterator<Item = Record>) -> Session {
    let mut session = session(&["a.sock"]);
    feed(&mut session, [process(7, Some("/bin/x")), process(8, Some("/bin/d"))]);
    feed(&mut session, records);
    session
}

#[test]
fn the_second_has_its_namespace_behind_it_and_the_first_keeps_its_name() {
    let session = fed([listener_in(OURS, 1, 1), listener_in(20, 2, 2), listener_in(30, 3, 3)]);
    let expected = ["/run/a.sock", "/run/a.sock (mount namespace 20)", "/run/a.sock (mount namespace 30)"];
    assert_eq!(names(&session), expected);
    assert!(session.sockets().iter().all(|socket| socket.path == "/run/a.sock"));
}

#[test]
fn a_server_that_is_restarted_in_another_namespace_listens_on_the_same_socket() {
    let mut session = fed([listener_in(20, 2, 1), event(1, 7, connect(1, 1)), event(1, 8, accept(1, 1))]);
    for (id, namespace) in [(2, 21), (3, 22), (4, 20), (5, 23)] {
        feed(&mut session, [closed(id - 1), listener_in(namespace, 2 + id, id)]);
        feed(&mut session, [event(10, 7, connect(id, id)), event(10, 8, accept(id, id))]);
    }
    assert_eq!(names(&session), ["/run/a.sock"]);
    assert_eq!(session.sockets()[0].slots, 5);
    // Namespaces that nobody listens in any more are forgotten, but the first.
    assert_eq!(session.by_name.len(), 2);
}

#[test]
fn one_folder_is_one_place_in_every_namespace() {
    let session = fed([listener_in(20, 2, 1), listener_in(21, 2, 2)]);
    assert_eq!(names(&session), ["/run/a.sock"]);
}

#[test]
fn a_failure_counts_where_somebody_listens() {
    let mut session = fed([listener_in(20, 2, 1), listener_in(21, 3, 2), closed(1)]);
    feed(&mut session, [event(10, 7, attempt(None, "/run/a.sock"))]);
    let failed: Vec<_> = session.tallies().map(|(socket, ..)| socket).collect();
    assert_eq!(failed, [SocketId(1)]);
    // Somebody else who listens elsewhere, while the first one does not, takes nothing from it when it is back.
    feed(&mut session, [closed(2), listener_in(40, 9, 3), listener_in(20, 2, 4)]);
    assert_eq!(names(&session), ["/run/a.sock", "/run/a.sock (mount namespace 21)"]);
}
