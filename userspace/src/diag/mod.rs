//! Who holds which end, without a program in the kernel: by sock_diag(7) in every network namespace, and /proc. Less than a scan
//! of the iterator: no connection whose server end is released can be told to be one of a target's, and names are those that
//! directories have now.

mod dump;
mod holders;
mod listeners;
mod message;
mod namespace;
pub mod survey;

use std::{
    collections::{HashMap, HashSet},
    io,
    path::Path,
};

use sockleak_abi::{PROCESSOR_BITS, SEED};
use sockleak_core::event::{Carried, End, Held, HeldSocket, Listener, Peer, Queue, Record};

use crate::clock;
use holders::{Holder, Holders};
use message::{Socket, State};

/// What was found, as a descriptor scan of the iterator would tell it.
#[derive(Debug)]
pub struct Found {
    /// The records of one scan.
    pub records: Vec<Record>,
    /// What is missing, a sentence each.
    pub gaps: Vec<String>,
    /// The descriptors of some processes may not be read, or some processes are hidden: who holds nothing that was seen may hold
    /// something.
    pub is_partial: bool,
}

/// Looks at all sockets and all descriptors.
///
/// # Errors
/// If the kernel does not list unix sockets.
pub fn look() -> io::Result<Found> {
    let (namespaces, holders) = holders::read();
    let (sockets, refused) = dump::all(&namespaces)?;
    let mut gaps: Vec<String> = refused.as_ref().map(unasked).into_iter().collect();
    gaps.push(
        "without a program in the kernel, connections whose server has released its end, or whose listener is closed, are not \
         found"
            .to_owned(),
    );
    let hidden = hidden(&holders);
    let is_partial = hidden.is_some();
    gaps.extend(hidden);
    let mut scan =
        Scan { at: clock::now(), sockets: &sockets, holders: &holders, records: Vec::new(), count: 0 };
    scan.tell();
    Ok(Found { records: scan.records, gaps, is_partial })
}

/// Says why the sockets of some network namespaces are missing.
fn unasked(error: &io::Error) -> String {
    format!("the sockets of other network namespaces cannot be asked for: {error}")
}

/// Says so if the descriptors of some processes cannot be read.
fn hidden(holders: &Holders) -> Option<String> {
    // /proc may hide processes of others altogether (hidepid).
    let whose = match holders.refused {
        0 if Path::new("/proc/1").exists() => return None,
        0 => "of other users' processes".to_owned(),
        1 => "of 1 process".to_owned(),
        count => format!("of {count} processes"),
    };
    Some(format!("the descriptors {whose} cannot be read: root sees them"))
}

struct Scan<'a> {
    at: u64,
    sockets: &'a [Socket],
    holders: &'a Holders,
    records: Vec<Record>,
    count: u64,
}

impl Scan<'_> {
    fn tell(&mut self) {
        let inodes: HashSet<u64> = self.sockets.iter().map(|socket| socket.inode).collect();
        // A server end is bound to what its listener is bound to.
        let mut listeners = HashMap::new();
        for (number, socket) in
            (1..).zip(self.sockets.iter().filter(|socket| socket.state == State::Listening))
        {
            let holders = self.holders.of(socket.inode);
            let Some(listener) = listeners::describe(number, socket, holders) else { continue };
            self.listener(&listener, socket, holders);
            if let Some(bound) = socket.bound() {
                listeners.entry(bound).or_insert(number);
            }
            for &client in &socket.waiting {
                if client != 0 {
                    let number = self.number();
                    self.end(number, listener.id, End::Client, client, Peer::Queued);
                }
            }
        }
        for server in self.sockets.iter().filter(|socket| socket.state == State::Connected) {
            let Some(&listener) = server.bound().and_then(|bound| listeners.get(&bound)) else { continue };
            let client = server.peer.filter(|peer| inodes.contains(peer));
            let number = self.number();
            self.end(number, listener, End::Server, server.inode, client.map_or(Peer::Released, Peer::Open));
            if let Some(client) = client {
                self.end(number, listener, End::Client, client, Peer::Open(server.inode));
            }
        }
    }

    fn number(&mut self) -> u64 {
        self.count += 1;
        (self.count << PROCESSOR_BITS) | SEED
    }

    fn listener(&mut self, listener: &Listener, socket: &Socket, holders: &[Holder]) {
        self.records.push(Record::Listener(listener.clone().into()));
        let (length, max) = socket.queue;
        let queue = Queue { length, max };
        // The kernel tells it, whoever holds the listener.
        let (slots, last_accept) = (None, None);
        let known = Carried::Listener { listener: listener.id, last_accept, queue: Some(queue), slots };
        self.records.push(Record::Carried(known));
        for holder in holders {
            let socket = HeldSocket::Listener { queue };
            self.records.push(self.held(holder, listener.id, listener.id, socket));
        }
    }

    fn end(&mut self, connection: u64, listener: u64, end: End, inode: u64, peer: Peer) {
        for holder in self.holders.of(inode) {
            let socket = HeldSocket::End { connection, is_seed: true, end, peer, opener: None };
            self.records.push(self.held(holder, listener, inode, socket));
        }
    }

    fn held(&self, holder: &Holder, listener: u64, inode: u64, socket: HeldSocket) -> Record {
        Record::Held(Held {
            at: self.at,
            holder: holder.actor,
            fd: holder.fd,
            inode,
            listener,
            socket,
            usage: None,
        })
    }
}

/// An answer of the kernel's, for [`crate::fuzz`].
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn fuzz(data: &[u8]) {
    let _ = message::take(data, 1, &mut Vec::new());
}

#[cfg(test)]
mod tests {
    use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

    use nix::sys::socket::{
        AddressFamily, Backlog, SockFlag, SockType, UnixAddr, accept, bind, connect, listen, socket,
    };

    use super::*;

    /// A listener of an abstract name, and both ends of its connections.
    fn serve(kind: SockType, name: &str, connections: usize) -> Vec<OwnedFd> {
        let address = UnixAddr::new_abstract(name.as_bytes()).expect("it is short");
        let open =
            || socket(AddressFamily::Unix, kind, SockFlag::SOCK_CLOEXEC, None).expect("one more is allowed");
        let listener = open();
        bind(listener.as_raw_fd(), &address).expect("it is free");
        listen(&listener, Backlog::new(8).expect("it is not too many")).expect("it is bound");
        let mut sockets = Vec::new();
        for _ in 0..connections {
            let client = open();
            connect(client.as_raw_fd(), &address).expect("it has room");
            let accepted = accept(listener.as_raw_fd()).expect("one waits");
            // SAFETY: accept has just opened it, and nothing else has it.
            sockets.extend([client, unsafe { OwnedFd::from_raw_fd(accepted) }]);
        }
        sockets.push(listener);
        sockets
    }

    /// The real kernel: a stream socket and a seqpacket socket may have the same abstract name.
    #[test]
    fn listeners_of_one_name_have_their_own_connections() {
        let name = format!("sockleak-diag-{}", std::process::id());
        let _stream = serve(SockType::Stream, &name, 2);
        let _packets = serve(SockType::SeqPacket, &name, 3);
        // A kernel without unix_diag has nothing to test.
        let Ok(found) = look() else { return };
        let counted = |is_seqpacket| {
            let is_it = |it: &Listener| it.is_seqpacket == is_seqpacket && it.path.ends_with(name.as_bytes());
            let listener = found.records.iter().find_map(|record| match record {
                Record::Listener(listener) if is_it(listener) => Some(listener.id),
                _ => None,
            });
            let listener = listener.expect("it is found");
            let is_end = |record: &&Record| {
                matches!(record, Record::Held(Held { listener: of, socket: HeldSocket::End { end: End::Server, .. }, .. })
                    if *of == listener)
            };
            found.records.iter().filter(is_end).count()
        };
        assert_eq!([false, true].map(counted), [2, 3]);
    }
}
