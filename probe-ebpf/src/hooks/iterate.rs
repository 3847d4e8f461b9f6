//! Which descriptors refer to the ends of wanted connections: an iterator over every descriptor table of the host, in all
//! network namespaces.
//!
//! It enters ends that no hook saw, so that connections from before the trace are followed from now on. While the
//! program looks at a descriptor, the iterator holds its file: the socket in it cannot be released in between. The other end
//! can, and is entered with it all the same: one that waits to be accepted, or is in flight, has no descriptor of its own. What
//! was released just then is told by the next round, or by `verify`.

use aya_ebpf::bindings::BPF_NOEXIST;
use sockleak_abi::{Config, End, Held, PROCESSOR_BITS, Queue, SEED, Sent, failure, hook, kind, peer, side};

use super::{NOT_FOLLOWED, config, introduce, introduce_bound, is_ignored, known_listener, queue};
use crate::{
    emit, filter,
    kernel::{
        offset, peek, scalar, sock,
        sock::{Sock, TCP_ESTABLISHED},
        task, zero,
    },
    maps::{ADDRESSES, AGAIN, ENDS, OBSERVER, SEED_NUMBER, SEEDS},
};

/// include/net/tcp_states.h
const TCP_LISTEN: u8 = 10;

/// So often in a row a descriptor is looked at again because the ring is full, or a walk along a queue went astray. Userspace
/// empties the ring in between, a millisecond later; should it ever not do so, the round ends nevertheless, and what is missing
/// is counted.
const PATIENCE: u32 = 1000;

/// A descriptor, from the iterator's context.
struct Descriptor {
    task: u64,
    fd: u32,
}

// proto: int bpf_iter_task_file(struct bpf_iter_meta *meta, struct task_struct *task, u32 fd, struct file *file)
#[unsafe(link_section = "iter/task_file")]
#[unsafe(no_mangle)]
pub(crate) extern "C" fn held_iter(context: *const u64) -> i32 {
    // SAFETY: the context is `struct bpf_iter__task_file`, whose four members take 8 bytes each. The pointers are null in the
    // call that ends a round.
    let (task, fd, file) = unsafe {
        (
            core::ptr::read_volatile(context.add(1)),
            core::ptr::read_volatile(context.add(2).cast::<u32>()),
            core::ptr::read_volatile(context.add(3)),
        )
    };
    observe();
    let before = emit::counted(hook::ITERATE, failure::RING);
    if task != 0
        && file != 0
        && let Some(config) = config()
        && let Some(sock) = sock::of_file(file)
    {
        let descriptor = Descriptor { task: scalar(task), fd };
        match sock.state::<false>() {
            TCP_LISTEN => listening(config, &descriptor, sock),
            TCP_ESTABLISHED if config.listeners_only == 0 => {
                connected(descriptor.task, descriptor.fd, sock.0, IN_DESCRIPTOR);
            }
            _ => {}
        }
    }
    again(before)
}

/// 1 if the ring had no room for what there is to say of a descriptor, or a walk went astray: the iterator stops here, and begins
/// with this descriptor when it is read again.
#[inline(always)]
fn again(before: u64) -> i32 {
    let Some(again) = AGAIN.get_ptr_mut(0) else { return 0 };
    let is_full = emit::counted(hook::ITERATE, failure::RING) != before;
    // SAFETY: the map's only entry; only the one reader of the iterator writes to it.
    unsafe {
        let is_astray = (*again).is_astray != 0;
        (*again).is_astray = 0;
        if !is_full && !is_astray {
            (*again).in_a_row = 0;
            return 0;
        }
        if (*again).in_a_row >= PATIENCE {
            return 0;
        }
        (*again).in_a_row += 1;
    }
    if is_full {
        emit::uncount(hook::ITERATE, failure::RING);
    }
    1
}

/// Not all that waits in a queue was looked at. Tells whether it will be looked at again; if not, that is counted.
///
/// The map has the mark, for what is kept on the stack meanwhile adds up with that of the functions called.
#[inline(always)]
fn went_astray() -> bool {
    let Some(again) = AGAIN.get_ptr_mut(0) else { return false };
    // SAFETY: the map's only entry; only the one reader of the iterator writes to it.
    unsafe {
        if (*again).in_a_row < PATIENCE {
            (*again).is_astray = 1;
            return true;
        }
    }
    emit::count(hook::ITERATE, failure::QUEUE);
    false
}

/// Notes who looks: the iterator runs in the process that reads it.
#[inline(always)]
fn observe() {
    if let Some(observer) = OBSERVER.get_ptr_mut(0) {
        // SAFETY: the map's only entry; only the one reader of the iterator writes to it.
        unsafe { *observer = task::current_ids().0 };
    }
}

#[inline(always)]
fn listening(config: &Config, descriptor: &Descriptor, listener: Sock) {
    let Some(candidate) = listener.candidate::<false>(config) else { return };
    let identity = candidate.identity();
    let address = listener.address();
    let number = match known_listener(listener, identity) {
        Some(number) => number,
        None if candidate.is_wanted() => {
            // One of its server ends may have come by before.
            let known = number_of_address(address);
            let Some(number) = introduce(hook::ITERATE, listener, identity, known) else { return };
            number
        }
        None => return,
    };
    let _ = ADDRESSES.insert(&address, number, 0);
    if is_ignored(config, number) {
        return;
    }
    if config.listeners_only == 0 && address != 0 {
        let before = emit::counted(hook::ITERATE, failure::RING);
        let is_whole = queue::look_through(listener, |end| {
            connected(descriptor.task, descriptor.fd, end.0, address);
        });
        // The descriptor is looked at again: then is the time for what comes last.
        if emit::counted(hook::ITERATE, failure::RING) != before || (!is_whole && went_astray()) {
            return;
        }
    }
    emit_held(descriptor, |held| {
        held.listener = number;
        held.side = side::LISTENER;
        held.inode = listener.inode_number::<false>();
        held.queue = listener.queue::<false>();
        true
    });
}

/// [`connected`]: the descriptor refers to the end.
const IN_DESCRIPTOR: u64 = 0;

/// Looks at an end of a connection; at one that a queue leads to only if it is such an end, and its client has left. `queue` is the
/// address of the listener that the descriptor refers to then.
///
/// A global function of BPF, see `kernel::scalar`.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn connected(task: u64, fd: u32, sock: u64, queue: u64) -> u64 {
    let (sock, is_waiting) = (Sock(sock), queue != IN_DESCRIPTOR);
    if let Some(config) = config()
        && (!is_waiting || queue::is_abandoned(sock, queue))
    {
        end_of_connection(config, &Descriptor { task, fd }, sock, is_waiting);
    }
    0
}

#[inline(always)]
fn end_of_connection(config: &Config, descriptor: &Descriptor, sock: Sock, is_waiting: bool) {
    let other = sock.peer();
    if other.0 == 0 {
        return;
    }
    let Some((listener, side)) = side_of(sock, other) else { return };
    if listener == NOT_FOLLOWED || is_ignored(config, listener) {
        return;
    }
    let is_client = side == side::CLIENT;
    let peer = match (other.is_orphan(), is_client && other.state::<false>() == TCP_ESTABLISHED) {
        (false, _) => peer::OPEN,
        (true, true) => peer::QUEUED,
        (true, false) => peer::RELEASED,
    };
    let (client, server) = if is_client { (sock, other) } else { (other, sock) };
    let Some((connection, is_new)) = number_of(sock, other, client) else { return };
    emit_held(descriptor, |held| {
        // With the record reserved: the record of a release that follows lies behind it.
        // With the map full it cannot be followed, and nothing is told of it.
        let mut is_followed = enter(sock, connection, listener, side);
        // The other end of one that is known was entered then: if it is not there, its release has begun.
        if is_followed && is_new && peer != peer::RELEASED {
            // It may be released just now: then `verify` tells, and the release of another socket at its address is none
            // of it.
            let other_side = if is_client { side::SERVER } else { side::CLIENT };
            is_followed = enter(other, connection, listener, other_side);
        }
        // No file holds one that waits. If it was released before it was entered, nobody takes the entry away again.
        if is_waiting && !queue::is_still(sock, other) {
            is_followed = false;
        }
        if !is_followed {
            if is_new {
                if ENDS.remove(&sock.0).is_ok() {
                    filter::uncount::<false>(sock.0);
                }
                let _ = SEEDS.remove(&client.0);
            }
            return false;
        }
        held.connection = connection;
        held.listener = listener;
        held.side = side;
        held.peer = peer;
        // It may be accepted by now: the record of that lies behind this one.
        held.inode = if is_waiting { 0 } else { sock.inode_number::<false>() };
        held.peer_inode = if peer == peer::OPEN { other.inode_number::<false>() } else { 0 };
        held.opener = server.peer_pid();
        held.unread = sock.unread();
        held.shutdown = u32::from(sock.shutdown());
        // SAFETY: copied at once; the file that leads here, or the queue, keeps the socket and its entry.
        if let Some(end) = unsafe { ENDS.get(&sock.0) } {
            held.sent = end.sent;
        }
        true
    });
}

/// Number of the listener that a connection was made to, and the side that an end of it is.
#[inline(always)]
fn side_of(sock: Sock, other: Sock) -> Option<(u64, u32)> {
    // SAFETY: copied at once.
    if let Some(&End { listener, side, .. }) = unsafe { ENDS.get(&sock.0) } {
        return Some((listener, side));
    }
    // A server end is bound to its listener's address. A client end may be bound too, but to another.
    match listener_of(sock.0) {
        NOT_WANTED => match listener_of(other.0) {
            NOT_WANTED => None,
            listener => Some((listener, side::CLIENT)),
        },
        listener => Some((listener, side::SERVER)),
    }
}

/// [`listener_of`] a socket that is bound to nothing that is wanted.
const NOT_WANTED: u64 = u64::MAX;

/// Number of the listener whose address a socket is bound to, if that listener is wanted.
///
/// A global function of BPF, see `kernel::scalar`.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn listener_of(bound: u64) -> u64 {
    let bound = Sock(bound);
    let address = bound.address();
    if address == 0 {
        return NOT_WANTED;
    }
    let Some(config) = config() else { return NOT_WANTED };
    let number = match number_of_address(address) {
        Some(number) => number,
        None => {
            let Some(number) = bound
                .candidate::<false>(config)
                .filter(|candidate| candidate.is_wanted())
                .and_then(|_| introduce_bound(hook::ITERATE, bound))
            else {
                return NOT_WANTED;
            };
            let _ = ADDRESSES.insert(&address, number, 0);
            number
        }
    };
    if is_ignored(config, number) { NOT_FOLLOWED } else { number }
}

#[inline(always)]
fn number_of_address(address: u64) -> Option<u64> {
    // SAFETY: copied at once; nobody but the iterator writes to the map while it runs.
    unsafe { ADDRESSES.get(&address) }.copied()
}

/// Number of the connection that an end belongs to: the one that either end has, or a new one that both will get; and whether it
/// is a new one.
#[inline(always)]
fn number_of(sock: Sock, other: Sock, client: Sock) -> Option<(u64, bool)> {
    // SAFETY: copied at once.
    if let Some(&End { connection, .. }) = unsafe { ENDS.get(&sock.0) } {
        return Some((connection, false));
    }
    // SAFETY: as above.
    if let Some(&End { connection, .. }) = unsafe { ENDS.get(&other.0) } {
        return Some((connection, false));
    }
    // SAFETY: as above.
    if let Some(&number) = unsafe { SEEDS.get(&client.0) } {
        return Some((number, false));
    }
    let count = SEED_NUMBER.get_ptr_mut(0)?;
    // SAFETY: the iterator runs once at a time, and nobody else writes to the entry.
    let number = unsafe {
        *count += 1;
        (*count << PROCESSOR_BITS) | SEED
    };
    if SEEDS.insert(&client.0, &number, 0).is_err() {
        emit::count(hook::ITERATE, failure::ENDS);
        return None;
    }
    Some((number, true))
}

/// Enters an end, unless it is there; tells whether it is now.
#[inline(always)]
fn enter(sock: Sock, connection: u64, listener: u64, side: u32) -> bool {
    enter_end(sock.0, connection, listener, side) != 0
}

/// [`enter`]: a global function of BPF, see `kernel::scalar`.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn enter_end(sock: u64, connection: u64, listener: u64, side: u32) -> u64 {
    if ENDS.get_ptr(&sock).is_some() {
        return 1;
    }
    let inode = Sock(sock).inode_number::<false>();
    let sent = Sent { bytes: zero(), count: 0, last: 0 };
    let end = End { connection, listener, side, owner_exec_id: 0, owner: 0, inode, sent };
    // First: it may be sending.
    filter::count::<false>(sock);
    if ENDS.insert(&sock, &end, u64::from(BPF_NOEXIST)).is_err() {
        filter::uncount::<false>(sock);
        emit::count(hook::ITERATE, failure::ENDS);
        return 0;
    }
    1
}

/// Hands over what `fill` says of a descriptor, unless it returns false.
#[inline(always)]
fn emit_held(descriptor: &Descriptor, fill: impl FnOnce(&mut Held) -> bool) {
    let Some(mut entry) = emit::reserve::<Held>(hook::ITERATE) else { return };
    let leader: u64 = peek(descriptor.task + offset!(task_leader));
    // Written in its place: what several functions of BPF keep on the stack adds up.
    let held = entry.write(Held {
        header: emit::header::<Held>(kind::HELD),
        process: task::key_of(leader),
        comm: peek(leader + offset!(task_comm)),
        connection: zero(),
        listener: zero(),
        inode: zero(),
        peer_inode: zero(),
        queue: Queue { length: 0, max: 0 },
        side: 0,
        peer: peer::OPEN,
        fd: descriptor.fd,
        opener: 0,
        sent: Sent { bytes: zero(), count: 0, last: 0 },
        unread: 0,
        shutdown: 0,
    });
    if !fill(held) {
        entry.discard(0);
        return;
    }
    emit::submit(entry);
}
