//! The places in the kernel that are watched.

use sockleak_abi as abi;

/// The hooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Hook {
    /// A connection was made.
    Connect,
    /// An end was released.
    Release,
    /// A connection was accepted.
    Accept,
    /// A connect returned an error.
    Attempt,
    /// The listener that a connect found.
    Lookup,
    /// All descriptors: an iterator, which runs when it is asked to.
    Iterate,
    /// An end sent something.
    Send,
    /// An end sent a page. Kernels from 6.5 on send pages as anything else, and do not have the function.
    #[serde(rename = "send-page")]
    SendPage,
    /// An end of packets sent something.
    #[serde(rename = "send-packet")]
    SendPacket,
}

impl Hook {
    /// In the order in which they are attached: whatever ends a connection's story first, what starts it last.
    pub const ALL: [Self; abi::hook::COUNT] = [
        Self::Iterate,
        Self::Release,
        Self::Accept,
        Self::Attempt,
        Self::Lookup,
        Self::SendPage,
        Self::SendPacket,
        Self::Send,
        Self::Connect,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Release => "release",
            Self::Accept => "accept",
            Self::Attempt => "attempt",
            Self::Lookup => "lookup",
            Self::Iterate => "iterate",
            Self::Send => "send",
            Self::SendPage => "send-page",
            Self::SendPacket => "send-packet",
        }
    }

    /// The kernel function that it watches.
    #[must_use]
    pub const fn function(self) -> &'static str {
        match self {
            Self::Connect => "security_unix_stream_connect",
            Self::Release => "unix_release_sock",
            Self::Accept => "security_sock_graft",
            Self::Attempt => "unix_stream_connect",
            Self::Lookup => "unix_find_other",
            Self::Iterate => "bpf_iter_task_file",
            Self::Send => "unix_stream_sendmsg",
            Self::SendPage => "unix_stream_sendpage",
            Self::SendPacket => "unix_seqpacket_sendmsg",
        }
    }

    /// Its row in the kernel side's counters.
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Connect => abi::hook::CONNECT,
            Self::Release => abi::hook::RELEASE,
            Self::Accept => abi::hook::ACCEPT,
            Self::Attempt => abi::hook::ATTEMPT,
            Self::Lookup => abi::hook::LOOKUP,
            Self::Iterate => abi::hook::ITERATE,
            Self::Send => abi::hook::SEND,
            Self::SendPage => abi::hook::SEND_PAGE,
            Self::SendPacket => abi::hook::SEND_PACKET,
        }
    }

    /// Can nothing be said without it?
    #[must_use]
    pub const fn is_required(self) -> bool {
        matches!(self, Self::Connect | Self::Release)
    }

    /// Does it serve failed connects alone?
    #[must_use]
    pub const fn is_about_attempts(self) -> bool {
        matches!(self, Self::Attempt | Self::Lookup)
    }

    /// Does it serve evidence of use alone? Without it a report is complete all the same: use is not known then.
    #[must_use]
    pub const fn is_about_use(self) -> bool {
        matches!(self, Self::Send | Self::SendPage | Self::SendPacket)
    }

    /// What is missing from a report without it.
    #[must_use]
    pub const fn without(self) -> &'static str {
        match self {
            Self::Connect => "connections are not seen",
            Self::Release => "releases are not seen",
            Self::Accept => "it is not known who accepts, or whether anybody does",
            Self::Attempt => "failed connects are not seen",
            Self::Lookup => "failed connects are not seen where the client used another name for the socket",
            Self::Iterate => "connections from before tracing are not known, nor who holds an end now",
            Self::Send | Self::SendPage | Self::SendPacket => "it is not known when an end was last used",
        }
    }
}
