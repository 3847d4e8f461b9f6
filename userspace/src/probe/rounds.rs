//! Rounds over all descriptors of the host, by the `task_file` iterator.

use std::{
    fs::File,
    io::{self, Read as _},
};

use anyhow::Context as _;
use aya::{
    Ebpf,
    maps::{HashMap, MapData},
    programs::Iter,
};

use super::control::{Control, take};

/// The maps that hold for one round.
pub(super) struct Rounds {
    is_used: bool,
    addresses: HashMap<MapData, u64, u64>,
    seeds: HashMap<MapData, u64, u64>,
}

impl Rounds {
    /// `is_used`: an earlier process made rounds with these maps.
    pub(super) fn new(ebpf: &mut Ebpf, is_used: bool) -> anyhow::Result<Self> {
        Ok(Self {
            is_used,
            addresses: HashMap::try_from(take(ebpf, "ADDRESSES")?).context("ADDRESSES")?,
            seeds: HashMap::try_from(take(ebpf, "SEEDS")?).context("SEEDS")?,
        })
    }

    /// Prepares a round. The first of a series forgets what earlier ones learned of addresses, and learns which listeners there are.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub(super) fn prepare(
        &mut self,
        ebpf: &mut Ebpf,
        control: &mut Control,
        is_first: bool,
    ) -> anyhow::Result<Round> {
        if is_first {
            self.forget();
        }
        control.listeners_only(is_first)?;
        let program = ebpf.program_mut("held_iter").context("the object has no program held_iter")?;
        let program: &mut Iter = program.try_into()?;
        let link = program.attach()?;
        Ok(Round(program.take_link(link)?.into_file()?))
    }

    /// Addresses are reused as soon as what was there is freed: what an earlier time learned of them is void.
    ///
    /// While a task that is in a map operation is preempted, the kernel skips the kprobes of its processor: what need not be
    /// done while hooks are on is not done.
    fn forget(&mut self) {
        if !std::mem::replace(&mut self.is_used, true) {
            return;
        }
        for map in [&mut self.addresses, &mut self.seeds] {
            let keys: Vec<u64> = map.keys().flatten().collect();
            for key in keys {
                // One that is gone already is as good as removed.
                let _ = map.remove(&key);
            }
        }
    }
}

/// A round about to be made.
pub struct Round(File);

impl Round {
    /// Walks over all descriptors; what is found is in the ring. Where the ring is full, the walk stops, calls `make_room`
    /// and goes on: the kernel side gives up after a thousand times in a row, and counts what is missing. Blocks for
    /// milliseconds on a small host, and for longer the more descriptors there are.
    ///
    /// # Errors
    /// If the kernel breaks it off.
    pub fn walk(mut self, mut make_room: impl FnMut()) -> io::Result<()> {
        // The program writes nothing to the file, so one read covers everything up to the end, or to a full ring; and the end
        // is an end.
        let mut nothing = [0; 64];
        loop {
            match self.0.read(&mut nothing) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => make_room(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
