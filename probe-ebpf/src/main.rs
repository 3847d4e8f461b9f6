//! The eBPF programs: see `docs/architecture.md` and each hook.
#![no_std]
#![no_main]

mod emit;
mod hooks;
mod kernel;
mod maps;

/// The licence that the kernel is told: several helpers are for GPL-compatible programs.
#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    // The programs have no panicking path that survives optimisation; the compiler wants a handler all the same.
    loop {}
}
