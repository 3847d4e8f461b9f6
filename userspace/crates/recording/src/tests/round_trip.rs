use proptest::{array, collection::vec, option, prelude::*, sample};
use sockleak_core::{
    assess::Loss,
    event::{ContainerNames, End, Frame, Held, HeldSocket, Listener, Peer, Reason, Runtime, Stack, Usage},
};

use super::*;

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just(u64::MAX), Just(1 << 63), Just((1 << 63) - 1), any::<u64>()]
}

/// A moment that a host can have been up for.
const LATE: u64 = 1 << 61;

fn time() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just(LATE), 0..LATE]
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..20),
        Just(b"/run/a.sock".to_vec()),
        Just(b"\0abstract".to_vec()),
        Just(b"\xff\xfe".to_vec()),
    ]
}

/// Few, so that they come again.
fn process_id() -> impl Strategy<Value = ProcessId> {
    let few = (0..3_u32, prop_oneof![Just(0), Just(LATE)], 0..2_u32);
    let any = (any::<u32>(), time(), any::<u32>());
    prop_oneof![3 => few, 1 => any].prop_map(|(pid, start, exec_id)| ProcessId { pid, start, exec_id })
}

fn task_name() -> impl Strategy<Value = Comm> {
    prop_oneof![Just([0; 16]), Just(*b"worker\0\0\0\0\0\0\0\0\0\0"), any::<[u8; 16]>()].prop_map(Comm)
}

prop_compose! {
    fn actors()(
        id in process_id(), tid in option::of(any::<u32>()), uid in option::of(any::<u32>()),
        gid in option::of(any::<u32>()), comm in task_name(),
    ) -> Actor {
        Actor { id, tid: tid.unwrap_or(id.pid), uid, gid, comm }
    }
}

prop_compose! {
    fn queues()(length in any::<u32>(), max in any::<u32>()) -> Queue {
        Queue { length, max }
    }
}

fn reasons() -> impl Strategy<Value = Reason> {
    prop_oneof![
        Just(Reason::Close),
        any::<u8>().prop_map(Reason::Exit),
        any::<u8>().prop_map(Reason::Killed),
        Just(Reason::Exec),
        Just(Reason::ListenerClosed),
        Just(Reason::Collected),
        Just(Reason::Unseen),
    ]
}

fn ends() -> impl Strategy<Value = End> {
    prop_oneof![Just(End::Client), Just(End::Server)]
}

fn containers() -> impl Strategy<Value = ContainerNames> {
    let runtimes = [Runtime::Docker, Runtime::CriO, Runtime::SystemdNspawn, Runtime::Unknown];
    let names = (any::<String>(), array::uniform7(option::of(any::<String>())));
    (sample::select(runtimes.to_vec()), names).prop_map(|(runtime, (id, names))| {
        let [name, image, project, service, namespace, pod, pod_container] = names;
        ContainerNames { runtime, id, name, image, project, service, namespace, pod, pod_container }
    })
}

prop_compose! {
    fn processes()(
        id in process_id(), program in option::of(".*"), argv in vec(any::<String>(), 0..4),
        argv_truncated in any::<bool>(), comm in task_name(), owner in any::<[u32; 4]>(), cgroup in number(),
        names in option::of((any::<String>(), any::<String>())), namespaces in any::<[u32; 3]>(),
        container in option::of(containers()),
    ) -> Process {
        let [uid, gid, parent, pid_in_namespace] = owner;
        let [mount, network, pid] = namespaces;
        let (cgroup_path, user) = names.unzip();
        Process {
            id, program, argv, argv_truncated, comm, uid, gid, parent, cgroup,
            cgroup_path: cgroup_path.map(Into::into),
            container: container.map(Into::into),
            user: user.map(Into::into),
            pid_in_namespace,
            namespaces: Namespaces { mount, network, pid },
        }
    }
}

prop_compose! {
    fn listeners()(
        id in number(), names in (bytes(), bytes()), flags in any::<[bool; 3]>(), device in number(), inode in number(),
        directory_inode in number(), small in any::<[u32; 3]>(), pid in option::of(any::<u32>()),
    ) -> Listener {
        let (path, bind_name) = names;
        let [path_truncated, is_abstract, is_seqpacket] = flags;
        let [mount_namespace, network_namespace, backlog] = small;
        Listener {
            id, path, path_truncated, bind_name, is_abstract, device, inode, directory_inode, mount_namespace,
            network_namespace, pid, backlog, is_seqpacket,
        }
    }
}

fn whats() -> BoxedStrategy<What> {
    prop_oneof![
        (number(), number(), number(), queues(), any::<[bool; 2]>())
            .prop_map(|(connection, listener, client_inode, queue, [client_untracked, server_untracked])| {
                What::Connect {
                    connection,
                    listener,
                    client_inode,
                    queue,
                    client_untracked,
                    server_untracked,
                }
            })
            .boxed(),
        (number(), number(), number()).prop_map(|(connection, listener, server_inode)| {
            What::Accept { connection, listener, server_inode }
        }),
        (number(), number(), ends(), reasons()).prop_map(|(connection, listener, end, reason)| {
            What::Release { connection, listener, end, reason }
        }),
        (number(), reasons()).prop_map(|(listener, reason)| What::ListenerClosed { listener, reason }),
        (option::of(number()), any::<i32>(), bytes(), option::of(queues()), option::of(bytes())).prop_map(
            |(listener, errno, address, queue, place)| What::Attempt {
                listener,
                errno,
                address,
                queue,
                directory: None,
                place
            }
        ),
    ]
    .boxed()
}

fn held_sockets() -> BoxedStrategy<HeldSocket> {
    let peer = prop_oneof![number().prop_map(Peer::Open), Just(Peer::Queued), Just(Peer::Released)];
    prop_oneof![
        queues().prop_map(|queue| HeldSocket::Listener { queue }),
        (number(), any::<bool>(), ends(), peer, option::of(any::<u32>())).prop_map(
            |(connection, is_seed, end, peer, opener)| HeldSocket::End {
                connection,
                is_seed,
                end,
                peer,
                opener
            }
        ),
    ]
    .boxed()
}

fn usages() -> impl Strategy<Value = Usage> {
    (number(), any::<u32>(), option::of(number()), any::<u32>(), any::<bool>(), any::<bool>()).prop_map(
        |(bytes, sends, last_sent, unread, no_receive, no_send)| Usage {
            bytes,
            sends,
            last_sent,
            unread,
            no_receive,
            no_send,
        },
    )
}

/// Few different ones, so that some are the same.
fn frames() -> impl Strategy<Value = Frame> {
    let name = || option::of("[a\"é]{0,2}".prop_map(Arc::from));
    (name(), name(), option::of(any::<u32>()), option::of(any::<u64>()), any::<bool>()).prop_map(
        |(function, module, line, offset, inlined)| Frame {
            file: function.clone(),
            function,
            line,
            build_id: module.clone(),
            module,
            offset,
            inlined,
            unnamed: None,
        },
    )
}

fn records() -> impl Strategy<Value = Record> {
    prop_oneof![
        2 => processes().prop_map(|process| Record::Process(process.into())).boxed(),
        1 => listeners().prop_map(|listener| Record::Listener(listener.into())).boxed(),
        4 => (time(), actors(), whats()).prop_map(|(at, actor, what)| Record::Event(Event { at, actor, what })),
        2 => (time(), actors(), any::<u32>(), number(), number(), held_sockets(), option::of(usages())).prop_map(
            |(at, holder, fd, inode, listener, socket, usage)| {
                Record::Held(Held { at, holder, fd, inode, listener, socket, usage })
            }
        ),
        1 => Just(Record::RoundBegins),
        1 => Just(Record::RoundEnds),
        1 => (number(), ends()).prop_map(|(connection, end)| Record::Gone { connection, end }),
        1 => (time(), time())
            .prop_map(|(one, other)| Record::Unwatched { since: one.min(other), until: one.max(other) }),
        1 => (time(), any::<bool>()).prop_map(|(at, is_reliable)| Record::UseNoted { at, is_reliable }),
        1 => (number(), vec(frames(), 0..3)).prop_map(|(connection, frames)| {
            Record::Stack(Stack { connection, frames: frames.into() })
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_is_written_is_read(records in vec(records(), 0..60), flush in 0..60_usize) {
        let scratch = Scratch::new();
        let path = scratch.file("trace.db");
        let mut writer = Writer::create(&path, &header(), || {}).expect("it can be created");
        for (index, record) in records.iter().enumerate() {
            if index == flush {
                writer.flush(progress(9));
            }
            writer.record(record.clone(), None);
        }
        writer.finish(progress(LATE)).expect("it can be written");
        prop_assert_eq!(replayed(&opened(&path)), records);
    }
}

#[test]
fn what_surrounds_the_records_is_read() {
    let scratch = Scratch::new();
    let path = scratch.file("trace.db");
    let header = Header { started: LATE, leak_age: u64::MAX, boot_time: i64::MIN, ..header() };
    let writer = Writer::create(&path, &header, || {}).expect("it can be created");
    let progress = Progress {
        now: LATE + 1,
        losses: vec![Loss {
            hook: "connect".into(),
            what: "events (ring buffer full)".into(),
            count: u64::MAX,
        }],
        skipped_runs: i64::MAX as u64,
        gaps: vec!["the \"accept\" hook is not attached: ä".to_owned()],
    };
    let trace = opened(&path);
    assert_eq!((trace.header(), trace.is_ended()), (&header, false));
    assert_eq!(*trace.progress(), super::progress(LATE));
    drop(trace);
    writer.finish(progress.clone()).expect("it can be written");
    let trace = opened(&path);
    assert_eq!((trace.header(), trace.progress(), trace.is_ended()), (&header, &progress, true));
    assert_eq!(scratch.names(), ["trace.db"]);
}

#[test]
fn the_place_of_an_attempt_is_settled_when_it_is_recorded() {
    let scratch = Scratch::new();
    let path = scratch.file("trace.db");
    let attempt = |directory: Option<&str>, place: Option<&[u8]>| {
        let what = What::Attempt {
            listener: None,
            errno: 2,
            address: b"a.sock".to_vec(),
            queue: None,
            directory: directory.map(Into::into),
            place: place.map(<[u8]>::to_vec),
        };
        event(1, 40, what)
    };
    let mut writer = Writer::create(&path, &header(), || {}).expect("it can be created");
    writer.record(attempt(Some("/run"), None), Some(b"/run/a.sock"));
    writer.record(attempt(Some("/run"), Some(b"/run/b.sock")), None);
    writer.record(attempt(None, None), None);
    writer.finish(progress(2)).expect("it can be written");
    let places = [Some(&b"/run/a.sock"[..]), Some(b"/run/b.sock"), None];
    assert_eq!(replayed(&opened(&path)), places.map(|place| attempt(None, place)));
}

/// More processes than the writer remembers, each of which comes again: names are told right all the same.
#[test]
fn names_are_told_of_processes_that_were_forgotten() {
    const COUNT: u32 = 70_000;
    let scratch = Scratch::new();
    let path = scratch.file("trace.db");
    let mut records: Vec<_> = (0..COUNT).map(|pid| described(pid, None)).collect();
    for round in 0..2 {
        let pids = (0..COUNT).filter(|pid| pid % 7 == round);
        records.extend(pids.map(|pid| event(u64::from(pid), pid, connect(pid.into()))));
    }
    recorded(&path, &records);
    assert!(replayed(&opened(&path)) == records);
}
