use sockleak_core::attribution::{filter::Glob, limits};

use super::*;

fn listener(inode: u64, path: &str, file: u64, namespace: u32, waiting: &[u64]) -> Listener {
    Listener {
        inode,
        path: path.to_owned(),
        bound: Bound::File(file, 1),
        namespace,
        queue: Queue { length: waiting.len() as u32, max: 10 },
        waiting: waiting.to_vec(),
        limit: None,
    }
}

fn end(inode: u64, peer: u64, bound: Option<Bound>) -> End {
    let bound = bound.map(|bound| (bound, "/run/x".to_owned()));
    End { inode, peer: Some(peer).filter(|&it| it != 0), bound }
}

/// Who holds which sockets: `(pid, program, inodes)`.
fn facts(listeners: Vec<Listener>, ends: Vec<End>, held: &[(u32, &str, &[u64])]) -> Facts {
    let mut facts = Facts { listeners, ends, ..Facts::default() };
    for &(pid, program, inodes) in held {
        facts.processes.insert(pid, Process { program: program.to_owned(), ..Process::default() });
        inodes.iter().for_each(|&inode| facts.holders.entry(inode).or_default().push(pid));
    }
    facts
}

fn figures(survey: &Survey) -> Vec<(RowKind, &str, u64, u64)> {
    survey.sockets.iter().map(|row| (row.kind, &*row.path, row.open, row.slots_used)).collect()
}

fn sorted(facts: &Facts, filter: &Filter) -> Survey {
    let mut survey = Survey::new(facts, filter, Vec::new());
    survey.sort_and_cut(SortKey::Open, None);
    survey
}

#[test]
fn each_connection_counts_once_and_where_it_belongs() {
    let bound = || Some(Bound::File(5, 1));
    // Two accepted, of which one client has left; two wait, of which one has left; a pair; and an end that is alone.
    let ends = vec![
        end(11, 21, bound()),
        end(21, 11, None),
        end(12, 0, bound()),
        end(23, 0, None),
        end(31, 32, None),
        end(32, 31, None),
        end(41, 0, None),
    ];
    let held: &[(u32, &str, &[u64])] =
        &[(7, "/bin/server", &[1, 11, 12]), (8, "/bin/client", &[21, 23, 41]), (9, "/bin/pair", &[31, 32])];
    let facts = facts(vec![listener(1, "/run/x", 5, 1, &[23, 0])], ends, held);
    let survey = sorted(&facts, &Filter::default());
    let expected = [
        (RowKind::Listening, "/run/x", 4, 2),
        (RowKind::Released, "(other end released)", 1, 0),
        (RowKind::Unnamed, "(socketpair)", 1, 0),
    ];
    assert_eq!(figures(&survey), expected);
    assert_eq!(survey.sockets[0].clients[0].count, 2);
    let text = survey.text(200, Style::Plain);
    let row = text.lines().nth(1).unwrap_or_default();
    let cells: Vec<_> = row.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
    assert_eq!(cells, ["/run/x", "4", "-", "2/11", "/bin/client 8: 1, 1 waits", "/bin/server 7"], "{text}");
    // What is not known is null, and not 0.
    let json = serde_json::to_value(&survey).expect("it is JSON");
    assert!(json["sockets"][0]["oldest_ns"].is_null() && json["sockets"][0]["idle_ns"].is_null());
}

#[test]
fn a_client_with_a_name_of_its_own_is_no_server() {
    let own = Some(Bound::Abstract(b"\0client".to_vec(), 1, false));
    let facts = facts(
        vec![listener(1, "/run/x", 5, 1, &[])],
        // The client comes first.
        vec![end(21, 11, own), end(11, 21, Some(Bound::File(5, 1)))],
        &[],
    );
    assert_eq!(figures(&sorted(&facts, &Filter::default())), [(RowKind::Listening, "/run/x", 1, 1)]);
}

#[test]
fn connections_outlive_their_listener() {
    let facts = facts(Vec::new(), vec![end(21, 11, None), end(11, 21, Some(Bound::File(5, 1)))], &[]);
    let survey = sorted(&facts, &Filter::default());
    assert_eq!(figures(&survey), [(RowKind::NotListening, "/run/x", 1, 0)]);
    assert!(survey.text(100, Style::Plain).contains("nobody"), "{}", survey.text(100, Style::Plain));
}

#[test]
fn listeners_of_one_path_are_told_apart() {
    for (namespaces, expected) in [
        ([1, 2], ["/run/x (mount namespace 1)", "/run/x (mount namespace 2)"]),
        // One that was replaced, in the same namespace.
        ([1, 1], ["/run/x (socket 1)", "/run/x (socket 2)"]),
    ] {
        let listeners =
            vec![listener(1, "/run/x", 5, namespaces[0], &[]), listener(2, "/run/x", 6, namespaces[1], &[])];
        let facts = facts(listeners, vec![end(11, 0, Some(Bound::File(6, 1)))], &[]);
        let mut survey = Survey::new(&facts, &Filter::default(), Vec::new());
        survey.sort_and_cut(SortKey::Path, None);
        let rows: Vec<_> = survey.sockets.iter().map(|row| (&*row.path, row.open)).collect();
        assert_eq!(rows, [(expected[0], 0), (expected[1], 1)]);
    }
}

#[test]
fn a_filter_keeps_what_a_process_holds_and_listens_on() {
    let ends = vec![
        end(11, 21, Some(Bound::File(5, 1))),
        end(21, 11, None),
        end(12, 22, Some(Bound::File(5, 1))),
        end(22, 12, None),
    ];
    let held: &[(u32, &str, &[u64])] =
        &[(7, "/bin/server", &[1, 2, 11, 12]), (8, "/bin/a", &[21]), (9, "/bin/b", &[22])];
    let listeners = vec![listener(1, "/run/x", 5, 1, &[]), listener(2, "/run/y", 6, 1, &[])];
    let facts = facts(listeners, ends, held);
    let pid = |pid| Filter { pids: vec![pid], ..Filter::default() };
    assert_eq!(figures(&sorted(&facts, &pid(8))), [(RowKind::Listening, "/run/x", 1, 2)]);
    let of_server = sorted(&facts, &pid(7));
    assert_eq!(
        figures(&of_server),
        [(RowKind::Listening, "/run/x", 2, 2), (RowKind::Listening, "/run/y", 0, 0)]
    );
    assert!(sorted(&facts, &pid(6)).sockets.is_empty());
}

#[test]
fn rows_are_sorted_and_cut() {
    let ends = (100..103).map(|inode| end(inode, 0, Some(Bound::File(5, 1)))).collect();
    let mut listeners = vec![listener(1, "/run/b", 5, 1, &[]), listener(2, "/run/a", 6, 1, &[0, 0])];
    let source = limits::Source::Given;
    listeners[1].limit = Some(Limit { slots: 1, source });
    listeners[0].limit = Some(Limit { slots: 3, source });
    let facts = facts(listeners, ends, &[]);
    for (key, first) in [
        (SortKey::Open, "/run/b"),
        (SortKey::Queue, "/run/a"),
        (SortKey::Slots, "/run/b"),
        (SortKey::Path, "/run/a"),
    ] {
        let mut survey = Survey::new(&facts, &Filter::default(), Vec::new());
        survey.sort_and_cut(key, Some(1));
        assert_eq!((&*survey.sockets[0].path, survey.not_shown), (first, 1), "{key:?}");
        assert!(
            survey.text(100, Style::Plain).contains("… 1 row more (--all)"),
            "{}",
            survey.text(100, Style::Plain)
        );
    }
}

#[test]
fn targets_can_be_typed_as_they_are() {
    let listeners = ["/run/a b", "/run/x.sock", "@a*", "/run/\u{1b}", "@abc"].into_iter().zip(1..);
    let listeners = listeners.map(|(path, inode)| listener(inode, path, inode, 1, &[])).collect();
    let facts = facts(listeners, vec![end(11, 0, Some(Bound::File(5, 1)))], &[]);
    let survey = sorted(&facts, &Filter::default());
    assert_eq!(survey.targets().collect::<Vec<_>>(), [("@abc", 1), ("/run/x.sock", 0)]);
}

#[test]
fn what_is_full_is_coloured() {
    let bound = || Some(Bound::File(5, 1));
    let ends = vec![end(11, 21, bound()), end(21, 11, None)];
    let full: Vec<u64> = (100..111).collect();
    let mut facts = facts(vec![listener(1, "/run/x", 5, 1, &full)], ends, &[]);
    facts.listeners[0].limit = Some(Limit { slots: 1, source: limits::Source::Given });
    let text = sorted(&facts, &Filter::default()).text(200, Style::Coloured);
    for cell in ["\x1b[33m1/1\x1b[0m", "\x1b[33m11/11\x1b[0m"] {
        assert!(text.contains(cell), "{cell:?} is not in {text}");
    }
    facts.listeners[0].limit = Some(Limit { slots: 2, source: limits::Source::Given });
    assert!(
        !sorted(&facts, &Filter::default()).text(200, Style::Coloured).contains("m1/2"),
        "it is not full"
    );
}

#[test]
fn who_is_served_comes_before_who_waits() {
    let bound = || Some(Bound::File(5, 1));
    let ends =
        vec![end(11, 21, bound()), end(21, 11, None), end(31, 0, None), end(32, 0, None), end(33, 0, None)];
    let held: &[(u32, &str, &[u64])] = &[
        (7, "/bin/server", &[1, 11]),
        (8, "/bin/python3 /srv/keeper.py", &[21]),
        (9, "/bin/poller", &[31, 32, 33]),
    ];
    let mut facts = facts(vec![listener(1, "/run/x", 5, 1, &[31, 32, 33])], ends, held);
    let survey = sorted(&facts, &Filter::default());
    let clients: Vec<_> =
        survey.sockets[0].clients.iter().map(|it| (&*it.program, it.count, it.waiting)).collect();
    assert_eq!(clients, [("/bin/python3 /srv/keeper.py", 1, 0), ("/bin/poller", 3, 3)]);
    let text = survey.text(200, Style::Plain);
    assert!(text.contains("/bin/python3 /srv/keeper.py 8: 1 "), "{text}");

    // A script goes by its name, and an executable by its path, blanks and all.
    facts.processes.insert(
        8,
        Process {
            program: "/opt/my python/python3 /srv/keeper.py".to_owned(),
            executable: "/opt/my python/python3".to_owned(),
            ..Process::default()
        },
    );
    for (wanted, is_found) in
        [("keeper.py", true), ("/opt/my python/python3", true), ("python3", true), ("keeper", false)]
    {
        let programs = vec![Glob::parse(wanted).expect("it is a glob")];
        let filter = Filter { programs, ..Filter::default() };
        assert_eq!(!sorted(&facts, &filter).sockets.is_empty(), is_found, "{wanted}");
    }
}
