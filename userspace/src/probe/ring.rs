//! The ring buffer: records out of shared memory, as [`Bytes`].

use std::io;

use aya::maps::{MapData, RingBuf};
use bytes::{Bytes, BytesMut};
use tokio::io::{Interest, unix::AsyncFd};

/// Copied at most at a time, so that signals are heeded under load.
const BATCH: usize = 1 << 20;

/// The reader of the ring.
///
/// The kernel side wakes it only when a good part of the ring is full; [`Ring::drain`] is to be called on a timer too.
pub struct Ring {
    buffer: AsyncFd<RingBuf<MapData>>,
    copied: BytesMut,
    ends: Vec<usize>,
}

impl Ring {
    /// Takes over the map.
    ///
    /// # Errors
    /// If the runtime cannot wait for it.
    pub fn new(buffer: RingBuf<MapData>) -> io::Result<Self> {
        // SAFETY: the map owns its descriptor and keeps it open, the same one, until it is dropped with this.
        let buffer = unsafe { AsyncFd::register_with_interest(buffer, Interest::READABLE) };
        let buffer = buffer.map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Self { buffer, copied: BytesMut::new(), ends: Vec::new() })
    }

    /// Waits until the kernel side says that the ring is filling up.
    ///
    /// # Errors
    /// If waiting fails.
    pub async fn filling(&mut self) -> io::Result<()> {
        self.buffer.readable_mut().await?.clear_ready();
        Ok(())
    }

    /// The records that are there, up to a bound; none means that the ring is empty.
    pub fn drain(&mut self) -> impl Iterator<Item = Bytes> + use<> {
        let Self { buffer, copied, ends } = self;
        ends.clear();
        let ring = buffer.get_mut();
        while copied.len() < BATCH {
            let Some(record) = ring.next() else { break };
            copied.extend_from_slice(&record);
            ends.push(copied.len());
        }
        let mut rest = copied.split().freeze();
        let mut start = 0;
        std::mem::take(ends).into_iter().map(move |end| {
            let record = rest.split_to(end - start);
            start = end;
            record
        })
    }
}
