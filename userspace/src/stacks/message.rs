//! What the tracer and the process that reads files say to each other: one message each way at a time, over a socket that keeps
//! messages apart. A descriptor may come with a question.

use std::{
    io::{self, IoSlice, IoSliceMut},
    os::fd::{AsFd, AsRawFd as _, FromRawFd as _, OwnedFd},
    time::{Duration, Instant},
};

use nix::{
    cmsg_space,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg},
};
use prost::Message;

/// Bytes of a message: what a socket takes by default is more.
const LONGEST: usize = 128 << 10;

/// What the tracer asks.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Question {
    #[prost(oneof = "Ask", tags = "1, 2, 3, 4, 5")]
    pub(super) ask: Option<Ask>,
}

/// Kinds of questions.
#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum Ask {
    /// Read the file whose descriptor comes along.
    #[prost(message, tag = "1")]
    File(Number),
    /// Remember where a process has which files.
    #[prost(message, tag = "2")]
    Space(Modules),
    /// Unwind a stack.
    #[prost(message, tag = "3")]
    Unwind(Registers),
    /// Name the functions at an offset in a file.
    #[prost(message, tag = "4")]
    Name(Place),
    /// Name Python's functions by the memory of the process, which comes along.
    #[prost(message, tag = "5")]
    Script(Script),
}

/// Of a file or an address space: the tracer gives them out.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Number {
    #[prost(uint64, tag = "1")]
    pub(super) number: u64,
}

/// An address space.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Modules {
    #[prost(uint64, tag = "1")]
    pub(super) space: u64,
    #[prost(message, repeated, tag = "2")]
    pub(super) modules: Vec<Module>,
}

/// A file in it.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Module {
    #[prost(uint64, tag = "1")]
    pub(super) start: u64,
    #[prost(uint64, tag = "2")]
    pub(super) end: u64,
    #[prost(uint64, tag = "3")]
    pub(super) offset: u64,
    #[prost(uint64, tag = "4")]
    pub(super) file: u64,
}

/// A stack as the kernel side copied it.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Registers {
    #[prost(uint64, tag = "1")]
    pub(super) space: u64,
    #[prost(uint64, tag = "2")]
    pub(super) ip: u64,
    #[prost(uint64, tag = "3")]
    pub(super) sp: u64,
    #[prost(uint64, tag = "4")]
    pub(super) bp: u64,
    #[prost(uint64, tag = "5")]
    pub(super) base: u64,
    #[prost(bytes = "vec", tag = "6")]
    pub(super) bytes: Vec<u8>,
    #[prost(uint64, tag = "7")]
    pub(super) link: u64,
}

/// An offset in a file.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Place {
    #[prost(uint64, tag = "1")]
    pub(super) file: u64,
    #[prost(uint64, tag = "2")]
    pub(super) offset: u64,
}

/// What an interpreter runs.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Script {
    #[prost(uint64, tag = "1")]
    pub(super) space: u64,
    /// `Py_Version`.
    #[prost(uint64, tag = "2")]
    pub(super) version: u64,
    /// Addresses of a code object and an instruction in turn, the innermost first.
    #[prost(uint64, repeated, tag = "3")]
    pub(super) addresses: Vec<u64>,
}

/// What the other process answers.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Answer {
    #[prost(oneof = "Told", tags = "1, 2, 3, 4, 5, 6, 7")]
    pub(super) told: Option<Told>,
    /// It has taken so much memory by now that it should be started anew.
    #[prost(bool, tag = "15")]
    pub(super) is_heavy: bool,
}

/// Kinds of answers.
#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum Told {
    /// It is ready; the first message, without a question.
    #[prost(message, tag = "1")]
    Ready(Ready),
    /// The file can be read.
    #[prost(message, tag = "2")]
    File(FileFacts),
    /// Files of an address space that have a Python interpreter.
    #[prost(message, tag = "3")]
    Space(Interpreters),
    /// The instructions that a stack leads through, the innermost first.
    #[prost(message, tag = "4")]
    Places(Addresses),
    /// Functions, the innermost first.
    #[prost(message, tag = "5")]
    Names(Names),
    /// It cannot, for this reason.
    #[prost(string, tag = "6")]
    Refused(String),
    /// There is no room for the file until others are forgotten.
    #[prost(message, tag = "7")]
    Full(Ready),
}

/// Nothing more to say.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Ready {}

/// What a file says of itself.
#[derive(Clone, PartialEq, Message)]
pub(super) struct FileFacts {
    /// Build id in hexadecimal.
    #[prost(string, optional, tag = "1")]
    pub(super) build_id: Option<String>,
    #[prost(message, optional, tag = "2")]
    pub(super) python: Option<Python>,
}

/// A Python interpreter in a file.
#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct Python {
    /// `Py_Version`.
    #[prost(uint64, tag = "1")]
    pub(super) version: u64,
    /// Address of `_PyRuntime` by the file's tables.
    #[prost(uint64, tag = "2")]
    pub(super) runtime: u64,
    /// And from where the code begins.
    #[prost(uint64, tag = "3")]
    pub(super) from_code: u64,
}

/// Where files with interpreters are.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Interpreters {
    #[prost(message, repeated, tag = "1")]
    pub(super) found: Vec<Interpreter>,
}

/// A file with an interpreter.
#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct Interpreter {
    #[prost(uint64, tag = "1")]
    pub(super) file: u64,
    /// What to subtract from an address in memory for the one in the file's tables.
    #[prost(uint64, tag = "2")]
    pub(super) bias: u64,
}

/// Addresses in memory.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Addresses {
    #[prost(uint64, repeated, tag = "1")]
    pub(super) addresses: Vec<u64>,
}

/// Functions.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Names {
    #[prost(message, repeated, tag = "1")]
    pub(super) names: Vec<Name>,
}

/// A function.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Name {
    #[prost(string, tag = "1")]
    pub(super) function: String,
    #[prost(string, optional, tag = "2")]
    pub(super) file: Option<String>,
    #[prost(uint32, optional, tag = "3")]
    pub(super) line: Option<u32>,
    #[prost(bool, tag = "4")]
    pub(super) inlined: bool,
}

/// Sends a message, and a descriptor with it. Does not wait: there is one message at a time.
pub(super) fn send(
    link: &impl AsFd,
    message: &impl Message,
    descriptor: Option<&impl AsFd>,
) -> io::Result<()> {
    let bytes = message.encode_to_vec();
    if bytes.len() > LONGEST {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let descriptors: Vec<_> = descriptor.iter().map(|descriptor| descriptor.as_fd().as_raw_fd()).collect();
    let rights = [ControlMessage::ScmRights(&descriptors)];
    let rights = if descriptors.is_empty() { &[][..] } else { &rights[..] };
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    let sent = sendmsg::<()>(link.as_fd().as_raw_fd(), &[IoSlice::new(&bytes)], rights, flags, None)?;
    if sent == bytes.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
}

/// The next message, and the descriptor that came with it; None once the other side has gone. Waits until `deadline`, or for ever.
///
/// # Errors
/// `TimedOut` if it does not come in time; anything else if it is no such message.
pub(super) fn receive<M: Message + Default>(
    link: &impl AsFd,
    deadline: Option<Instant>,
) -> io::Result<Option<(M, Option<OwnedFd>)>> {
    await_message(link, deadline)?;
    let mut bytes = vec![0; LONGEST];
    let mut rights = cmsg_space!([i32; 4]);
    let mut pieces = [IoSliceMut::new(&mut bytes)];
    let flags = MsgFlags::MSG_CMSG_CLOEXEC | MsgFlags::MSG_DONTWAIT;
    let received = recvmsg::<()>(link.as_fd().as_raw_fd(), &mut pieces, Some(&mut rights), flags)?;
    let mut descriptors = Vec::new();
    for message in received.cmsgs()? {
        if let ControlMessageOwned::ScmRights(numbers) = message {
            // SAFETY: the kernel just made them for this process, and nothing else owns them.
            descriptors.extend(numbers.into_iter().map(|number| unsafe { OwnedFd::from_raw_fd(number) }));
        }
    }
    let (len, is_cut) = (received.bytes, received.flags.contains(MsgFlags::MSG_TRUNC));
    if is_cut {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a message is too long"));
    }
    if len == 0 {
        return Ok(None);
    }
    let message =
        M::decode(&bytes[..len]).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    Ok(Some((message, descriptors.pop())))
}

fn await_message(link: &impl AsFd, deadline: Option<Instant>) -> io::Result<()> {
    loop {
        let timeout = match deadline {
            None => PollTimeout::NONE,
            Some(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                // Not less than is left, so that it does not spin at the end.
                PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX)
            }
        };
        match poll(&mut [PollFd::new(link.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(0) | Err(nix::errno::Errno::EINTR) => {}
            Ok(_) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}
