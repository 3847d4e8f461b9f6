//! Loads and attaches what the plan says, and owns it until the end.

use anyhow::Context as _;
use aya::{
    Ebpf, EbpfLoader,
    maps::{MapData, PerCpuArray},
};
use aya_log::EbpfLogger;
use nix::unistd::geteuid;
use sockleak_abi::{Counters, hook, offsets::Offsets};

use super::{
    control::{Control, take},
    facts::{Machine, remedy},
    functions::functions,
    hooks::{Attached, Hooks, brief, unload},
    offsets,
    options::HookChoice,
    pins::{Identity, Pins},
    plan::{Hook, Kind, Scope, plan},
    ring::Ring,
    rounds::{Round, Rounds},
    shared::Shared,
    sizes::Sizes,
    status::{HookStatus, Outcome},
    verify,
};
use crate::{clock, failure::Failure, namespaces::OwnNamespaces};

/// The object file with all programs.
const OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/probe-ebpf"));

/// Its maps, and those of its variables and of what the kernel side logs.
const MAPS: [&str; 19] = [
    ".bss",
    "ADDRESSES",
    "ANNOUNCED",
    "AYA_LOGS",
    "CALLS",
    "CONFIG",
    "COUNTERS",
    "ENDS",
    "EVENTS",
    "AGAIN",
    "IGNORED",
    "LAST_ANNOUNCED",
    "NUMBERS",
    "OBSERVER",
    "PENDING",
    "PYTHONS",
    "SEEDS",
    "SEED_NUMBER",
    "WANTED",
];

/// The attached programs and their maps. Dropping it detaches everything.
pub struct Probe {
    pub(super) ebpf: Ebpf,
    /// How each hook came out.
    pub hooks: Vec<HookStatus>,
    pub(super) attached: Vec<Attached>,
    /// What outlives this process.
    pub pins: Option<Pins>,
    /// Can it be asked whether an end is open still?
    pub(super) verifies: bool,
    /// Entries of the map of ends.
    pub(super) capacity: usize,
    /// What the kernel side looks for.
    pub control: Control,
    pub(super) rounds: Rounds,
    pub(super) counters: PerCpuArray<MapData, Shared<Counters>>,
    /// Which namespaces of ours are not the host's.
    pub namespaces: OwnNamespaces,
    logger: Option<EbpfLogger<&'static dyn log::Log>>,
}

/// Checks what can be checked without touching the kernel, and returns the kernel's types.
///
/// # Errors
/// If privileges or type information are missing.
fn preflight(machine: &Machine) -> Result<&sockleak_btf::Btf, Failure> {
    if machine.namespaces.user {
        return Err(Failure::Kernel(OwnNamespaces::USER.to_owned()));
    }
    if !machine.missing.is_empty() {
        let missing = machine.missing.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
        return Err(Failure::Privilege { missing, remedy: remedy(&machine.missing, geteuid().is_root()) });
    }
    if clock::ahead().is_none() {
        return Err(Failure::Kernel(
            "this process is in a time namespace whose distance from the host's time is not known (/proc/self/timens_offsets), so \
             no age would be right; run sockleak in the host's time namespace"
                .to_owned(),
        ));
    }
    match &machine.btf {
        Ok(types) => Ok(types),
        Err(error) => Err(Failure::Kernel(format!(
            "{error}; sockleak needs a kernel built with CONFIG_DEBUG_INFO_BTF, as distributions ship since Linux 5.10"
        ))),
    }
}

/// Where structures have their members.
fn offsets_of(machine: &Machine, types: &sockleak_btf::Btf) -> Result<Offsets, Failure> {
    offsets::resolve(types).map_err(|missing| {
        Failure::Kernel(format!(
            "this kernel ({}) has no {}; please report it",
            machine.release,
            missing.join(", ")
        ))
    })
}

/// Are the registers of user mode found by the page size? Otherwise they are at the same place on each machine.
const FINDS_REGISTERS: bool = cfg!(target_arch = "aarch64");

/// Where a kernel stack has the registers of user mode; 0 where the kernel side knows that by itself.
fn registers_of(machine: &Machine, types: &sockleak_btf::Btf) -> Result<u32, Failure> {
    if !FINDS_REGISTERS {
        return Ok(0);
    }
    let page = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten();
    let page = page.and_then(|page| u32::try_from(page).ok()).unwrap_or(4096);
    offsets::registers_at(types, page).ok_or_else(|| {
        Failure::Kernel(format!("this kernel ({}) has no pt_regs; please report it", machine.release))
    })
}

impl Probe {
    /// Loads the object and attaches every hook that can be, of those asked for; nothing is reported yet.
    ///
    /// # Errors
    /// If privileges, BTF, a structure's member or a required hook is missing, or the kernel refuses.
    pub fn attach(
        machine: &Machine,
        choice: HookChoice,
        sizes: Sizes,
        scope: Scope,
    ) -> Result<Self, Failure> {
        Self::attach_with(machine, choice, sizes, scope, None)
    }

    /// As [`Probe::attach`], but all of it outlives this process, where the kernel allows that; or it is what an earlier process
    /// left.
    ///
    /// # Errors
    /// As there.
    pub fn attach_pinned(
        machine: &Machine,
        choice: HookChoice,
        sizes: Sizes,
        scope: Scope,
        pins: Pins,
    ) -> Result<Self, Failure> {
        Self::attach_with(machine, choice, sizes, scope, Some(pins))
    }

    /// What [`Probe::attach_pinned`] is to be called with for these.
    ///
    /// # Errors
    /// As [`Probe::attach`].
    pub fn identity(
        machine: &Machine,
        choice: HookChoice,
        sizes: Sizes,
        scope: Scope,
    ) -> Result<Identity, Failure> {
        let offsets = offsets_of(machine, preflight(machine)?)?;
        let hooks: Vec<_> = Hook::ALL.into_iter().filter(|hook| (scope.includes)(*hook)).collect();
        let settings = format!("{choice:?} {hooks:?} {sizes:?} {offsets:?} {}", machine.boot_id);
        Ok(Identity::of(&[OBJECT, settings.as_bytes()]))
    }

    fn attach_with(
        machine: &Machine,
        choice: HookChoice,
        sizes: Sizes,
        scope: Scope,
        pins: Option<Pins>,
    ) -> Result<Self, Failure> {
        let types = preflight(machine)?;
        let offsets = offsets_of(machine, types)?;
        let registers_at = registers_of(machine, types)?;
        let btf = functions(types, Hook::ALL.into_iter().map(Hook::function));
        raise_memory_limit();
        let mut ebpf = load(&Shared(offsets), registers_at, Typed::of(types), sizes, pins.as_ref())
            .map_err(|error| refusal(machine, &error))?;
        tracing::debug!("maps made");
        let mut hooks = Hooks::new(&mut ebpf, &btf, pins, scope.use_waits);
        let plan = plan(&machine.facts(), choice).into_iter().filter(|(hook, _)| (scope.includes)(*hook));
        for (hook, ways) in plan {
            hooks.attach(hook, ways);
        }
        let Hooks { statuses: hooks, attached, pins, .. } = hooks;
        let verifies = !sizes.is_look && verify::load(&mut ebpf);
        Ok(Self {
            control: Control::new(&mut ebpf)?,
            rounds: Rounds::new(&mut ebpf, pins.as_ref().is_some_and(Pins::is_taken_over))?,
            counters: PerCpuArray::try_from(take(&mut ebpf, "COUNTERS")?).context("COUNTERS")?,
            logger: EbpfLogger::init(&mut ebpf).ok(),
            capacity: sizes.ends() as usize,
            ebpf,
            hooks,
            attached,
            pins,
            verifies,
            namespaces: machine.namespaces,
        })
    }

    /// Are the hooks there that cannot be done without?
    ///
    /// # Errors
    /// If a required hook is missing; the sentence says why.
    pub fn require(&self, machine: &Machine, is_required: fn(Hook) -> bool) -> Result<(), Failure> {
        let missing =
            self.hooks.iter().find(|hook| is_required(hook.hook) && hook.status != Outcome::Attached);
        match missing {
            None => Ok(()),
            Some(hook) => Err(Failure::Kernel(why_not(machine, hook))),
        }
    }

    /// Takes the ring buffer, which is there once.
    ///
    /// # Errors
    /// If it was taken already, or cannot be mapped.
    pub fn ring(&mut self) -> anyhow::Result<Ring> {
        let map = self.ebpf.take_map("EVENTS").context("the ring buffer was taken already")?;
        Ring::new(map).context("the ring buffer cannot be read")
    }

    /// Can rounds be made?
    #[must_use]
    pub fn makes_rounds(&self) -> bool {
        self.hooks.iter().any(|hook| {
            hook.hook == Hook::Iterate && hook.status == Outcome::Attached && hook.kind == Some(Kind::Iter)
        })
    }

    /// Prepares a round. The first of a series forgets what earlier ones learned of addresses, and learns which listeners
    /// there are: the ends of connections, which later ones find, are known by that.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn round(&mut self, is_first: bool) -> anyhow::Result<Round> {
        self.rounds.prepare(&mut self.ebpf, &mut self.control, is_first)
    }

    /// Shows what the kernel side logged, which is nothing unless something is wrong.
    pub fn flush_log(&mut self) {
        if let Some(logger) = &mut self.logger {
            logger.flush();
        }
    }

    /// Did an earlier process attach it?
    #[must_use]
    pub fn is_taken_over(&self) -> bool {
        self.pins.as_ref().is_some_and(Pins::is_taken_over)
    }

    /// Nothing shall outlive this process after all.
    pub fn give_up(&mut self) {
        let _ = self.pins.take().map(Pins::give_up);
    }

    /// From now on a later process can take over what is pinned. Tells whether there will be anything.
    ///
    /// # Errors
    /// If that cannot be noted.
    pub fn keep(&self) -> std::io::Result<bool> {
        self.pins.as_ref().map_or(Ok(()), Pins::complete).map(|()| self.pins.is_some())
    }

    /// Detaches every program; what is in the ring stays there.
    pub fn detach(&mut self) {
        for attached in std::mem::take(&mut self.attached) {
            if let Some(program) = self.ebpf.program_mut(attached.program) {
                let _ = unload(program);
            }
        }
    }
}

/// Of which kernel structures programs get typed pointers: 1 for those that there are.
#[derive(Clone, Copy)]
struct Typed {
    /// The current task.
    task: u32,
    /// A unix socket.
    unix: u32,
}

impl Typed {
    fn of(types: &sockleak_btf::Btf) -> Self {
        let has = |helper| u32::from(types.argument_count(helper).is_some());
        Self { task: has("bpf_get_current_task_btf"), unix: has("bpf_skc_to_unix_sock") }
    }
}

fn load(
    offsets: &Shared<Offsets>,
    registers_at: u32,
    typed: Typed,
    sizes: Sizes,
    pins: Option<&Pins>,
) -> Result<Ebpf, aya::EbpfError> {
    // Early enough that the rest of the ring takes what comes while userspace wakes up.
    let wake_at = (sizes.ring / 4).min(256 << 10);
    let mut loader = EbpfLoader::new();
    // Making a map takes time for each entry that it may have.
    for map in ["ANNOUNCED", "CALLS", "PENDING", "PYTHONS"] {
        if sizes.is_look {
            loader.map_max_entries(map, 1);
        }
    }
    for map in MAPS {
        if let Some(pins) = pins {
            loader.map_pin_path(map, pins.map(map));
        }
    }
    loader
        // The object has no relocations for the kernel's types: that is what the offsets are for.
        .btf(None)
        .override_global("OFFSETS", offsets, true)
        .override_global("REGISTERS_AT", &registers_at, FINDS_REGISTERS)
        .override_global("WAKE_AT", &wake_at, true)
        .override_global("TYPED_TASK", &typed.task, true)
        .override_global("TYPED_UNIX", &typed.unix, true)
        .map_max_entries("EVENTS", sizes.ring)
        .map_max_entries("ENDS", sizes.ends())
        .map_max_entries("SEEDS", sizes.connections)
        .load(OBJECT)
}

/// Before Linux 5.11, maps count as locked memory.
fn raise_memory_limit() {
    use nix::sys::resource::{RLIM_INFINITY, Resource, setrlimit};

    // Without the right to, loading fails with a sentence of its own.
    let _ = setrlimit(Resource::RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY);
}

fn refusal(machine: &Machine, error: &aya::EbpfError) -> Failure {
    let detail = brief(&anyhow::Error::msg(error.to_string()));
    Failure::Kernel(format!(
        "this kernel ({}) does not load the maps: {detail}{}",
        machine.release,
        hint(machine)
    ))
}

/// Why a required hook is not there, and what to do about it.
fn why_not(machine: &Machine, hook: &HookStatus) -> String {
    let reason = hook.reason.as_deref().unwrap_or("no reason was given");
    let function = &hook.function;
    match hook.status {
        Outcome::Refused => format!(
            "this kernel ({}) refuses tracing programs although the privileges are there, so {function} cannot be \
             watched ({reason}); run sockleak on a host whose kernel allows fentry or kprobe programs{}",
            machine.release,
            hint(machine)
        ),
        Outcome::Unsupported | Outcome::Attached => format!(
            "{function} cannot be watched on this kernel ({}): {reason}; `sockleak check` shows what it offers{}",
            machine.release,
            paranoia(machine, reason).unwrap_or_else(|| hint(machine))
        ),
    }
}

/// Debian's kernels can keep kprobes from everybody but `CAP_SYS_ADMIN`.
fn paranoia(machine: &Machine, reason: &str) -> Option<String> {
    let level = machine.perf_event_paranoid.filter(|&level| level > 2)?;
    let is_denied = reason.contains("probe") && reason.contains("Permission denied");
    is_denied.then(|| {
        format!(
            " (kernel.perf_event_paranoid is {level}, so kprobes need CAP_SYS_ADMIN: set it to 2, or run sockleak as root)"
        )
    })
}

fn hint(machine: &Machine) -> String {
    match machine.lockdown.as_deref() {
        Some(mode) if mode != "none" => format!(" (kernel lockdown is on, {mode}: boot without it)"),
        _ => machine.confinement.hint(),
    }
}

/// How many hooks there are, for the assertion that the counters have a row for each.
const _: () = assert!(Hook::ALL.len() == hook::COUNT);
