//! Measures how a session takes in connections that a descriptor scan finds, for `cargo xtask bench session`.
//!
//! `session-scale N` finds N connections on one socket, all still pending (the scan is not over), carries them over to another
//! session and counts them. It prints the nanoseconds of each step, for all connections together:
//! found, carried, rebuilt, counted.

use std::{hint::black_box, sync::Arc, time::Instant};

use anyhow::{Context as _, Result, ensure};
use sockleak_core::{
    attribution::{by::By, selection::Selection},
    event::{Actor, Comm, End, Held, HeldSocket, Listener, Peer, ProcessId, Record},
    session::{Session, Settings},
};

const SECOND: u64 = 1_000_000_000;
const LISTENER: u64 = 1;
const SERVER: u32 = 100;
/// Processes that hold the client ends.
const CLIENTS: u64 = 1000;

fn main() -> Result<()> {
    let count = std::env::args().nth(1).context("session-scale N")?.parse::<u64>()?;
    let mut session = session();
    session.feed(listener());
    // The server's process comes first: while its ends are found, nobody knows who opened them.
    let (found, ()) = timed(|| {
        session.feed(Record::RoundBegins);
        for nth in 0..count {
            session.feed(held(nth, End::Server, SERVER));
        }
        for nth in 0..count {
            session.feed(held(nth, End::Client, client(nth)));
        }
    });
    let (carried, records) = timed(|| session.carry());
    let (rebuilt, other) = timed(|| {
        let mut other = self::session();
        for record in records {
            other.feed(record);
        }
        other
    });
    // One whose opener is not known is counted when the next scan ends.
    let (counted, ()) = timed(|| {
        session.feed(Record::RoundEnds);
        session.feed(Record::RoundEnds);
    });
    for session in [&session, &other] {
        ensure!(session.open().count() as u64 == count, "{} are open", session.open().count());
    }
    black_box((session, other));
    println!("{found} {carried} {rebuilt} {counted}");
    Ok(())
}

/// Nanoseconds that something takes.
fn timed<T>(act: impl FnOnce() -> T) -> (u128, T) {
    let began = Instant::now();
    let result = act();
    (began.elapsed().as_nanos(), result)
}

fn session() -> Session {
    let settings = Settings { started: 0, leak_age: 60 * SECOND, limits: Vec::new(), by: By::Program };
    Session::new(Selection::recorded(vec!["*".to_owned()]), settings)
}

const fn client(nth: u64) -> u32 {
    SERVER + 1 + (nth % CLIENTS) as u32
}

fn held(nth: u64, end: End, holder: u32) -> Record {
    let inode = 2 * nth + 10 + u64::from(end == End::Client);
    let peer = Peer::Open(if end == End::Client { inode - 1 } else { inode + 1 });
    // Whoever connected has handed its end to another process.
    let socket = HeldSocket::End { connection: 1000 + nth, is_seed: true, end, peer, opener: None };
    let (at, fd) = (SECOND + nth, 3 + nth as u32);
    Record::Held(Held { at, holder: actor(holder), fd, inode, listener: LISTENER, socket, usage: None })
}

fn actor(pid: u32) -> Actor {
    let id = ProcessId { pid, start: 1, exec_id: 1 };
    Actor { id, tid: pid, uid: Some(0), gid: Some(0), comm: Comm(*b"bench\0\0\0\0\0\0\0\0\0\0\0") }
}

fn listener() -> Record {
    let path = b"/run/bench.sock";
    Record::Listener(Arc::new(Listener {
        id: LISTENER,
        path: path.to_vec(),
        path_truncated: false,
        bind_name: path.to_vec(),
        is_abstract: false,
        device: 24,
        inode: 900,
        directory_inode: 800,
        mount_namespace: 4_026_531_841,
        network_namespace: 4_026_531_840,
        pid: Some(SERVER),
        backlog: 128,
        is_seqpacket: false,
    }))
}
