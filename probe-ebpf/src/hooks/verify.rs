//! Is an end that is followed still open? Asked by userspace, an end at a time, by `BPF_PROG_TEST_RUN`: this is attached to
//! nothing.
//!
//! An end whose release was missed stays in the map, while its address goes to another socket sooner or later. A released socket
//! belongs to no `struct socket`; another one at its address belongs to one with another inode number.

use sockleak_abi::{End, liveness};

use crate::{
    kernel::sock::{Sock, TCP_ESTABLISHED},
    maps::ENDS,
};

/// The arguments: address of the socket, number of the connection. Written out, as aya's macro drops what the program returns.
#[unsafe(link_section = "raw_tp")]
#[unsafe(no_mangle)]
pub(crate) extern "C" fn verify(context: *const u64) -> i32 {
    // SAFETY: the context of such a program is an array of twelve words.
    let (address, connection) =
        unsafe { (core::ptr::read_volatile(context), core::ptr::read_volatile(context.add(1))) };
    // SAFETY: copied at once.
    let Some(&end) = (unsafe { ENDS.get(&address) }) else { return liveness::RELEASED };
    if end.connection != connection {
        return liveness::RELEASED;
    }
    if is_open(Sock(address), end) { liveness::OPEN } else { liveness::RELEASED }
}

#[inline(always)]
fn is_open(sock: Sock, end: End) -> bool {
    // One that waits to be accepted has no inode; a release takes its state from it.
    if end.inode == 0 {
        sock.state::<false>() == TCP_ESTABLISHED
    } else {
        sock.inode_number::<false>() == end.inode
    }
}
