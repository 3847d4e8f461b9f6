//! Messages as bytes.

use std::{fmt, io};

use bytes::{BufMut as _, Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio_util::codec::LengthDelimitedCodec;

use super::{Present, Question};

/// Bytes of a message to the tracer at most: it answers questions, and those are short.
pub(super) const MOST_TO_TRACER: usize = 4 << 10;
/// Bytes of a message to the web process at most.
pub(super) const MOST_TO_WEB: usize = 64 << 20;
/// Bytes of an answer's body at most: there has to be room for the line in front of it.
pub(super) const MOST_BODY: usize = MOST_TO_WEB - (4 << 10);

/// Why a link ends.
#[derive(Debug, Error)]
pub enum LinkError {
    /// The other side has gone, or sends more than it may.
    #[error("the link between the tracer and its web process failed: {0}")]
    Io(#[from] io::Error),
    /// The other side sends what is no message.
    #[error("a message on the link between the tracer and its web process makes no sense: {0}")]
    Message(String),
}

/// What the tracer tells its web process about how to serve. A later one replaces it.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Names besides `localhost` by which this host may be asked.
    pub names: Vec<String>,
    /// What shows that somebody may see everything.
    pub token: Option<String>,
    /// Names of programs are command lines (`by = "cmdline"`): then whatever has names needs the token.
    pub names_are_private: bool,
    /// What time it is for the tracer.
    #[serde(default)]
    pub present: Present,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let token = self.token.as_ref().map(|_| "(hidden)");
        f.debug_struct("Settings")
            .field("names", &self.names)
            .field("token", &token)
            .field("names_are_private", &self.names_are_private)
            .field("present", &self.present)
            .finish()
    }
}

/// A message to the tracer.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ask {
    /// Comes back with the answer.
    pub(super) id: u64,
    pub(super) question: Question,
}

/// The line of a message to the web process.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Head {
    Settings(Settings),
    /// The body is the answer's.
    Answer {
        id: u64,
        status: u16,
        content_type: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        verdicts: Option<String>,
    },
    /// The body is an event in JSON.
    Event {
        /// For those who may see command lines.
        with_argv: bool,
        /// Events that were dropped so far.
        dropped: u64,
    },
}

/// Cuts bytes into frames of at most so many.
pub(super) fn codec(most: usize) -> LengthDelimitedCodec {
    LengthDelimitedCodec::builder().length_field_type::<u32>().max_frame_length(most).new_codec()
}

impl Ask {
    /// Reads one.
    pub(super) fn read(frame: &[u8]) -> Result<Self, LinkError> {
        serde_json::from_slice(frame).map_err(|error| LinkError::Message(error.to_string()))
    }

    /// As bytes. None if it is too long for the tracer.
    pub(super) fn bytes(&self) -> Option<Bytes> {
        let bytes = serde_json::to_vec(self).ok()?;
        (bytes.len() <= MOST_TO_TRACER).then(|| bytes.into())
    }
}

impl Head {
    /// With a body, as bytes.
    pub(super) fn bytes(&self, body: &[u8]) -> Result<Bytes, LinkError> {
        let head = serde_json::to_vec(self).map_err(|error| LinkError::Message(error.to_string()))?;
        let mut frame = BytesMut::with_capacity(head.len() + 1 + body.len());
        frame.put_slice(&head);
        frame.put_u8(b'\n');
        frame.put_slice(body);
        Ok(frame.freeze())
    }

    /// Reads one, and its body.
    pub(super) fn read(mut frame: Bytes) -> Result<(Self, Bytes), LinkError> {
        let Some(end) = frame.iter().position(|&byte| byte == b'\n') else {
            return Err(LinkError::Message("its first line does not end".to_owned()));
        };
        let body = frame.split_off(end + 1);
        let head = serde_json::from_slice(&frame[..end]);
        Ok((head.map_err(|error| LinkError::Message(error.to_string()))?, body))
    }
}
