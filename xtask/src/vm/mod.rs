//! Virtual machines: a kernel of the cache, an initramfs with what the run needs, one command, its verdict.

mod boot;
pub(crate) mod debian;
pub(crate) mod guest;
pub(crate) mod haproxy;
mod initramfs;
pub(crate) mod kernels;
pub(crate) mod libs;
mod verdict;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

pub(crate) use boot::run;
pub(crate) use guest::Guest;
use kernels::Kernel;
pub(crate) use verdict::Verdict;

/// One run of one command in a VM of its own.
pub(crate) struct VmSpec {
    /// Names the run's folders; unique among runs that are under way.
    pub(crate) name: String,
    /// What boots.
    pub(crate) kernel: Kernel,
    /// The files inside.
    pub(crate) guest: Guest,
    /// The program and its arguments, exact.
    pub(crate) command: Vec<OsString>,
    /// Environment of the command, beside `PATH` and `HOME`.
    pub(crate) env: Vec<(String, OsString)>,
    /// Further arguments for the kernel's command line.
    pub(crate) append: Vec<String>,
    /// Further arguments for QEMU.
    pub(crate) qemu: Vec<OsString>,
    /// Processors.
    pub(crate) smp: u32,
    /// Memory, MiB.
    pub(crate) memory: u32,
    /// How long the whole run may take.
    pub(crate) timeout: Duration,
    /// Where the guest's /out is unpacked; a folder in the cache unless given.
    pub(crate) out: Option<PathBuf>,
}

impl VmSpec {
    /// A run with the usual sizes.
    pub(crate) fn new(name: impl Into<String>, kernel: Kernel, guest: Guest, command: Vec<OsString>) -> Self {
        Self {
            name: name.into(),
            kernel,
            guest,
            command,
            env: Vec::new(),
            append: Vec::new(),
            qemu: Vec::new(),
            smp: 2,
            memory: 1024,
            timeout: Duration::from_secs(300),
            out: None,
        }
    }
}

/// How a run ended that reached its end.
pub(crate) struct Outcome {
    /// The command's exit status, 128 + n after signal n.
    pub(crate) status: u8,
    /// Where the guest's /out was unpacked, if it held anything.
    pub(crate) out: Option<PathBuf>,
    /// What the guest's kernel said.
    pub(crate) console: PathBuf,
}
