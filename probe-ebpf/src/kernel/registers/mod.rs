//! The registers of user mode, which the kernel saves on a task's kernel stack. Each processor has its own.

#[cfg(bpf_target_arch = "aarch64")]
mod aarch64;
#[cfg(not(bpf_target_arch = "aarch64"))]
mod x86_64;

#[cfg(bpf_target_arch = "aarch64")]
pub(super) use aarch64::Registers;
#[cfg(not(bpf_target_arch = "aarch64"))]
pub(super) use x86_64::Registers;
