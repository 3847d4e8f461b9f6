//! `struct unix_sock`, and the test whether anybody asked for it.

use aya_ebpf::helpers::generated::{bpf_probe_read_kernel, bpf_probe_read_kernel_str, bpf_skc_to_unix_sock};
use sockleak_abi::{Config, NAME_LEN, Name, PREFIX_LEN, Queue};

use super::{
    Plain,
    dentry::{self, Location},
    offset, peek, read, scalar, zero,
};
use crate::{injected::injected, maps::WANTED};

/// `sizeof(sa_family_t)`: what an address has before its name.
const FAMILY_LEN: u32 = 2;

/// State of a connected socket; include/net/tcp_states.h.
pub(crate) const TCP_ESTABLISHED: u8 = 1;

/// 1 where the kernel tells programs that a socket is a `struct unix_sock` (Linux 5.16), so that its own members are read without
/// a helper each. As `TYPED_TASK`.
#[unsafe(no_mangle)]
static TYPED_UNIX: u32 = 0x5ac4_fffd;

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

    /// Reads a member of `struct sock`. `TYPED`: the socket is an argument or the result of an fentry or fexit program's function,
    /// or a member of such an argument.
    #[inline(always)]
    fn member<const TYPED: bool, T: Plain>(self, offset: u64) -> T {
        // SAFETY: the verifier knows such a pointer as `struct sock *`, and the offsets read here are of that structure's members.
        unsafe { read::<TYPED, T>(self.0, offset) }
    }

    /// The accept queue. `sk_ack_backlog` stays 0 on unix sockets: the receive queue's length counts.
    #[inline(always)]
    pub(crate) fn queue<const TYPED: bool>(self) -> Queue {
        Queue {
            length: self.member::<TYPED, u32>(offset!(sock_queue_len)),
            max: self.member::<TYPED, u32>(offset!(sock_max_ack_backlog)),
        }
    }

    /// Messages that lie unread at an end of a connection.
    #[inline(always)]
    pub(crate) fn unread(self) -> u32 {
        peek(self.0 + offset!(sock_queue_len))
    }

    /// `sk_shutdown`: bits of [`shutdown`](sockleak_abi::shutdown).
    #[inline(always)]
    pub(crate) fn shutdown(self) -> u8 {
        peek(self.0 + offset!(sock_shutdown))
    }

    /// Of a listener: where its queue begins and ends, and the first `struct sk_buff` in it.
    #[inline(always)]
    pub(crate) fn waiting(self) -> (u64, u64) {
        (self.0 + offset!(sock_queue), peek(self.0 + offset!(sock_queue_first)))
    }

    /// `skc_state`: `TCP_LISTEN` if the socket listens.
    #[inline(always)]
    pub(crate) fn state<const TYPED: bool>(self) -> u8 {
        self.member::<TYPED, u8>(offset!(sock_state))
    }

    /// Of a listener: was it shut down for reading? Then every connect to it is refused.
    #[inline(always)]
    pub(crate) fn receives_no_more<const TYPED: bool>(self) -> bool {
        /// include/net/sock.h
        const RCV_SHUTDOWN: u8 = 1;
        self.member::<TYPED, u8>(offset!(sock_shutdown)) & RCV_SHUTDOWN != 0
    }

    /// Is it a unix socket of a kind that connects?
    #[inline(always)]
    pub(crate) fn is_unix_stream(self) -> bool {
        /// include/linux/socket.h
        const AF_UNIX: u16 = 1;
        /// include/linux/net.h
        const SOCK_STREAM: u16 = 1;

        peek::<u16>(self.0 + offset!(sock_family)) == AF_UNIX
            && (self.kind() == SOCK_STREAM || self.is_seqpacket::<false>())
    }

    /// Of a unix socket of a kind that connects: does it send packets, and no stream?
    #[inline(always)]
    pub(crate) fn is_seqpacket<const TYPED: bool>(self) -> bool {
        /// include/linux/net.h
        const SOCK_SEQPACKET: u16 = 5;

        self.member::<TYPED, u16>(offset!(sock_type)) == SOCK_SEQPACKET
    }

    /// The other end. It stays, released or not, until this end is released; 0 for a socket that never connected.
    #[inline(always)]
    pub(crate) fn peer(self) -> Sock {
        Sock(peek(self.0 + offset!(unix_sock_peer)))
    }

    /// What it is bound to, a `struct unix_address *` that a listener shares with its server ends; 0 for none.
    #[inline(always)]
    pub(crate) fn address(self) -> u64 {
        peek(self.0 + offset!(unix_sock_addr))
    }

    /// Does it belong to no `struct socket`: not accepted yet, or released?
    #[inline(always)]
    pub(crate) fn is_orphan(self) -> bool {
        peek::<u64>(self.0 + offset!(sock_socket)) == 0
    }

    /// Number of the socket's inode, as in `socket:[N]`; 0 while it is not accepted.
    #[inline(always)]
    pub(crate) fn inode_number<const TYPED: bool>(self) -> u64 {
        let socket: u64 = self.member::<TYPED, u64>(offset!(sock_socket));
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

    /// Could somebody have asked for this socket, by the length of its name?
    ///
    /// The file's name is the dentry's: HAProxy and others bind under one name and rename, and a client may come
    /// through a symbolic link. A socket whose name has a length that nobody asked for is out after two reads.
    ///
    /// `TYPED`: as in [`Sock::member`].
    #[inline(always)]
    pub(crate) fn candidate<const TYPED: bool>(self, config: &Config) -> Option<Candidate> {
        if TYPED && injected(&TYPED_UNIX) == 1 {
            // SAFETY: a socket, typed, and so checked by the verifier.
            let unix = unsafe { bpf_skc_to_unix_sock(self.0 as *mut _) } as u64;
            // Never so: only unix sockets pass the hooks.
            if unix == 0 { None } else { Sock(unix).candidate_by_name::<true>(config) }
        } else {
            self.candidate_by_name::<false>(config)
        }
    }

    /// `TYPED`: the verifier knows the socket as a `struct unix_sock *`.
    #[inline(always)]
    fn candidate_by_name<const TYPED: bool>(self, config: &Config) -> Option<Candidate> {
        // SAFETY: if typed, each pointer is such a socket or was read from its member, and has the member that is read.
        let dentry: u64 =
            unsafe { read::<TYPED, u64>(self.0, offset!(unix_sock_path) + offset!(path_dentry)) };
        if dentry != 0 {
            if config.any_file != 0 {
                return Some(Candidate { named: dentry, len: ANY_LENGTH, is_abstract: 0 });
            }
            // SAFETY: as above.
            let len = unsafe { read::<TYPED, u32>(dentry, offset!(dentry_name_len)) };
            return has_length(&config.file_lengths, len).then_some(Candidate {
                named: dentry,
                len,
                is_abstract: 0,
            });
        }
        if config.any_abstract == 0 && is_empty(&config.abstract_lengths) {
            return None;
        }
        // SAFETY: as above.
        let address: u64 = unsafe { read::<TYPED, u64>(self.0, offset!(unix_sock_addr)) };
        if address == 0 {
            return None;
        }
        if config.any_abstract != 0 {
            return Some(Candidate { named: address, len: ANY_LENGTH, is_abstract: 1 });
        }
        // SAFETY: as above.
        let len = unsafe { read::<TYPED, u32>(address, offset!(unix_address_len)) };
        let len = len.wrapping_sub(FAMILY_LEN + 1);
        has_length(&config.abstract_lengths, len).then_some(Candidate { named: address, len, is_abstract: 1 })
    }
}

/// [`Candidate::len`] where every name is wanted.
const ANY_LENGTH: u32 = 0;

/// A socket whose name has a wanted length.
#[derive(Clone, Copy)]
pub(crate) struct Candidate {
    /// What has the name: a `struct dentry *`, or for an abstract name a `struct unix_address *`. It may be a typed pointer, which
    /// is no number to the verifier: see `kernel::scalar`.
    named: u64,
    len: u32,
    is_abstract: u32,
}

impl Candidate {
    /// What tells this listener from another at the same address: an address is reused at once, and a connect that
    /// races with the listener's release may enter it again. To be compared only: it may be a typed pointer.
    #[inline(always)]
    pub(crate) fn identity(self) -> u64 {
        self.named
    }
}

impl Candidate {
    /// Is the name a wanted one?
    #[inline(always)]
    pub(crate) fn is_wanted(self) -> bool {
        let Self { named, len, is_abstract } = self;
        len == ANY_LENGTH || is_name_wanted(scalar(named), u64::from(len), u64::from(is_abstract)) != 0
    }
}

/// Is a name among the wanted ones? `named` and `is_abstract` are those of a [`Candidate`].
///
/// A global function of BPF, see `kernel::scalar`: inlined, its key would take the iterator beyond the 512 bytes of stack that the
/// verifiers of Linux 5.10 and 6.1 grant to all functions on the way.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn is_name_wanted(named: u64, len: u64, is_abstract: u64) -> u64 {
    let mut key = Name { len: len as u32, is_abstract: is_abstract as u32, prefix: [zero(); 2] };
    if is_abstract != 0 {
        // NUL bytes may pad it: what is compared is the front of the name.
        key.len = 0;
        read_prefix(&mut key, named + offset!(unix_address_name) + u64::from(FAMILY_LEN + 1), len as u32);
    } else {
        let (to, from) = (key.prefix.as_mut_ptr(), peek::<u64>(named + offset!(dentry_name)));
        // SAFETY: writes at most one byte more than PREFIX_LEN, a NUL; the helper checks the source.
        unsafe { bpf_probe_read_kernel_str(to.cast(), PREFIX_LEN as u32 + 1, from as *const _) };
    }
    u64::from(is_listed(&key))
}

/// The unix socket in a `struct file *`, if there is one of a kind that connects.
#[inline(always)]
pub(crate) fn of_file(file: u64) -> Option<Sock> {
    /// include/uapi/linux/magic.h
    const SOCKFS_MAGIC: u32 = 0x534f_434b;

    let inode: u64 = peek(file + offset!(file_inode));
    if dentry::magic(inode) != SOCKFS_MAGIC {
        return None;
    }
    let socket = inode - offset!(socket_alloc_inode) + offset!(socket_alloc_socket);
    let sock = Sock(peek(socket + offset!(socket_sock)));
    (sock.0 != 0 && sock.is_unix_stream()).then_some(sock)
}

/// Number of the inode of a `struct socket`.
#[inline(always)]
pub(crate) fn socket_inode_number(socket: u64) -> u64 {
    dentry::inode_number(socket - offset!(socket_alloc_socket) + offset!(socket_alloc_inode))
}

/// Reads the front of a name that may hold NULs, and is not ended by one.
#[inline(always)]
pub(crate) fn read_prefix(key: &mut Name, from: u64, len: u32) {
    // The mask is the bound that the verifier sees; the compiler must not know that it changes nothing.
    let len = core::hint::black_box(if len > PREFIX_LEN as u32 { PREFIX_LEN as u32 } else { len }) & 0xf;
    // SAFETY: the prefix has 16 bytes; the helper checks the source.
    unsafe { bpf_probe_read_kernel(key.prefix.as_mut_ptr().cast(), len, from as *const _) };
}

/// Is a name among those that userspace listed?
#[inline(always)]
pub(crate) fn is_listed(key: &Name) -> bool {
    WANTED.get_ptr(key).is_some()
}

/// Lengths that the tables have bits for: those of all file names.
const LENGTHS: u32 = 256;

/// Is the bit of a length set? Longer names than the table has bits are never listed.
#[inline(always)]
fn has_length(lengths: &[u64; 4], len: u32) -> bool {
    // The verifier must see the index bounded; the compiler, which knows that it is, must not remove the mask.
    let word = core::hint::black_box(len >> 6) as usize & 3;
    len < LENGTHS && lengths[word] >> (len & 63) & 1 == 1
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
    // A path that fills `sun_path` has its NUL behind it.
    if len > NAME_LEN as u32 + 1 {
        return 0;
    }
    let from = address + offset!(unix_address_name) + u64::from(FAMILY_LEN + skip);
    // SAFETY: `to` has room for NAME_LEN + 4 bytes, and `len` is at most that; the helper checks the source.
    unsafe { bpf_probe_read_kernel(to.cast(), len, from as *const _) };
    len
}
