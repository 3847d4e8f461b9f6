//! What descriptor scans find in a scene.

use sockleak_core::event::{End, Held, HeldSocket, Peer, Record, Usage};

use crate::scene::{HAPROXY, SECOND, START, Scene, actor};

impl Scene {
    /// Adds a connection from before tracing, found by the first scan: `holder` has its client end.
    pub fn found(&mut self, holder: u32, listener: u64) {
        self.connections += 1;
        let connection = self.connections;
        let held = |holder: u32, end, inode, opener| {
            let socket =
                HeldSocket::End { connection, is_seed: true, end, peer: Peer::Open(inode + 1), opener };
            let holder = actor(holder);
            Record::Held(Held { at: START + 1_000_000, holder, fd: 7, listener, inode, socket, usage: None })
        };
        self.first.extend([
            Record::RoundBegins,
            held(holder, End::Client, 9_000, Some(holder)),
            held(HAPROXY, End::Server, 9_001, Some(holder)),
            Record::RoundEnds,
        ]);
    }

    /// Has the last scan find `holder` alone at the client end.
    pub fn inherited(&mut self, holder: u32, listener: u64, connection: u64) {
        let at = START + self.seconds * SECOND - 1;
        let socket = HeldSocket::End {
            connection,
            is_seed: false,
            end: End::Client,
            peer: Peer::Open(20_000 + connection),
            opener: None,
        };
        let inode = 10_000 + connection;
        self.last.push(Held { at, holder: actor(holder), fd: 3, listener, inode, socket, usage: None });
    }

    /// Has the kernel side note from the start when an end sends.
    pub fn note_use(&mut self) {
        self.first.push(Record::UseNoted { at: START, is_reliable: true });
    }

    /// Has the last scan find both ends. Each has sent `sends` times, last at these milliseconds (client, server).
    pub fn used(&mut self, client: u32, listener: u64, connection: u64, sends: u32, last: [u64; 2]) {
        let at = START + self.seconds * SECOND - 1;
        let [client_inode, server_inode] = [10_000 + connection, 20_000 + connection];
        for (end, holder, inode, peer, milliseconds) in [
            (End::Client, client, client_inode, server_inode, last[0]),
            (End::Server, HAPROXY, server_inode, client_inode, last[1]),
        ] {
            let peer = Peer::Open(peer);
            let socket = HeldSocket::End { connection, is_seed: false, end, peer, opener: Some(client) };
            let last_sent = Some(START + milliseconds * 1_000_000);
            let usage = Usage { bytes: u64::from(sends) * 700, sends, last_sent, ..Usage::default() };
            let holder = actor(holder);
            self.last.push(Held { at, holder, fd: 3, listener, inode, socket, usage: Some(usage) });
        }
    }

    /// Has the last scan find the server end, whose client end is released.
    pub fn kept(&mut self, listener: u64, connection: u64) {
        let at = START + self.seconds * SECOND - 1;
        let (end, peer) = (End::Server, Peer::Released);
        let socket = HeldSocket::End { connection, is_seed: false, end, peer, opener: None };
        let (holder, inode) = (actor(HAPROXY), 20_000 + connection);
        self.last.push(Held { at, holder, fd: 4, listener, inode, socket, usage: Some(Usage::default()) });
    }
}
