//! Hooks that are loaded at the start and attached when they are needed: at each message of the host, a hook that notes nothing
//! would cost something too.
//!
//! By then the process has given up its privileges. The kernel asks for them when a program is loaded, and not when the owner of its
//! descriptor attaches it (docs/kernel.md).

use anyhow::Context as _;
use aya::{
    Ebpf,
    programs::{FExit, links::PinnedLink},
};

use super::{
    attach::Probe,
    hooks::{brief, unload},
    pins::Pins,
    plan::Hook,
    status::Outcome,
};

impl Probe {
    /// Attaches the hooks that wait. Tells whether every hook runs that notes use. If the kernel refuses one, none is of use: all
    /// are detached, and their status says why.
    pub fn attach_waiting(&mut self) -> bool {
        let Self { ebpf, attached, pins, .. } = self;
        let mut refused = None;
        for it in attached.iter_mut().filter(|it| it.waits) {
            match attach(ebpf, pins.as_ref(), it.program) {
                Ok(link) => (it.link, it.waits) = (link, false),
                Err(error) => {
                    tracing::warn!("{} cannot be attached any more: {error:#}", it.program);
                    refused = Some((it.hook, brief(&error)));
                    break;
                }
            }
        }
        if let Some((hook, reason)) = refused {
            self.detach_use(&format!("the {} hook could not be attached: {reason}", hook.name()));
        }
        self.sees_use()
    }

    /// Detaches every hook that notes use, for good: it is not known any more. `reason` is for their status.
    pub fn detach_use(&mut self, reason: &str) {
        let (gone, kept) =
            std::mem::take(&mut self.attached).into_iter().partition(|it| it.hook.is_about_use());
        self.attached = kept;
        let gone: Vec<super::hooks::Attached> = gone;
        for it in gone {
            if let Some(pins) = &self.pins {
                pins.unpin(it.program);
            }
            if let Some(program) = self.ebpf.program_mut(it.program) {
                // One that an earlier process loaded is not loaded here; it goes with its link.
                let _ = unload(program);
            }
        }
        let is_attached = |hook: Hook, status| hook.is_about_use() && status == Outcome::Attached;
        for hook in self.hooks.iter_mut().filter(|it| is_attached(it.hook, it.status)) {
            hook.status = Outcome::Unsupported;
            hook.reason = Some(reason.to_owned());
        }
    }
}

fn attach(ebpf: &mut Ebpf, pins: Option<&Pins>, name: &'static str) -> anyhow::Result<Option<PinnedLink>> {
    let program = ebpf.program_mut(name).context("the object has no such program")?;
    let fexit: &mut FExit = program.try_into()?;
    let link = fexit.attach()?;
    let Some(pins) = pins else { return Ok(None) };
    let link = fexit.take_link(link)?;
    pins.pin(name, program, link.into()).map(Some)
}
