//! What the kernel side looks for: names, listeners that nobody wants after all, and the switch.

use std::collections::BTreeSet;

use anyhow::Context as _;
use aya::{
    Ebpf,
    maps::{Array, HashMap, Map, MapData, PerCpuArray, PerCpuValues},
};
use sockleak_abi::{Config, NAME_LEN, Name, PREFIX_LEN, Python};
use sockleak_core::attribution::targets::Wanted;

use super::shared::Shared;

/// The maps that steer the kernel side.
pub struct Control {
    config: Array<MapData, Shared<Config>>,
    wanted: HashMap<MapData, Shared<Name>, u8>,
    ignored: HashMap<MapData, u64, u8>,
    interpreters: HashMap<MapData, u64, Shared<Python>>,
    numbers: PerCpuArray<MapData, u64>,
    seed_number: Array<MapData, u64>,
    current: Config,
    listed: BTreeSet<Wanted>,
    /// Names that an earlier process told the kernel side.
    inherited: Vec<Name>,
}

/// Takes a map out of the object.
pub(super) fn take(ebpf: &mut Ebpf, name: &str) -> anyhow::Result<Map> {
    ebpf.take_map(name).with_context(|| format!("the object has no map {name}"))
}

impl Control {
    /// Goes on from what the maps have: nothing, unless they are an earlier process's.
    pub(super) fn new(ebpf: &mut Ebpf) -> anyhow::Result<Self> {
        let config: Array<_, Shared<Config>> = Array::try_from(take(ebpf, "CONFIG")?).context("CONFIG")?;
        let wanted: HashMap<_, Shared<Name>, u8> =
            HashMap::try_from(take(ebpf, "WANTED")?).context("WANTED")?;
        let inherited = wanted.keys().map(|key| key.map(|Shared(name)| name));
        Ok(Self {
            current: config.get(&0, 0).context("reading the kernel side's configuration")?.0,
            inherited: inherited
                .collect::<Result<_, _>>()
                .context("reading the names that are looked for")?,
            config,
            wanted,
            numbers: PerCpuArray::try_from(take(ebpf, "NUMBERS")?).context("NUMBERS")?,
            seed_number: Array::try_from(take(ebpf, "SEED_NUMBER")?).context("SEED_NUMBER")?,
            ignored: HashMap::try_from(take(ebpf, "IGNORED")?).context("IGNORED")?,
            interpreters: HashMap::try_from(take(ebpf, "PYTHONS")?).context("PYTHONS")?,
            listed: BTreeSet::new(),
        })
    }

    /// Tells the kernel side what to look for, if that changed.
    ///
    /// # Errors
    /// If the map of names is full. It looks for what it did before then.
    pub fn look_for(&mut self, wanted: BTreeSet<Wanted>) -> anyhow::Result<()> {
        if wanted == self.listed {
            return Ok(());
        }
        let config = looking_for(&wanted, &self.current);
        let keys: Vec<Name> = wanted.iter().filter_map(key).collect();
        let before: Vec<Name> =
            self.listed.iter().filter_map(key).chain(self.inherited.iter().copied()).collect();
        for (index, &key) in keys.iter().enumerate() {
            let added = self.wanted.insert(Shared(key), 1, 0);
            if let Err(error) = added {
                // Those that did find room are none that others cannot do without.
                for added in keys[..index].iter().filter(|added| !before.contains(added)) {
                    let _ = self.wanted.remove(&Shared(*added));
                }
                let what = "there are more targets than the kernel side has room for (1024)";
                return Err(anyhow::Error::new(error).context(what));
            }
        }
        // Names that look alike share a key.
        let unlisted = self.listed.difference(&wanted).filter_map(key).chain(self.inherited.drain(..));
        for gone in unlisted.filter(|gone| !keys.contains(gone)) {
            // Absent is as good as removed.
            let _ = self.wanted.remove(&Shared(gone));
        }
        self.listed = wanted;
        self.configure(config)
    }

    /// Starts or stops reporting new connections.
    ///
    /// # Errors
    /// If the map cannot be written.
    pub fn enable(&mut self, enabled: bool) -> anyhow::Result<()> {
        self.configure(Config { enabled: u32::from(enabled), ..self.current })
    }

    /// For a round of the iterator: shall it look for listeners alone?
    ///
    /// # Errors
    /// If the map cannot be written.
    pub fn listeners_only(&mut self, only: bool) -> anyhow::Result<()> {
        let listeners_only = u32::from(only);
        if self.current.listeners_only == listeners_only {
            return Ok(());
        }
        self.configure(Config { listeners_only, ..self.current })
    }

    /// Shall the stack of whoever connects be taken?
    ///
    /// # Errors
    /// If the map cannot be written.
    pub fn take_stacks(&mut self, taken: bool) -> anyhow::Result<()> {
        self.configure(Config { stacks: u32::from(taken), ..self.current })
    }

    /// Shall it be noted when an end sends?
    ///
    /// # Errors
    /// If the map cannot be written.
    pub fn note_use(&mut self, noted: bool) -> anyhow::Result<()> {
        self.configure(Config { use_armed: u32::from(noted), ..self.current })
    }

    /// Tells the kernel side where a Python interpreter keeps what it runs.
    pub fn tell_interpreter(&mut self, key: u64, interpreter: Python) {
        // Without it, the stacks of its scripts are those of the interpreter.
        let _ = self.interpreters.insert(key, Shared(interpreter), 0);
    }

    /// Is it?
    #[must_use]
    pub const fn takes_stacks(&self) -> bool {
        self.current.stacks != 0
    }

    fn configure(&mut self, config: Config) -> anyhow::Result<()> {
        self.config.set(0, Shared(config), 0).context("writing the kernel side's configuration")?;
        self.current = config;
        Ok(())
    }

    /// Has connections numbered from after this one on, so that none gets a number that an earlier one has.
    ///
    /// # Errors
    /// If the maps cannot be written.
    pub fn number_from(&mut self, highest: u64) -> anyhow::Result<()> {
        let processors = aya::util::nr_cpus().map_err(|(what, error)| anyhow::anyhow!("{what}: {error}"))?;
        let values = PerCpuValues::try_from(vec![highest; processors])?;
        self.numbers.set(0, values, 0).context("writing the numbers of connections")?;
        self.seed_number.set(0, highest, 0).context("writing the number of found connections")
    }

    /// Forgets which listeners nobody wants; gives back their numbers.
    pub(super) fn take_ignored(&mut self) -> anyhow::Result<BTreeSet<u64>> {
        let ignored = self.ignored.keys().collect::<Result<BTreeSet<_>, _>>();
        let ignored = ignored.context("reading the listeners that were turned down")?;
        for listener in &ignored {
            let _ = self.ignored.remove(listener);
        }
        Ok(ignored)
    }

    /// Tells the kernel side that nobody wants a listener after all.
    pub fn ignore(&mut self, listener: u64) {
        // If this fails, events keep coming that are dropped here.
        let _ = self.ignored.insert(listener, 1, 0);
        if self.current.any_ignored == 0 {
            let _ = self.configure(Config { any_ignored: 1, ..self.current });
        }
    }
}

/// The configuration for these names; the switches stay as they are.
fn looking_for(wanted: &BTreeSet<Wanted>, current: &Config) -> Config {
    let &Config { enabled, any_ignored, listeners_only, stacks, use_armed, .. } = current;
    let mut config = Config { enabled, any_ignored, listeners_only, stacks, use_armed, ..idle() };
    for wanted in wanted {
        match wanted {
            Wanted::AnyFile => config.any_file = 1,
            Wanted::File(name) => set_length(&mut config.file_lengths, name.len()),
            Wanted::AnyAbstract => config.any_abstract = 1,
            // NUL bytes may pad it, up to the end of `sun_path`.
            Wanted::Abstract(name) => {
                (name.len()..NAME_LEN).for_each(|len| set_length(&mut config.abstract_lengths, len));
            }
        }
    }
    config
}

fn set_length(lengths: &mut [u64; 4], len: usize) {
    // Names are at most 255 bytes long, see `Target::parse`.
    lengths[(len >> 6) & 3] |= 1 << (len & 63);
}

/// How the kernel side looks a name up, if it does.
fn key(wanted: &Wanted) -> Option<Name> {
    // Names are at most 255 bytes long, see `Target::parse`. The length of an abstract one is not compared.
    let (name, len, is_abstract) = match wanted {
        Wanted::File(name) => (name, name.len() as u32, 0),
        Wanted::Abstract(name) => (name, 0, 1),
        Wanted::AnyFile | Wanted::AnyAbstract => return None,
    };
    let mut prefix = [0; 16];
    let used = name.len().min(PREFIX_LEN);
    prefix[..used].copy_from_slice(&name[..used]);
    Some(Name { len, is_abstract, prefix: zerocopy::transmute!(prefix) })
}

const fn idle() -> Config {
    Config {
        enabled: 0,
        any_file: 0,
        any_ignored: 0,
        listeners_only: 0,
        stacks: 0,
        any_abstract: 0,
        use_armed: 0,
        padding: 0,
        file_lengths: [0; 4],
        abstract_lengths: [0; 4],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &[u8]) -> Wanted {
        Wanted::File(name.to_vec())
    }

    fn named(name: &[u8]) -> Wanted {
        Wanted::Abstract(name.to_vec())
    }

    /// The lengths that are set.
    fn lengths(bits: [u64; 4]) -> Vec<usize> {
        (0..256).filter(|len| bits[len / 64] & (1 << (len % 64)) != 0).collect()
    }

    fn config(wanted: &[Wanted], current: &Config) -> Config {
        looking_for(&wanted.iter().cloned().collect(), current)
    }

    #[test]
    fn files_are_looked_for_by_their_length() {
        let longest = [b'x'; 255];
        let config =
            config(&[file(b"a"), file(&longest[..63]), file(&longest[..64]), file(&longest)], &idle());
        assert_eq!(lengths(config.file_lengths), [1, 63, 64, 255]);
        assert_eq!((lengths(config.abstract_lengths), config.any_file, config.any_abstract), (vec![], 0, 0));
    }

    #[test]
    fn an_abstract_name_may_be_padded() {
        let config = config(&[named(b"docker")], &idle());
        assert_eq!(lengths(config.abstract_lengths), (6..NAME_LEN).collect::<Vec<_>>());
        assert!(lengths(config.file_lengths).is_empty());
    }

    #[test]
    fn any_name_has_no_length() {
        let config = config(&[Wanted::AnyFile, Wanted::AnyAbstract], &idle());
        assert_eq!((config.any_file, config.any_abstract), (1, 1));
        assert_eq!((lengths(config.file_lengths), lengths(config.abstract_lengths)), (vec![], vec![]));
    }

    #[test]
    fn switches_stay_and_earlier_names_go() {
        let before =
            Config { enabled: 1, any_ignored: 1, listeners_only: 1, stacks: 1, use_armed: 1, ..idle() };
        let before = config(&[Wanted::AnyFile, Wanted::AnyAbstract, file(b"old"), named(b"old")], &before);
        let now = config(&[file(b"new.sock")], &before);
        assert_eq!(
            (now.enabled, now.any_ignored, now.listeners_only, now.stacks, now.use_armed),
            (1, 1, 1, 1, 1)
        );
        assert_eq!((now.any_file, now.any_abstract, lengths(now.file_lengths)), (0, 0, vec![8]));
        assert!(lengths(now.abstract_lengths).is_empty());
    }

    fn parts(wanted: &Wanted) -> Option<(u32, u32, Vec<u8>)> {
        let Name { len, is_abstract, prefix } = key(wanted)?;
        let prefix: [u8; 16] = zerocopy::transmute!(prefix);
        Some((len, is_abstract, prefix.to_vec()))
    }

    #[test]
    fn a_key_is_the_beginning_of_a_name() {
        let mut short = b"ma.sock".to_vec();
        short.resize(16, 0);
        assert_eq!(parts(&file(b"ma.sock")), Some((7, 0, short.clone())));
        // The length of an abstract name is not compared: it may be padded.
        assert_eq!(parts(&named(b"ma.sock")), Some((0, 1, short)));
        let long = b"0123456789abcdef-and-more";
        assert_eq!(parts(&file(long)), Some((25, 0, b"0123456789abcde\0".to_vec())));
        assert_eq!(parts(&Wanted::AnyFile), None);
        assert_eq!(parts(&Wanted::AnyAbstract), None);
    }

    /// Removing one of them must not remove the other's key: see [`Control::look_for`].
    #[test]
    fn names_that_begin_alike_share_a_key() {
        let [one, other] = [&b"0123456789abcdef-one"[..], b"0123456789abcdef-two"];
        assert_eq!(key(&file(one)), key(&file(other)));
        assert_ne!(key(&file(one)), key(&file(&one[..19])), "files of another length differ");
        assert_eq!(key(&named(one)), key(&named(&one[..19])));
        assert_ne!(key(&file(one)), key(&named(one)));
    }
}
