//! Attaches hooks, each in the first way that the kernel takes, or takes over what an earlier process attached.

use std::{borrow::Cow, io};

use anyhow::{Context as _, bail};
use aya::{
    Btf, Ebpf,
    programs::{
        FEntry, FExit, Iter, KProbe, Program, ProgramError, ProgramFd,
        links::{FdLink, PinnedLink},
    },
};

use super::{
    pins::Pins,
    plan::{Hook, HookPlan, Kind, Way},
    status::{HookStatus, Outcome},
};

/// A program that runs.
pub(super) struct Attached {
    pub(super) hook: Hook,
    pub(super) program: &'static str,
    /// Of the program in the kernel; for an iterator none.
    pub(super) descriptor: Option<ProgramFd>,
    /// Keeps it attached, unless aya does.
    pub(super) link: Option<PinnedLink>,
    /// It does not run yet: see `waiting`.
    pub(super) waits: bool,
}

/// Hooks being attached.
pub(super) struct Hooks<'a> {
    ebpf: &'a mut Ebpf,
    btf: &'a Btf,
    pub(super) statuses: Vec<HookStatus>,
    pub(super) attached: Vec<Attached>,
    /// None once the kernel turned out not to keep something.
    pub(super) pins: Option<Pins>,
    /// Those that note use wait until they are needed.
    use_waits: bool,
}

impl<'a> Hooks<'a> {
    pub(super) const fn new(ebpf: &'a mut Ebpf, btf: &'a Btf, pins: Option<Pins>, use_waits: bool) -> Self {
        Self { ebpf, btf, statuses: Vec::new(), attached: Vec::new(), pins, use_waits }
    }

    /// Tries the ways in turn; the first that the kernel takes is it.
    pub(super) fn attach(&mut self, hook: Hook, ways: HookPlan) {
        let status = match ways {
            Ok(ways) => self.try_ways(hook, ways),
            Err(reason) => HookStatus { reason: Some(reason.to_string()), ..unsupported(hook) },
        };
        self.statuses.push(status);
    }

    fn try_ways(&mut self, hook: Hook, ways: Vec<Way>) -> HookStatus {
        let mut status = unsupported(hook);
        let mut refusals = Vec::new();
        for way in ways {
            let waits = self.use_waits && hook.is_about_use() && way.may_wait;
            let done = match self.take_over(hook, &way, waits) {
                Some(attached) => Ok(attached),
                None => self.attach_way(hook, &way, waits),
            };
            match done {
                Ok(attached) => {
                    self.attached.extend(attached);
                    refusals.extend(way.warning.map(str::to_owned));
                    status.kind = Some(way.kind);
                    status.status = Outcome::Attached;
                    break;
                }
                Err(error) => {
                    if is_refusal(&error) {
                        status.status = Outcome::Refused;
                    }
                    tracing::debug!(hook = hook.name(), kind = %way.kind, error = format!("{error:#}"), "not attached");
                    refusals.push(format!("{}: {}", way.kind, refusal(&error)));
                    refusals.extend(way.no_other.map(|reason| reason.to_string()));
                }
            }
        }
        status.reason = (!refusals.is_empty()).then(|| refusals.join("; "));
        status
    }

    /// What an earlier process attached in this way, if it did. Programs that shall wait are detached, and loaded anew: since when
    /// they run has to be known.
    fn take_over(&self, hook: Hook, way: &Way, waits: bool) -> Option<Vec<Attached>> {
        let pins = self.pins.as_ref()?;
        if waits {
            way.programs.iter().for_each(|&(program, _)| pins.unpin(program));
            return None;
        }
        let taken = way.programs.iter().map(|&(program, _)| {
            let (descriptor, link) = pins.taken_over(program)?;
            Some(Attached { hook, program, descriptor: Some(descriptor), link: Some(link), waits: false })
        });
        taken.collect()
    }

    fn attach_way(&mut self, hook: Hook, way: &Way, waits: bool) -> anyhow::Result<Vec<Attached>> {
        let mut done: Vec<Attached> = Vec::new();
        for &(name, kind) in &way.programs {
            let result = match waits {
                true => self.try_program(hook.function(), name).map(|()| None),
                false => self.attach_program(hook.function(), name, kind),
            };
            tracing::debug!(program = name, "tried");
            match result {
                Ok(link) => {
                    let program =
                        self.ebpf.program(name).and_then(|program| program.fd().ok()?.try_clone().ok());
                    done.push(Attached { hook, program: name, descriptor: program, link, waits });
                }
                Err(error) => {
                    for attached in done {
                        let _ = self.ebpf.program_mut(attached.program).map(unload);
                    }
                    return Err(error);
                }
            }
        }
        Ok(done)
    }

    /// Loads an fexit program that shall wait. Attached once, and detached again: where the kernel does not take it, there may be
    /// another way now, and later there is none.
    fn try_program(&mut self, function: &str, name: &'static str) -> anyhow::Result<()> {
        let program =
            self.ebpf.program_mut(name).with_context(|| format!("the object has no program {name}"))?;
        let program: &mut FExit = program.try_into()?;
        program.load(function, self.btf)?;
        let link = program.attach()?;
        program.detach(link)?;
        Ok(())
    }

    fn attach_program(
        &mut self,
        function: &str,
        name: &'static str,
        kind: Kind,
    ) -> anyhow::Result<Option<PinnedLink>> {
        let program =
            self.ebpf.program_mut(name).with_context(|| format!("the object has no program {name}"))?;
        let link: FdLink = match kind {
            Kind::Fentry => {
                let program: &mut FEntry = program.try_into()?;
                program.load(function, self.btf)?;
                let link = program.attach()?;
                if self.pins.is_none() {
                    return Ok(None);
                }
                program.take_link(link)?.into()
            }
            Kind::Fexit => {
                let program: &mut FExit = program.try_into()?;
                program.load(function, self.btf)?;
                let link = program.attach()?;
                if self.pins.is_none() {
                    return Ok(None);
                }
                program.take_link(link)?.into()
            }
            // Attached anew for each round.
            Kind::Iter => {
                let program: &mut Iter = program.try_into()?;
                program.load("task_file", self.btf)?;
                return Ok(None);
            }
            Kind::Twins => bail!("twins are two programs"),
            Kind::Kprobe | Kind::Kretprobe => {
                let program: &mut KProbe = program.try_into()?;
                program.load()?;
                let link = program.attach(function, 0)?;
                if self.pins.is_none() {
                    return Ok(None);
                }
                match FdLink::try_from(program.take_link(link)?) {
                    Ok(link) => link,
                    // Before Linux 5.15 it ends with its process. Without it, the others are of no use.
                    Err(_) => {
                        program.attach(function, 0)?;
                        let _ = self.pins.take().map(Pins::give_up);
                        return Ok(None);
                    }
                }
            }
        };
        let Some(pins) = &self.pins else { return Ok(None) };
        pins.pin(name, program, link).map(Some)
    }
}

const fn unsupported(hook: Hook) -> HookStatus {
    HookStatus {
        hook,
        function: Cow::Borrowed(hook.function()),
        kind: None,
        status: Outcome::Unsupported,
        reason: None,
    }
}

/// Takes a program out of the kernel, unless it is pinned.
pub(super) fn unload(program: &mut Program) -> Result<(), ProgramError> {
    match program {
        Program::FEntry(program) => program.unload(),
        Program::FExit(program) => program.unload(),
        Program::KProbe(program) => program.unload(),
        Program::Iter(program) => program.unload(),
        _ => Ok(()),
    }
}

/// Is it the kernel's policy that says no? The verifier's own complaint is EACCES.
fn is_refusal(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    causes.any(|error| error.raw_os_error() == Some(libc::EPERM))
}

/// Why the kernel does not take a program.
fn refusal(error: &anyhow::Error) -> String {
    /// `ENOTSUPP`, which the kernel keeps to itself otherwise: arm64 attached no fentry and fexit programs at first.
    const ENOTSUPP: i32 = 524;
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    if causes.any(|error| error.raw_os_error() == Some(ENOTSUPP)) {
        return "this kernel attaches none (ENOTSUPP)".to_owned();
    }
    brief(error)
}

/// The innermost cause, without the verifier's log.
pub(super) fn brief(error: &anyhow::Error) -> String {
    let cause = error.chain().last().map_or_else(String::new, ToString::to_string);
    cause.lines().next().unwrap_or_default().to_owned()
}
