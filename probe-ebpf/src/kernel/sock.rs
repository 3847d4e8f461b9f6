//! `struct unix_sock`, and the test whether anybody asked for it.

use core::{mem::MaybeUninit, ptr::write_volatile};

use aya_ebpf::helpers::generated::{bpf_probe_read_kernel, bpf_probe_read_kernel_str};
use probe_ebpf::abi::{Config, NAME_LEN, Name, Queue};

use super::{
    dentry::{self, Location},
    offset, peek,
};
use crate::maps::WANTED;

/// `sizeof(sa_family_t)`: what an address has before its name.
const FAMILY_LEN: u32 = 2;

/// A `struct sock *` of the unix family.
#[derive(Clone, Copy)]
pub(crate) struct Sock(pub(crate) u64);

impl Sock {
    /// Where the file is that the socket is bound to; an accepted end has its listener's.
    #[inline(always)]
    pub(crate) fn location(self) -> Location {
        Location::at(self.0 + offset!(unix_sock_path))
    }

    /// `SOCK_STREAM`, `SOCK_SEQPACKET` or `SOCK_DGRAM`.
    #[inline(always)]
    pub(crate) fn kind(self) -> u16 {
        peek(self.0 + offset!(sock_type))
    }

    /// The accept queue. `sk_ack_backlog` stays 0 on unix sockets: the receive queue's length counts.
    #[inline(always)]
    pub(crate) fn queue(self) -> Queue {
        Queue {
            length: peek(self.0 + offset!(sock_queue_len)),
            max: peek(self.0 + offset!(sock_max_ack_backlog)),
        }
    }

    /// Number of the socket's inode, as in `socket:[N]`; 0 while it is not accepted.
    #[inline(always)]
    pub(crate) fn inode_number(self) -> u64 {
        let socket: u64 = peek(self.0 + offset!(sock_socket));
        if socket == 0 { 0 } else { socket_inode_number(socket) }
    }

    /// Inode number of the network namespace.
    #[inline(always)]
    pub(crate) fn network_namespace(self) -> u32 {
        peek(peek::<u64>(self.0 + offset!(sock_net)) + offset!(network_namespace_inum))
    }

    /// For a listening socket: who called `listen`, in the initial pid namespace.
    #[inline(always)]
    pub(crate) fn peer_pid(self) -> u32 {
        let pid: u64 = peek(self.0 + offset!(sock_peer_pid));
        if pid == 0 { 0 } else { peek(pid + offset!(pid_numbers) + offset!(upid_nr)) }
    }

    /// Copies the name that was given to `bind` and returns its length.
    #[inline(always)]
    pub(crate) fn bind_name(self, to: *mut u8) -> u32 {
        let address: u64 = peek(self.0 + offset!(unix_sock_addr));
        if address == 0 { 0 } else { read_name(address, 0, to) }
    }

    /// Did anybody ask for this socket, by its file's name or its abstract name?
    ///
    /// The file's name is the dentry's: HAProxy and others bind under one name and rename, and a client may come
    /// through a symbolic link. A socket whose name has a length that nobody asked for is out after two reads.
    #[inline(always)]
    pub(crate) fn is_wanted(self, config: &Config) -> bool {
        let dentry: u64 = peek(self.0 + offset!(unix_sock_path) + offset!(path_dentry));
        if dentry != 0 {
            if config.any_file != 0 {
                return true;
            }
            let len: u32 = peek(dentry + offset!(dentry_name_len));
            return has_length(&config.file_lengths, len)
                && is_wanted_file(peek(dentry + offset!(dentry_name)), len);
        }
        if config.any_abstract == 0 && is_empty(&config.abstract_lengths) {
            return false;
        }
        let address: u64 = peek(self.0 + offset!(unix_sock_addr));
        if address == 0 {
            return false;
        }
        let len = peek::<u32>(address + offset!(unix_address_len)).wrapping_sub(FAMILY_LEN + 1);
        if config.any_abstract != 0 {
            return true;
        }
        if !has_length(&config.abstract_lengths, len) {
            return false;
        }
        let mut place = MaybeUninit::uninit();
        let key = Key::new(&mut place, len, 1);
        read_name(address, 1, key.bytes());
        key.is_listed()
    }
}

/// Number of the inode of a `struct socket`.
#[inline(always)]
pub(crate) fn socket_inode_number(socket: u64) -> u64 {
    dentry::inode_number(socket - offset!(socket_alloc_socket) + offset!(socket_alloc_inode))
}

/// Is a file name wanted?
#[inline(always)]
fn is_wanted_file(name: u64, len: u32) -> bool {
    let mut place = MaybeUninit::uninit();
    let key = Key::new(&mut place, len, 0);
    // SAFETY: writes at most NAME_LEN bytes; the helper checks the source.
    unsafe { bpf_probe_read_kernel_str(key.bytes().cast(), NAME_LEN as u32, name as *const _) };
    key.is_listed()
}

/// A [`Name`] under construction, cleared in words: the compiler would call a routine that clears it byte by byte.
pub(crate) struct Key([u64; size_of::<Name>() / 8]);

impl Key {
    /// Clears a key in place: moving it would bring the routine back.
    #[inline(always)]
    pub(crate) fn new(place: &mut MaybeUninit<Self>, len: u32, is_abstract: u16) -> &mut Self {
        let to = place.as_mut_ptr().cast::<u64>();
        // SAFETY: every word of the structure is written; the first holds the length, the kind and four zero bytes.
        unsafe {
            write_volatile(to, u64::from(len as u16) | u64::from(is_abstract) << 16);
            for i in 1..size_of::<Name>() / 8 {
                write_volatile(to.add(i), 0);
            }
            place.assume_init_mut()
        }
    }

    /// Where the name goes: room for [`NAME_LEN`] bytes.
    #[inline(always)]
    pub(crate) fn bytes(&mut self) -> *mut u8 {
        // SAFETY: within the structure, whose size is that of a `Name`.
        unsafe { self.0.as_mut_ptr().cast::<u8>().add(core::mem::offset_of!(Name, bytes)) }
    }

    #[inline(always)]
    pub(crate) fn set_len(&mut self, len: u16) {
        self.0[0] = self.0[0] & !0xffff | u64::from(len);
    }

    /// Is it among the names that userspace listed?
    #[inline(always)]
    pub(crate) fn is_listed(&self) -> bool {
        // SAFETY: as large as a `Name`, aligned better, and any bytes are one.
        WANTED.get_ptr(unsafe { &*self.0.as_ptr().cast::<Name>() }).is_some()
    }
}

/// Is the bit of a length set? Longer names than the table has bits are never listed.
#[inline(always)]
fn has_length(lengths: &[u64; 4], len: u32) -> bool {
    // The verifier must see the index bounded; the compiler, which knows that it is, must not remove the mask.
    let word = core::hint::black_box(len >> 6) as usize & 3;
    len < NAME_LEN as u32 && lengths[word] >> (len & 63) & 1 == 1
}

#[inline(always)]
fn is_empty(lengths: &[u64; 4]) -> bool {
    lengths[0] | lengths[1] == 0
}

/// Copies the name of a `struct unix_address` from its byte `skip` on; returns how many bytes.
#[inline(always)]
fn read_name(address: u64, skip: u32, to: *mut u8) -> u32 {
    let len = peek::<u32>(address + offset!(unix_address_len)).wrapping_sub(FAMILY_LEN + skip);
    // `black_box` keeps the compiler from proving the bound and leaving the comparison out: the verifier needs it.
    let len = core::hint::black_box(len) & 0x7f;
    if len > NAME_LEN as u32 {
        return 0;
    }
    let from = address + offset!(unix_address_name) + u64::from(FAMILY_LEN + skip);
    // SAFETY: `to` has room for NAME_LEN bytes, and `len` is at most that; the helper checks the source.
    unsafe { bpf_probe_read_kernel(to.cast(), len, from as *const _) };
    len
}
