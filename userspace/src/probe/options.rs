//! How the user wants the kernel hooked into.

use sockleak_core::choices;

use super::plan::Scope;

/// What a user may choose of the probe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Kinds of hook.
    pub hooks: HookChoice,
    /// Size of the ring buffer in bytes, a power of two; None: by the host's memory.
    pub ring_size: Option<u32>,
    /// Connections that can be followed at a time, at least; None: by the host's memory.
    pub max_connections: Option<u32>,
}

choices! {
    /// Which kinds the user allows.
    #[derive(Debug, Default)]
    pub enum HookChoice {
        /// The best for each hook.
        #[default]
        Auto = "auto",
        /// fentry and fexit alone.
        Fentry = "fentry",
        /// kprobes and kretprobes alone.
        Kprobe = "kprobe",
    }
}

choices! {
    /// When it is noted that an end sends something.
    #[derive(Debug, Default)]
    pub enum UsePolicy {
        /// Never.
        Off = "off",
        /// From the first connection on that is older than the leak age.
        #[default]
        Auto = "auto",
        /// From the start.
        On = "on",
    }
}

impl UsePolicy {
    /// Which hooks it asks for: a hook that notes nothing would still cost something at every message of the host.
    #[must_use]
    pub fn hooks(self) -> Scope {
        match self {
            Self::Off => Scope::of(|hook| !hook.is_about_use()),
            Self::Auto => Scope { use_waits: true, ..Scope::of(|_| true) },
            Self::On => Scope::of(|_| true),
        }
    }
}

choices! {
    /// When stacks are taken.
    #[derive(Debug, Default)]
    pub enum StackPolicy {
        /// Never.
        #[default]
        Off = "off",
        /// Once half the slots of a socket are used.
        Auto = "auto",
        /// From the start.
        On = "on",
    }
}
