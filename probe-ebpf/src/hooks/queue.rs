//! Connections in an accept queue whose client has left: no descriptor leads to them but the listener's.
//!
//! The queue is read without its lock, while servers accept from it. What was taken out meanwhile may lead anywhere, and what is
//! found is therefore taken for an end only if it is what only such an end can be: bound to the listener's own address. A walk that
//! goes astray invents none, but misses the connections behind: it is begun again.

use sockleak_abi::{End, failure, hook, is_seed};

use crate::{
    emit,
    kernel::{
        offset, peek,
        sock::{Sock, TCP_ESTABLISHED},
    },
    maps::ENDS,
};

/// Places of a queue that are looked at: the verifier follows each.
const MOST: usize = 128;

/// Calls `look_at` with whatever is in a listener's queue, which need be no socket: see [`is_abandoned`]. Tells whether the walk
/// stayed in the queue.
#[inline(always)]
pub(super) fn look_through(listener: Sock, look_at: impl Fn(Sock)) -> bool {
    let (end, mut entry) = listener.waiting();
    let mut waiting = Sock(0);
    for _ in 0..MOST {
        // A walk that went astray ends at what cannot be read.
        if entry == end {
            return true;
        }
        if entry == 0 {
            return false;
        }
        waiting = Sock(peek(entry + offset!(skb_sock)));
        look_at(waiting);
        entry = peek(entry + offset!(skb_next));
    }
    if entry == end {
        return true;
    }
    // What was taken out leads into another list, or round in one.
    if listener.queue::<false>().length as usize <= MOST {
        return false;
    }
    // Those behind are younger. If this one was seen when it was made, so were they.
    // SAFETY: copied at once.
    let known = unsafe { ENDS.get(&waiting.0) };
    if known.is_none_or(|&End { connection, .. }| is_seed(connection)) {
        emit::count(hook::ITERATE, failure::QUEUE);
    }
    true
}

/// Is it a server end that waits to be accepted, bound to this address, and its client is released?
#[inline(always)]
pub(super) fn is_abandoned(waiting: Sock, address: u64) -> bool {
    if waiting.address() != address || !waiting.is_orphan() || waiting.state::<false>() != TCP_ESTABLISHED {
        return false;
    }
    let client = waiting.peer();
    client.0 != 0 && client.is_orphan() && client.state::<false>() != TCP_ESTABLISHED
}

/// Is a server end with this client open still, accepted or not?
#[inline(always)]
pub(super) fn is_still(server: Sock, client: Sock) -> bool {
    server.state::<false>() == TCP_ESTABLISHED && server.peer().0 == client.0
}
