//! The eBPF programs: see `docs/architecture.md` and each hook.
#![feature(asm_experimental_arch)]
#![no_std]
#![no_main]
#![expect(
    clippy::needless_borrows_for_generic_args,
    reason = "a borrowed key is read where it lies, not copied first"
)]
#![expect(clippy::needless_pass_by_value, reason = "aya's macros hand the context over by value")]

mod emit;
mod filter;
mod hooks;
mod injected;
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
