//! What director and actor say to each other: one JSON value a line, an answer for each command.

use std::os::fd::RawFd;

use serde::{Deserialize, Serialize};

use super::using::{Taken, Way};
use crate::unix::{Kind, Patience};

/// Where an actor goes before it connects.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Place {
    /// Another working directory.
    Directory(String),
    /// A mount namespace of its own, with `from` bind-mounted at `at`.
    MountNamespace {
        /// An existing directory.
        from: String,
        /// Another.
        at: String,
    },
    /// A net namespace of its own.
    NetNamespace,
    /// Another user and group.
    User(u32),
}

/// A command to an actor.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Command {
    /// Bind, rename if asked to, listen. Answer: [`Answer::Socket`].
    Listen {
        /// The name to bind.
        name: String,
        /// Type of the socket.
        kind: Kind,
        /// Argument of `listen()`.
        backlog: u32,
        /// The name it gets before `listen()`.
        renamed: Option<String>,
    },
    /// Connect. Answer: [`Answer::Socket`] or [`Answer::Failed`].
    Connect {
        /// The address as typed.
        address: String,
        /// Type of the socket.
        kind: Kind,
        /// How long it waits.
        patience: Patience,
    },
    /// Connect in a thread of its own. Answer: [`Answer::Socket`].
    ConnectInThread {
        /// The address as typed.
        address: String,
    },
    /// Accept. Answer: [`Answer::Socket`].
    Accept(RawFd),
    /// Close. Answer: [`Answer::Done`].
    Close(RawFd),
    /// Close in a thread of its own. Answer: [`Answer::Thread`].
    CloseInThread(RawFd),
    /// Close while another thread blocks in a read of the same descriptor, which then returns. Answer:
    /// [`Answer::Thread`], the reader's.
    CloseWhileRead(RawFd),
    /// Start a thread that only waits. Answer: [`Answer::Thread`].
    Idle,
    /// Replace the descriptor by another file. Answer: [`Answer::Done`].
    Overwrite(RawFd),
    /// Use an end. Answer: [`Answer::Taken`].
    Use(RawFd, Way),
    /// Write a text. Answer: [`Answer::Done`].
    Send(RawFd, String),
    /// Read once. Answer: [`Answer::Text`].
    Receive(RawFd),
    /// Wait until the peer has read everything. Answer: [`Answer::Done`].
    AwaitRead(RawFd),
    /// Pass a descriptor. Answer: [`Answer::Done`].
    SendFd {
        /// Over this socket.
        over: RawFd,
        /// The descriptor.
        fd: RawFd,
    },
    /// Take a descriptor from this socket. Answer: [`Answer::Socket`].
    ReceiveFd(RawFd),
    /// Let the descriptor survive exec. Answer: [`Answer::Done`].
    KeepAcrossExec(RawFd),
    /// Execute another program, which goes on as an actor. Answer: [`Answer::Hello`].
    Exec {
        /// Its path.
        program: String,
        /// What it plays.
        role: String,
    },
    /// Fork; the child goes on as an actor that listens to the FIFOs `FIFO.in` and `FIFO.out`. Answer:
    /// [`Answer::Hello`] from the parent with the child's pid.
    Fork {
        /// Where they are.
        fifo: String,
    },
    /// Accept and close this many times, or until the next command comes. Answer: [`Answer::Done`].
    Serve {
        /// The listener.
        listener: RawFd,
        /// How many.
        count: Option<u32>,
        /// Tell each client who accepted it, before closing.
        greet: bool,
    },
    /// Connect and close. Answer: [`Answer::Pairs`].
    Churn {
        /// The address.
        address: String,
        /// In so many threads …
        threads: u32,
        /// … so many times each.
        connections: u32,
        /// Expect to be told who accepted.
        greeted: bool,
    },
    /// Accept, and tell each client who accepted it, until the next command comes. Answer: [`Answer::Hosted`].
    Host {
        /// The listener.
        listener: RawFd,
        /// As many are kept to the end, the first ones.
        for_good: usize,
        /// And as many others at a time, until younger ones take their place.
        room: usize,
    },
    /// Connect to such hosts and close again, and keep a few to the end, until the next command comes. Answer:
    /// [`Answer::Done`] when it is under way, and [`Answer::Made`] in the end.
    Restless {
        /// The address.
        address: String,
        /// In so many threads.
        threads: u32,
        /// So many times each after the next command came.
        further: u32,
    },
    /// Go somewhere. Answer: [`Answer::Done`].
    Go(Place),
    /// Ends what goes on until the next command comes. Answer: [`Answer::Done`].
    Stop,
    /// Exit without closing anything. No answer.
    Exit(i32),
}

/// A connection that [`Command::Churn`] made.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Pair {
    /// The thread that connected and closed.
    pub tid: u32,
    /// The client's socket.
    pub client_inode: u64,
    /// Pid of the acceptor and inode of its socket, if it greeted.
    pub server: Option<(u32, u64)>,
}

/// A connection that [`Command::Restless`] made.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Made {
    /// The thread that connected, and closed if it is closed.
    pub tid: u32,
    /// The client's socket.
    pub client_inode: u64,
    /// Pid of the acceptor.
    pub server: u32,
    /// The server's socket.
    pub server_inode: u64,
    /// Descriptor of the client's end, if it is open.
    pub fd: Option<RawFd>,
}

/// An actor's answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Answer {
    /// A program or a forked child is ready.
    Hello(u32),
    /// It is done.
    Done,
    /// A socket.
    Socket {
        /// Descriptor.
        fd: RawFd,
        /// Inode.
        inode: u64,
        /// The thread that made it.
        tid: u32,
    },
    /// The thread that did it.
    Thread(u32),
    /// What was read.
    Text(String),
    /// What the kernel took.
    Taken(Taken),
    /// The connect failed with this errno.
    Failed(i32),
    /// What the churn made.
    Pairs(Vec<Pair>),
    /// What the restless made.
    Made(Vec<Made>),
    /// Inode and descriptor of the server ends that are kept.
    Hosted(Vec<(u64, RawFd)>),
    /// The command itself could not be done.
    Impossible(String),
}
