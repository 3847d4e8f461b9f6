//! The messages of sock_diag(7) for unix sockets: pure.

use sockleak_report::survey::Bound;

/// `AF_UNIX`, `SOCK_STREAM`, `SOCK_SEQPACKET`: include/linux/socket.h, include/linux/net.h.
const AF_UNIX: u8 = 1;
const SOCK_STREAM: u8 = 1;
const SOCK_SEQPACKET: u8 = 5;
/// include/net/tcp_states.h
const ESTABLISHED: u8 = 1;
const LISTEN: u8 = 10;
/// include/uapi/linux/sock_diag.h
const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// include/uapi/linux/netlink.h: `NLM_F_REQUEST | NLM_F_DUMP`, `NLMSG_ERROR`, `NLMSG_DONE`
const REQUEST_DUMP: u16 = 0x301;
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// Length of `struct nlmsghdr` and `struct unix_diag_msg`.
const HEADER: usize = 16;

/// What a socket does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It listens.
    Listening,
    /// It is an end of a connection.
    Connected,
}

/// A unix socket of a kind that connects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Socket {
    /// Inode of its network namespace.
    pub(super) network: u32,
    /// Its own inode.
    pub(super) inode: u64,
    pub(super) state: State,
    pub(super) is_seqpacket: bool,
    /// As it was given to bind; an abstract one starts with NUL.
    pub(super) name: Vec<u8>,
    /// Inode and device (in the kernel's encoding) of the file that it is bound to.
    pub(super) file: Option<(u64, u32)>,
    /// Inode of the other end; None if that has none.
    pub(super) peer: Option<u64>,
    /// Of a listener: inodes of the clients in the accept queue, 0 for one that has gone.
    pub(super) waiting: Vec<u64>,
    /// Of a listener: length and backlog of the accept queue.
    pub(super) queue: (u32, u32),
}

impl Socket {
    /// What a listener and its server ends have in common; None if nothing was given to bind.
    pub(super) fn bound(&self) -> Option<Bound> {
        match self.file {
            // Of a file, the name is whatever it was called by.
            Some((inode, device)) => Some(Bound::File(inode, device)),
            None if self.name.is_empty() => None,
            None => Some(Bound::Abstract(self.name.clone(), self.network, self.is_seqpacket)),
        }
    }
}

/// Asks for all listening and connected unix sockets, with everything about them.
pub(super) fn request() -> Vec<u8> {
    /// `struct unix_diag_req`.
    const LEN: u32 = 24;
    /// `UDIAG_SHOW_` name, vfs, peer, icons, rqlen.
    const SHOW: u32 = 0x1f;
    let mut bytes = Vec::with_capacity(40);
    bytes.extend((HEADER as u32 + LEN).to_ne_bytes());
    bytes.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes.extend(REQUEST_DUMP.to_ne_bytes());
    // Sequence and port.
    bytes.extend([0; 8]);
    bytes.extend([AF_UNIX, 0, 0, 0]);
    bytes.extend((1_u32 << ESTABLISHED | 1 << LISTEN).to_ne_bytes());
    bytes.extend(0_u32.to_ne_bytes());
    bytes.extend(SHOW.to_ne_bytes());
    bytes.extend([0xff; 8]);
    bytes
}

/// What came in one piece.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// More will follow.
    More,
    /// That was all.
    Done,
    /// The kernel refuses, with this error number.
    Error(i32),
}

/// Takes the sockets out of a piece of the answer.
pub(super) fn take(mut bytes: &[u8], network: u32, sockets: &mut Vec<Socket>) -> Answer {
    while let (Some(len), Some(kind)) = (word(bytes, 0), half(bytes, 4)) {
        // One that is shorter than its own header would be taken again and again.
        let Some(message) = bytes.get(HEADER..len as usize) else { return Answer::Error(libc::EBADMSG) };
        match kind {
            DONE => return Answer::Done,
            ERROR => {
                return Answer::Error(
                    word(message, 0).map_or(0, |error| error.cast_signed().saturating_neg()),
                );
            }
            SOCK_DIAG_BY_FAMILY => sockets.extend(parse(message, network)),
            _ => {}
        }
        bytes = bytes.get(aligned(len as usize)..).unwrap_or_default();
    }
    Answer::More
}

fn parse(message: &[u8], network: u32) -> Option<Socket> {
    let [AF_UNIX, kind @ (SOCK_STREAM | SOCK_SEQPACKET), state @ (ESTABLISHED | LISTEN), ..] = *message
    else {
        return None;
    };
    let mut socket = Socket {
        network,
        inode: word(message, 4)?.into(),
        state: if state == LISTEN { State::Listening } else { State::Connected },
        is_seqpacket: kind == SOCK_SEQPACKET,
        name: Vec::new(),
        file: None,
        peer: None,
        waiting: Vec::new(),
        queue: (0, 0),
    };
    let mut attributes = message.get(HEADER..)?;
    while let (Some(len), Some(kind)) = (half(attributes, 0), half(attributes, 2)) {
        let value = attributes.get(4..usize::from(len))?;
        // `UNIX_DIAG_NAME` and so on, include/uapi/linux/unix_diag.h.
        match kind {
            0 => socket.name = name(value),
            1 => socket.file = Some((word(value, 0)?.into(), word(value, 4)?)),
            2 => socket.peer = word(value, 0).map(u64::from).filter(|&inode| inode != 0),
            3 => socket.waiting = value.chunks_exact(4).filter_map(|it| word(it, 0)).map(u64::from).collect(),
            4 => socket.queue = (word(value, 0)?, word(value, 4)?),
            _ => {}
        }
        attributes = attributes.get(aligned(usize::from(len))..).unwrap_or_default();
    }
    Some(socket)
}

/// A file's name ends at its NUL.
fn name(bytes: &[u8]) -> Vec<u8> {
    if bytes.first() == Some(&0) {
        return bytes.to_vec();
    }
    bytes.split(|&byte| byte == 0).next().unwrap_or_default().to_vec()
}

const fn aligned(len: usize) -> usize {
    len.saturating_add(3) & !3
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut bytes = (value.len() as u16 + 4).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(value);
        bytes.resize(aligned(bytes.len()), 0);
        bytes
    }

    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let mut bytes = (body.len() as u32 + 16).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0; 10]);
        bytes.extend(body);
        bytes
    }

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_ne_bytes()).collect()
    }

    #[test]
    fn a_listener_is_read() {
        let mut body = vec![AF_UNIX, SOCK_STREAM, LISTEN, 0];
        body.extend(words(&[77, 1, 2]));
        body.extend(attribute(0, b"/run/x\0"));
        body.extend(attribute(1, &words(&[5, 6])));
        body.extend(attribute(3, &words(&[8, 0])));
        body.extend(attribute(4, &words(&[2, 10])));
        let mut datagram = body.clone();
        datagram[1] = 2;
        let mut bytes = message(SOCK_DIAG_BY_FAMILY, &body);
        bytes.extend(message(SOCK_DIAG_BY_FAMILY, &datagram));
        let mut sockets = Vec::new();
        assert_eq!(take(&bytes, 9, &mut sockets), Answer::More);
        let expected = Socket {
            network: 9,
            inode: 77,
            state: State::Listening,
            is_seqpacket: false,
            name: b"/run/x".to_vec(),
            file: Some((5, 6)),
            peer: None,
            waiting: vec![8, 0],
            queue: (2, 10),
        };
        assert_eq!(sockets, [expected]);
        bytes.extend(message(DONE, &[]));
        assert_eq!(take(&bytes, 9, &mut sockets), Answer::Done);
        assert_eq!(
            take(&message(ERROR, &words(&[(-1_i32).cast_unsigned()])), 9, &mut sockets),
            Answer::Error(1)
        );
    }

    /// Each length leads on, or ends it.
    #[test]
    fn a_message_without_length_ends_the_answer() {
        for len in [0_u32, 1, 15, 17, u32::MAX] {
            let mut bytes = message(SOCK_DIAG_BY_FAMILY, &[]);
            bytes[..4].copy_from_slice(&len.to_ne_bytes());
            assert_eq!(take(&bytes, 1, &mut Vec::new()), Answer::Error(libc::EBADMSG), "{len}");
        }
        let refused = message(ERROR, &words(&[i32::MIN.cast_unsigned()]));
        assert_eq!(take(&refused, 1, &mut Vec::new()), Answer::Error(i32::MAX));
    }

    proptest! {
        #[test]
        fn any_answer_is_read_to_its_end(bytes in vec(any::<u8>(), 0..200), body in vec(any::<u8>(), 0..100)) {
            let mut sockets = Vec::new();
            let _ = take(&bytes, 1, &mut sockets);
            let mut body = body;
            for (place, byte) in body.iter_mut().zip([AF_UNIX, SOCK_STREAM, ESTABLISHED]) {
                *place = byte;
            }
            let _ = take(&message(SOCK_DIAG_BY_FAMILY, &body), 1, &mut sockets);
        }
    }
}
