//! Descriptors are counted by kind, and sockets by whose connections they are.

use sockleak_core::event::Queue;

use super::*;
use crate::survey::{End, Listener};

/// A server on /run/a with the clients 21, 22 and (waiting) 23; a pair; a name of which the listener is gone.
fn facts() -> Facts {
    let bound = |file| Bound::File(file, 1);
    let end = |inode, peer, bound: Option<(u64, &str)>| End {
        inode,
        peer: Some(peer),
        bound: bound.map(|(file, name)| (Bound::File(file, 1), name.to_owned())),
    };
    let listener = Listener {
        inode: 1,
        path: "/run/a".to_owned(),
        bound: bound(5),
        namespace: 1,
        queue: Queue { length: 1, max: 10 },
        waiting: vec![23],
        limit: None,
    };
    let client_of_its_own_name = end(21, 11, Some((9, "/run/own")));
    Facts {
        listeners: vec![listener],
        ends: vec![
            client_of_its_own_name,
            end(11, 21, Some((5, "/run/a"))),
            end(12, 22, Some((5, "/run/a"))),
            end(22, 12, None),
            end(31, 32, None),
            end(32, 31, None),
            end(41, 42, Some((6, "/run/gone"))),
            end(42, 41, None),
        ],
        ..Facts::default()
    }
}

fn text(targets: &[&str], limit: Option<u64>) -> String {
    let targets = targets.iter().map(|&it| it.to_owned()).collect();
    Descriptors::new(&OpenFiles { pid: 7, program: "/bin/x".to_owned(), targets, limit }, &facts()).text()
}

#[test]
fn descriptors_are_counted_by_kind() {
    for (targets, limit, expected) in [
        (
            &["/dev/null", "pipe:[3]", "socket:[21]", "socket:[22]", "anon_inode:[eventpoll]"][..],
            Some(1_024),
            "/bin/x 7: 5 of 1,024 descriptors: 2 sockets (40 % of all are connections to /run/a), 1 file, 1 pipe, 1 other.",
        ),
        // A connection that waits in the queue is one too.
        (
            &["socket:[23]", "/x (deleted)"],
            None,
            "/bin/x 7: 2 descriptors: 1 socket (50 % of all are connections to /run/a), 1 file, 0 pipes, 0 other.",
        ),
        (
            &["socket:[11]", "socket:[12]", "socket:[1]"],
            Some(3),
            "/bin/x 7: 3 of 3 descriptors: 3 sockets (66 % of all are connections accepted on /run/a), 0 files, 0 pipes, 0 other.",
        ),
        // Of a pair, of TCP, and of nothing that can be read.
        (
            &["socket:[31]", "socket:[99]", "socket:[", "mnt:[4026531841]"],
            None,
            "/bin/x 7: 4 descriptors: 3 sockets, 0 files, 0 pipes, 1 other.",
        ),
        (
            &["socket:[42]"],
            None,
            "/bin/x 7: 1 descriptor: 1 socket (100 % of all are connections to /run/gone), 0 files, 0 pipes, 0 other.",
        ),
        (&[], Some(1), "/bin/x 7: 0 of 1 descriptor: 0 sockets, 0 files, 0 pipes, 0 other."),
    ] {
        assert_eq!(text(targets, limit), expected);
    }
}

#[test]
fn a_small_share_is_not_told_and_a_descriptor_twice_counts_twice() {
    let many: Vec<&str> = std::iter::repeat_n("/x", 200).chain(["socket:[21]"]).collect();
    assert!(text(&many, None).contains(": 1 socket, 200 files"), "{}", text(&many, None));
    assert!(text(&["socket:[21]", "socket:[21]"], None).contains("(100 % of all"));
}
