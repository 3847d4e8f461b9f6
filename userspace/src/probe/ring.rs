//! The ring buffer: records out of shared memory, in batches.
//!
//! Reading and giving room back are two steps. A reader that keeps what it reads gives room back when that is safe: if it dies in
//! between, the next one reads the same records again, and knows by their [`Position`] which it has.

use std::{
    io,
    os::fd::{AsFd as _, AsRawFd, RawFd},
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
};

use aya::maps::{Map, MapData};
use memmap2::{MmapOptions, MmapRaw};
use nix::unistd::{SysconfVar, sysconf};
use tokio::io::{Interest, unix::AsyncFd};

/// Copied at most at a time, so that signals are heeded under load.
const BATCH: usize = 1 << 20;
/// In front of each record (`BPF_RINGBUF_HDR_SZ`): its length and two flags, and a page number that is the kernel's own.
const HEADER: usize = 8;
/// The kernel side has not finished the record (`BPF_RINGBUF_BUSY_BIT`).
const BUSY: u32 = 1 << 31;
/// It thought better of it (`BPF_RINGBUF_DISCARD_BIT`).
const DISCARDED: u32 = 1 << 30;

/// A place in everything that was ever written to a ring: bytes since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(pub u64);

/// The reader of the ring; there is one at a time.
///
/// The kernel side wakes it only when a good part of the ring is full; [`Ring::drain`] is to be called on a timer too.
pub struct Ring {
    ready: AsyncFd<Descriptor>,
    memory: Memory,
    /// Memory of earlier batches, to be used again.
    spare: Batch,
}

/// Records that were copied out of the ring.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    /// Where each record ends.
    ends: Vec<usize>,
    /// How many were taken out.
    taken: usize,
}

impl Batch {
    /// The next record; None after the last.
    pub fn next_record(&mut self) -> Option<&[u8]> {
        let end = *self.ends.get(self.taken)?;
        let start = self.taken.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.taken += 1;
        self.bytes.get(start..end)
    }
}

impl Ring {
    /// Takes over the map, and begins where the last reader gave room back.
    ///
    /// # Errors
    /// If it is no ring, cannot be mapped, or the runtime cannot wait for it.
    pub fn new(map: Map) -> io::Result<Self> {
        let Map::RingBuf(map) = map else { return Err(io::Error::other("the map is no ring buffer")) };
        let memory = Memory::map(&map)?;
        // SAFETY: the map owns its descriptor and keeps it open, the same one, until it is dropped with this.
        let ready = unsafe { AsyncFd::register_with_interest(Descriptor(map), Interest::READABLE) };
        let ready = ready.map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Self { ready, memory, spare: Batch::default() })
    }

    /// Waits until the kernel side says that the ring is filling up.
    ///
    /// # Errors
    /// If waiting fails.
    pub async fn filling(&mut self) -> io::Result<()> {
        self.ready.readable_mut().await?.clear_ready();
        Ok(())
    }

    /// The next finished records, up to a bound. None: all is read, or the kernel side has not finished the next one. To be given
    /// back to [`Ring::recycle`].
    pub fn drain(&mut self) -> Batch {
        let Batch { mut bytes, mut ends, .. } = std::mem::take(&mut self.spare);
        bytes.clear();
        ends.clear();
        while bytes.len() < BATCH && self.memory.next(|record| bytes.extend_from_slice(record)) {
            // A discarded record adds nothing.
            if ends.last().copied().unwrap_or(0) < bytes.len() {
                ends.push(bytes.len());
            }
        }
        Batch { bytes, ends, taken: 0 }
    }

    /// Uses the memory of a batch for the next ones.
    pub fn recycle(&mut self, batch: Batch) {
        self.spare = batch;
    }

    /// Up to where it has been read.
    #[must_use]
    pub const fn position(&self) -> Position {
        Position(self.memory.read)
    }

    /// Up to where the kernel side has reserved room: for records that are finished, and for those that are not yet.
    #[must_use]
    pub fn reserved(&self) -> Position {
        Position(self.memory.written())
    }

    /// Passes over what was read up to a position by a reader that did not live to give the room back. False if that is no
    /// place in what the ring holds: then all of that is to be read.
    pub fn skip_to(&mut self, position: Position) -> bool {
        let is_there = (self.memory.read..=self.memory.written()).contains(&position.0);
        if is_there {
            self.memory.read = position.0;
            self.release(position);
        }
        is_there
    }

    /// Gives the room back up to a position.
    pub fn release(&self, position: Position) {
        self.memory.release(position.0.min(self.memory.read));
    }

    /// Gives all room back that was read.
    pub fn release_all(&self) {
        self.release(self.position());
    }
}

/// The map, to be waited for.
struct Descriptor(MapData);

impl AsRawFd for Descriptor {
    fn as_raw_fd(&self) -> RawFd {
        self.0.fd().as_fd().as_raw_fd()
    }
}

/// The ring's memory: a page with the consumer's position; a page with the producer's, and the data, twice in a row, so that a
/// record that passes the end is in one piece (kernel/bpf/ringbuf.c).
struct Memory {
    consumer: MmapRaw,
    producer: MmapRaw,
    page: usize,
    size: u64,
    read: u64,
}

impl Memory {
    fn map(map: &MapData) -> io::Result<Self> {
        let size = map.info().map_err(io::Error::other)?.max_entries();
        let page = sysconf(SysconfVar::PAGE_SIZE)?.and_then(|size| usize::try_from(size).ok());
        let page = page.ok_or_else(|| io::Error::other("the size of a page is not known"))?;
        let descriptor = map.fd().as_fd().as_raw_fd();
        let consumer = MmapOptions::new().len(page).map_raw(descriptor)?;
        let length = page + 2 * size as usize;
        let producer = MmapOptions::new().offset(page as u64).len(length).map_raw_read_only(descriptor)?;
        let mut memory = Self { consumer, producer, page, size: u64::from(size), read: 0 };
        memory.read = memory.consumed().load(Ordering::Acquire);
        Ok(memory)
    }

    fn consumed(&self) -> &AtomicU64 {
        // SAFETY: the page begins with it, and lives as long as self; kernel and reader access it atomically. 64 bits is an
        // unsigned long of the kernels that aya loads these programs on.
        unsafe { AtomicU64::from_ptr(self.consumer.as_mut_ptr().cast()) }
    }

    #[expect(clippy::cast_ptr_alignment, reason = "a mapping begins at a page")]
    fn written(&self) -> u64 {
        // SAFETY: as above; it is only loaded, for the page is read-only.
        unsafe { &*self.producer.as_ptr().cast::<AtomicU64>() }.load(Ordering::Acquire)
    }

    /// Shows the next record, unless it is a discarded one. False if there is none yet.
    #[expect(clippy::cast_ptr_alignment, reason = "headers are aligned to 8 bytes")]
    fn next(&mut self, show: impl FnOnce(&[u8])) -> bool {
        if self.read >= self.written() {
            return false;
        }
        let offset = self.page + (self.read & (self.size - 1)) as usize;
        // SAFETY: positions below the producer's are within the data, and headers are aligned to 8 bytes.
        let header = unsafe { &*self.producer.as_ptr().add(offset).cast::<AtomicU32>() };
        let header = header.load(Ordering::Acquire);
        if header & BUSY != 0 {
            return false;
        }
        let length = (header & !(BUSY | DISCARDED)) as usize;
        if header & DISCARDED == 0 {
            // SAFETY: the record lies behind its header, within the data or its second mapping, and stays as it is until
            // the room is given back.
            show(unsafe { std::slice::from_raw_parts(self.producer.as_ptr().add(offset + HEADER), length) });
        }
        self.read += (HEADER + length).next_multiple_of(HEADER) as u64;
        true
    }

    fn release(&self, position: u64) {
        // What was read is read before the kernel may write there again.
        self.consumed().fetch_max(position, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use memmap2::MmapMut;

    use super::*;

    const PAGE: usize = 4096;

    /// A ring as the kernel side fills it: the data twice in a row, as the kernel maps them.
    struct Kernel(Memory);

    impl Kernel {
        fn new() -> Self {
            let anonymous = |length| MmapRaw::from(MmapMut::map_anon(length).expect("there is memory"));
            let (consumer, producer) = (anonymous(PAGE), anonymous(PAGE + 2 * PAGE));
            Self(Memory { consumer, producer, page: PAGE, size: PAGE as u64, read: 0 })
        }

        /// Writes bytes into the data, in both places.
        fn put(&mut self, at: u64, bytes: &[u8]) {
            for (nth, byte) in bytes.iter().enumerate() {
                let offset = (at as usize + nth) % PAGE;
                for place in [PAGE + offset, 2 * PAGE + offset] {
                    // SAFETY: both are within the mapping of three pages, which nobody else refers to.
                    unsafe { self.0.producer.as_mut_ptr().add(place).write(*byte) };
                }
            }
        }

        /// Reserves room for a record, and returns its place.
        #[expect(clippy::cast_ptr_alignment, reason = "a mapping begins at a page")]
        fn reserve(&mut self, payload: &[u8], flags: u32) -> u64 {
            let at = self.0.written();
            self.flag(at, payload.len() as u32 | flags);
            self.put(at + HEADER as u64, payload);
            let next = at + (HEADER + payload.len()).next_multiple_of(HEADER) as u64;
            // SAFETY: the mapping begins with the position, at a page's border.
            unsafe { self.0.producer.as_mut_ptr().cast::<u64>().write(next) };
            at
        }

        /// Writes a record's length and flags.
        fn flag(&mut self, at: u64, header: u32) {
            self.put(at, &header.to_ne_bytes());
        }

        /// All that can be read, and is given back.
        fn read(&mut self) -> Vec<Vec<u8>> {
            let mut records = Vec::new();
            while self.0.next(|record| records.push(record.to_vec())) {}
            self.0.release(self.0.read);
            records
        }
    }

    #[test]
    fn what_is_not_finished_hides_what_lies_behind_it() {
        let mut ring = Kernel::new();
        assert!(ring.read().is_empty());
        ring.reserve(b"first", 0);
        let busy = ring.reserve(b"second", BUSY);
        ring.reserve(b"third", 0);
        assert_eq!(ring.read(), [b"first"]);
        assert!(ring.read().is_empty());
        assert!(ring.0.read < ring.0.written(), "that is how it is told from an empty ring");
        ring.flag(busy, 6);
        assert_eq!(ring.read(), [b"second".to_vec(), b"third".to_vec()]);
        assert_eq!(ring.0.read, ring.0.written());
    }

    #[test]
    fn what_was_discarded_is_passed_over() {
        let mut ring = Kernel::new();
        ring.reserve(b"no", DISCARDED);
        ring.reserve(b"yes", 0);
        ring.reserve(b"no more", DISCARDED);
        assert_eq!(ring.read(), [b"yes"]);
        assert_eq!(ring.0.read, ring.0.written());
    }

    #[test]
    fn a_record_that_passes_the_end_is_in_one_piece() {
        let mut ring = Kernel::new();
        for round in 0..100_u64 {
            let payload: Vec<u8> = (0..250).map(|nth| (round + nth) as u8).collect();
            ring.reserve(&payload, 0);
            assert_eq!(ring.read(), [payload], "{round}");
        }
        assert!(ring.0.written() > 6 * PAGE as u64);
        assert_eq!(ring.0.consumed().load(Ordering::Relaxed), ring.0.written());
    }
}
