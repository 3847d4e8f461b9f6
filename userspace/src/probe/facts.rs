//! What the machine offers: read once, then judged elsewhere.

use std::{collections::BTreeSet, fs, io, path::Path};

use caps::{CapSet, Capability};
use sockleak_btf::{Btf, BtfError};

use super::plan::{Facts, Hook, Preemption};
use crate::{confinement::Confinement, namespaces::OwnNamespaces};

/// Where the kernel shows its type information.
pub const BTF_PATH: &str = "/sys/kernel/btf/vmlinux";

/// Where the kernel lists its functions, those without type information too.
const SYMBOLS_PATH: &str = "/proc/kallsyms";

/// The kernel has it if its kretprobes do not run out: those of others hold an instance for as long as a function waits, and have few.
const RETHOOK: &str = "rethook_try_get";

/// What was found out.
#[derive(Debug)]
pub struct Machine {
    /// `uname -r`
    pub release: String,
    /// `uname -v`
    pub version: String,
    /// The kernel's types, or why there are none.
    pub btf: Result<Btf, NoBtf>,
    /// Functions to watch that the types do not have and kprobes find.
    pub symbols: BTreeSet<&'static str>,
    /// Capabilities that are needed and not there.
    pub missing: Vec<Capability>,
    /// Text of `/sys/kernel/security/lockdown`, the active mode alone.
    pub lockdown: Option<String>,
    /// Are there kprobes for perf?
    pub kprobes: bool,
    /// `kernel.perf_event_paranoid`. Debian's kernels keep kprobes from all but `CAP_SYS_ADMIN` where it is over 2.
    pub perf_event_paranoid: Option<i32>,
    /// Is kernel code preempted?
    pub preemption: Preemption,
    /// `RLIMIT_MEMLOCK` in bytes; None for no limit.
    pub locked_memory: Option<u64>,
    /// Inode number of our mount namespace.
    pub mount_namespace: u32,
    /// This boot's identity.
    pub boot_id: String,
    /// Which namespaces of ours are not the host's.
    pub namespaces: OwnNamespaces,
    /// What a container engine or a service manager has put around this process.
    pub confinement: Confinement,
}

/// Why there is no BTF.
#[derive(Debug, thiserror::Error)]
pub enum NoBtf {
    /// The file could not be read.
    #[error("{BTF_PATH} cannot be read: {0}")]
    Unreadable(io::Error),
    /// The file is not what was expected.
    #[error("{BTF_PATH} cannot be used: {0}")]
    Malformed(BtfError),
}

impl Machine {
    /// Finds everything out.
    #[must_use]
    pub fn inspect() -> Self {
        let (release, version) = match nix::sys::utsname::uname() {
            Ok(name) => {
                (name.release().to_string_lossy().into_owned(), name.version().to_string_lossy().into_owned())
            }
            Err(_) => ("unknown".to_owned(), "unknown".to_owned()),
        };
        let btf = fs::read(BTF_PATH).map_err(NoBtf::Unreadable);
        let btf = btf.and_then(|bytes| Btf::parse(bytes).map_err(NoBtf::Malformed));
        let symbols =
            btf.as_ref().map_or_else(|_| BTreeSet::new(), |btf| symbols(btf, || read(SYMBOLS_PATH)));
        let preemption = preemption(
            &version,
            read("/sys/kernel/debug/sched/preempt").as_deref(),
            read("/proc/cmdline").as_deref(),
        );
        let locked_memory = locked_memory();
        let missing = missing_capabilities(version_numbers(&release), locked_memory, &|capability| {
            caps::has_cap(None, CapSet::Effective, capability).unwrap_or(false)
        });
        Self {
            release,
            version,
            btf,
            symbols,
            missing,
            lockdown: read("/sys/kernel/security/lockdown").and_then(|text| bracketed(&text, '[', ']')),
            kprobes: Path::new("/sys/bus/event_source/devices/kprobe/type").exists(),
            perf_event_paranoid: read("/proc/sys/kernel/perf_event_paranoid")
                .and_then(|level| level.trim().parse().ok()),
            preemption,
            locked_memory,
            mount_namespace: own_mount_namespace(),
            boot_id: read("/proc/sys/kernel/random/boot_id")
                .map_or_else(String::new, |id| id.trim().to_owned()),
            namespaces: OwnNamespaces::inspect(),
            confinement: Confinement::inspect(),
        }
    }

    /// What the plan rests on; without BTF, no function is known.
    #[must_use]
    pub fn facts(&self) -> Facts {
        let btf = self.btf.as_ref().ok();
        let count = |hook: Hook| Some((hook.function(), btf?.argument_count(hook.function())?));
        Facts {
            arguments: Hook::ALL.into_iter().filter_map(count).collect(),
            symbols: self.symbols.clone(),
            kprobes: self.kprobes,
            rethook: btf.is_some_and(|btf| btf.function(RETHOOK).is_some()),
            preemption: self.preemption,
            version: version_numbers(&self.release),
        }
    }
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}

/// The functions to watch that have no type information, as static ones in Linux 5.10 on 64-bit ARM. The list is long, so it is read
/// only where one is missing that every kernel has.
fn symbols(btf: &Btf, list: impl FnOnce() -> Option<String>) -> BTreeSet<&'static str> {
    let names = Hook::ALL.into_iter().filter(|hook| btf.argument_count(hook.function()).is_none());
    let missing: BTreeSet<&'static str> = names.map(Hook::function).collect();
    if missing.iter().all(|name| *name == Hook::SendPage.function()) {
        return BTreeSet::new();
    }
    let list = list().unwrap_or_default();
    // `ffff800010a3d2c0 t unix_release_sock`, and behind that the module, if it is in one.
    let listed = list.lines().filter_map(|line| line.split_ascii_whitespace().nth(2));
    listed.filter_map(|name| missing.get(name).copied()).collect()
}

/// Loading programs takes `CAP_BPF` and `CAP_PERFMON` (Linux 5.8), or `CAP_SYS_ADMIN` for both. Before Linux 5.11 maps
/// count as locked memory, and raising that limit takes `CAP_SYS_RESOURCE`.
fn missing_capabilities(
    version: (u32, u32),
    locked_memory: Option<u64>,
    has: &dyn Fn(Capability) -> bool,
) -> Vec<Capability> {
    use Capability::{CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN, CAP_SYS_RESOURCE};

    let mut needed = if has(CAP_SYS_ADMIN) { Vec::new() } else { vec![CAP_BPF, CAP_PERFMON] };
    if version < (5, 11) && locked_memory.is_some() {
        needed.push(CAP_SYS_RESOURCE);
    }
    needed.retain(|&capability| !has(capability));
    needed
}

/// How to get capabilities that are missing. Root lacks some only where somebody took them away.
pub(super) fn remedy(missing: &[Capability], is_root: bool) -> String {
    if !is_root {
        return "run it with sudo".to_owned();
    }
    // Engines of before 2021 do not know CAP_BPF and CAP_PERFMON; CAP_SYS_ADMIN is both.
    let option = |it: &Capability| match it {
        Capability::CAP_BPF | Capability::CAP_PERFMON => " --cap-add SYS_ADMIN".to_owned(),
        other => other.to_string().replacen("CAP_", " --cap-add ", 1),
    };
    let mut options: Vec<_> = missing.iter().map(option).collect();
    options.dedup();
    format!("give them to this container or service (docker run{})", options.concat())
}

/// From `uname -v`, the scheduler's debug file (`none voluntary (full)`) and the kernel command line.
fn preemption(version: &str, debug: Option<&str>, command_line: Option<&str>) -> Preemption {
    let by_mode = |mode: &str| match mode {
        "none" | "voluntary" => Preemption::No,
        "full" | "lazy" => Preemption::Yes,
        _ => Preemption::Unknown,
    };
    if !version.contains("PREEMPT") {
        return Preemption::No;
    }
    if !version.contains("PREEMPT_DYNAMIC") {
        return Preemption::Yes;
    }
    if let Some(mode) = debug.and_then(|text| bracketed(text, '(', ')')) {
        return by_mode(&mode);
    }
    let chosen = command_line
        .and_then(|line| line.split_whitespace().rev().find_map(|word| word.strip_prefix("preempt=")));
    chosen.map_or(Preemption::Unknown, by_mode)
}

fn bracketed(text: &str, open: char, close: char) -> Option<String> {
    let (_, rest) = text.split_once(open)?;
    rest.split_once(close).map(|(inside, _)| inside.to_owned())
}

/// Version of the kernel that runs: major and minor.
#[must_use]
pub fn running_version() -> (u32, u32) {
    let name = nix::sys::utsname::uname();
    name.map_or((0, 0), |name| version_numbers(&name.release().to_string_lossy()))
}

fn version_numbers(release: &str) -> (u32, u32) {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

fn locked_memory() -> Option<u64> {
    match nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_MEMLOCK) {
        Ok((nix::sys::resource::RLIM_INFINITY, _)) | Err(_) => None,
        Ok((limit, _)) => Some(limit),
    }
}

fn own_mount_namespace() -> u32 {
    use std::os::unix::fs::MetadataExt as _;

    fs::metadata("/proc/self/ns/mnt")
        .ok()
        .and_then(|namespace| u32::try_from(namespace.ino()).ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use sockleak_btf::sample::sample;

    use super::*;

    #[test]
    fn functions_without_types_are_found_among_the_symbols() -> Result<(), BtfError> {
        let types = Btf::parse(sample().build())?;
        let list = "ffff800010a3d2c0 t unix_release_sock\n0000000000000000 T security_sock_graft\n\
                    ffff800010a3d2c4 t unix_release_sock_x\nffff800010a3d2c8 t unix_find_other\t[unix]\n\n";
        let found = symbols(&types, || Some(list.to_owned()));
        assert_eq!(
            found.into_iter().collect::<Vec<_>>(),
            ["security_sock_graft", "unix_find_other", "unix_release_sock"]
        );
        assert!(symbols(&types, || None).is_empty());
        Ok(())
    }

    #[test]
    fn preemption_is_found_where_it_can_be() {
        for (version, debug, line, expected) in [
            ("#1 SMP Debian 5.10.223-1", None, None, Preemption::No),
            ("#1 SMP PREEMPT Debian", None, None, Preemption::Yes),
            ("#1 SMP PREEMPT_RT", None, None, Preemption::Yes),
            ("#1 SMP PREEMPT_DYNAMIC", None, Some("quiet"), Preemption::Unknown),
            ("#1 SMP PREEMPT_DYNAMIC", None, Some("preempt=full quiet"), Preemption::Yes),
            ("#1 SMP PREEMPT_DYNAMIC", None, Some("preempt=full preempt=none"), Preemption::No),
            ("#1 SMP PREEMPT_DYNAMIC", Some("none (voluntary) full\n"), Some("preempt=full"), Preemption::No),
            ("#1 SMP PREEMPT_DYNAMIC", Some("full (lazy)\n"), None, Preemption::Yes),
        ] {
            assert_eq!(preemption(version, debug, line), expected, "{version} {debug:?} {line:?}");
        }
    }

    #[test]
    fn either_the_old_capability_or_both_new_ones() {
        use Capability::{CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN, CAP_SYS_RESOURCE};

        for (version, held, expected) in [
            ((6, 1), vec![CAP_SYS_ADMIN], vec![]),
            ((6, 1), vec![CAP_BPF, CAP_PERFMON], vec![]),
            ((6, 1), vec![CAP_BPF], vec![CAP_PERFMON]),
            ((6, 1), vec![], vec![CAP_BPF, CAP_PERFMON]),
            ((5, 10), vec![CAP_BPF, CAP_PERFMON], vec![CAP_SYS_RESOURCE]),
            ((5, 10), vec![CAP_SYS_ADMIN, CAP_SYS_RESOURCE], vec![]),
        ] {
            let missing =
                missing_capabilities(version, Some(65_536), &|capability| held.contains(&capability));
            assert_eq!(missing, expected, "{version:?} {held:?}");
        }
        assert!(missing_capabilities((5, 10), None, &|it| it != CAP_SYS_RESOURCE).is_empty());
    }

    #[test]
    fn root_without_capabilities_is_in_a_container() {
        use Capability::{CAP_BPF, CAP_PERFMON, CAP_SYS_RESOURCE};

        let missing = [CAP_BPF, CAP_PERFMON, CAP_SYS_RESOURCE];
        assert_eq!(remedy(&missing, false), "run it with sudo");
        let root = remedy(&missing, true);
        assert!(root.ends_with("(docker run --cap-add SYS_ADMIN --cap-add SYS_RESOURCE)"), "{root}");
    }

    #[test]
    fn versions_are_read_from_releases() {
        assert_eq!(version_numbers("5.10.0-32-cloud-amd64"), (5, 10));
        assert_eq!(version_numbers("7.2"), (7, 2));
        assert_eq!(version_numbers(""), (0, 0));
    }
}
