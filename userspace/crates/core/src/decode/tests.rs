use zerocopy::{FromZeros as _, IntoBytes as _};

use super::*;

fn header<T>(kind: u16) -> abi::Header {
    abi::Header { kind, version: abi::ABI_VERSION, size: size_of::<T>() as u32, at: 42 }
}

fn actor(flags: u32) -> abi::Actor {
    let comm = zerocopy::transmute!(*b"socat\0\0\0\0\0\0\0\0\0\0\0");
    let process = abi::ProcessKey { tgid: 7, exec_id: 3, start: 99 };
    abi::Actor { process, tid: 8, task_flags: flags, uid: 1, gid: 2, comm }
}

fn raw_release(flags: u32, exit_code: u32, embryo: u32, circumstances: u32) -> abi::Release {
    abi::Release {
        header: header::<abi::Release>(kind::RELEASE),
        actor: actor(flags),
        connection: 5,
        listener: 6,
        side: side::SERVER,
        embryo,
        exit_code,
        circumstances,
    }
}

#[test]
fn reasons_follow_the_task_s_state() {
    let cases = [
        (raw_release(0, 0, 0, 0), Reason::Close),
        (raw_release(PF_EXITING, 0x300, 0, 0), Reason::Exit(3)),
        (raw_release(PF_EXITING, 0, 0, 0), Reason::Exit(0)),
        (raw_release(PF_EXITING, 9, 0, 0), Reason::Killed(9)),
        // Segmentation fault with a core dump: bit 7 is not part of the signal.
        (raw_release(PF_EXITING, 0x8b, 0, 0), Reason::Killed(11)),
        (raw_release(0, 0, 0, 1), Reason::Exec),
        (raw_release(PF_KTHREAD, 0, 0, 0), Reason::Collected),
        // Whoever closed it is not the one who dropped the last reference.
        (raw_release(0, 0, 0, 2), Reason::Unseen),
        (raw_release(0, 0, 1, 2), Reason::ListenerClosed),
        // A process that exits with its listener open drops the queued connections.
        (raw_release(PF_EXITING, 9, 1, 0), Reason::ListenerClosed),
    ];
    for (raw, expected) in cases {
        let Ok(Record::Event(Event { at: 42, what, actor })) = decode(raw.as_bytes()) else {
            panic!("{raw:?} does not decode")
        };
        assert_eq!(what, What::Release { connection: 5, listener: 6, end: End::Server, reason: expected });
        assert_eq!(actor.id.pid == 0, raw.circumstances & circumstance::BY_OBSERVER != 0);
    }
}

#[test]
fn paths_come_last_component_first() {
    let mut raw = abi::Process::new_zeroed();
    raw.header = header::<abi::Process>(kind::PROCESS);
    raw.actor = actor(0);
    let path = b"socat\0bin\0usr\0";
    raw.executable.bytes[..path.len()].copy_from_slice(path);
    raw.executable.used = path.len() as u32;
    raw.executable.complete = 1;
    let argv = b"socat\0-t2\0\0";
    raw.argv[..argv.len()].copy_from_slice(argv);
    raw.argv_used = argv.len() as u32;
    raw.argv_len = 600;
    let Ok(Record::Process(process)) = decode(raw.as_bytes()) else { panic!("no process") };
    assert_eq!(process.program.as_deref(), Some("/usr/bin/socat"));
    assert_eq!(process.argv, ["socat", "-t2", ""]);
    assert!(process.argv_truncated);

    raw.executable.complete = 0;
    let Ok(Record::Process(process)) = decode(raw.as_bytes()) else { panic!("no process") };
    assert_eq!(process.program.as_deref(), Some("…/usr/bin/socat"));
}

#[test]
fn listeners_have_the_name_that_they_were_bound_to() {
    let mut raw = abi::Listener::new_zeroed();
    raw.header = header::<abi::Listener>(kind::LISTENER);
    raw.bind_name[..4].copy_from_slice(b"\0abc");
    raw.bind_len = 4;
    let Ok(Record::Listener(listener)) = decode(raw.as_bytes()) else { panic!("no listener") };
    assert_eq!((listener.path.as_slice(), listener.is_abstract), (b"@abc".as_slice(), true));

    // The kernel counts the NUL behind a file name.
    raw.bind_name[..5].copy_from_slice(b"/a.s\0");
    raw.bind_len = 5;
    raw.inode = 1;
    let Ok(Record::Listener(listener)) = decode(raw.as_bytes()) else { panic!("no listener") };
    assert_eq!((listener.bind_name.as_slice(), listener.is_abstract), (b"/a.s".as_slice(), false));
}

#[test]
fn a_program_never_sees_that_its_call_is_to_be_restarted() {
    // ERESTARTSYS and its kin, and errors beside them.
    for (raw, expected) in [(512, 4), (513, 4), (514, 4), (516, 4), (4, 4), (11, 11), (111, 111), (515, 515)]
    {
        let mut record = abi::Attempt::new_zeroed();
        record.header = header::<abi::Attempt>(kind::ATTEMPT);
        record.errno = raw;
        let Ok(Record::Event(event)) = decode(record.as_bytes()) else { panic!("it is an event") };
        assert!(matches!(event.what, What::Attempt { errno, .. } if errno == expected), "{raw}: {event:?}");
    }
}

#[test]
fn attempts_keep_the_address_as_given() {
    let mut raw = abi::Attempt::new_zeroed();
    raw.header = header::<abi::Attempt>(kind::ATTEMPT);
    raw.address[..7].copy_from_slice(b"./x\0yz\0");
    raw.address_len = 7;
    raw.errno = 11;
    let Ok(Record::Event(event)) = decode(raw.as_bytes()) else { panic!("no event") };
    let address = b"./x".to_vec();
    let expected =
        What::Attempt { listener: None, errno: 11, address, queue: None, directory: None, place: None };
    assert_eq!(event.what, expected);
}

#[test]
fn what_does_not_fit_is_refused() {
    let raw = raw_release(0, 0, 0, 0);
    let bytes = raw.as_bytes();
    assert_eq!(decode(&bytes[..7]), Err(DecodeError::NoHeader(7)));
    let short = DecodeError::Size { kind: kind::RELEASE, len: 95, wanted: 96 };
    assert_eq!(decode(&bytes[..95]), Err(short));
    let long = [bytes, &[0; 8]].concat();
    assert_eq!(decode(&long), Err(DecodeError::Size { kind: kind::RELEASE, len: 104, wanted: 96 }));

    let mut newer = raw;
    newer.header.version += 1;
    assert_eq!(decode(newer.as_bytes()), Err(DecodeError::Version(abi::ABI_VERSION + 1)));
    let mut unknown = raw;
    unknown.header.kind = 77;
    assert_eq!(decode(unknown.as_bytes()), Err(DecodeError::Kind(77)));
    let mut side = raw;
    side.side = 9;
    assert_eq!(decode(side.as_bytes()), Err(DecodeError::Value("side of a release")));
}
