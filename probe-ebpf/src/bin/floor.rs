//! Programs that do nothing, on the functions and of the kinds that sockleak uses by preference where kernel code is not preempted:
//! what any tracing of these functions costs. `cargo xtask bench` measures them beside sockleak.
#![no_std]
#![no_main]

use aya_ebpf::{
    macros::{fentry, fexit},
    programs::{FEntryContext, FExitContext},
};

#[fexit(function = "security_unix_stream_connect")]
pub(crate) fn connect_floor(_: FExitContext) -> i32 {
    0
}

#[fentry(function = "unix_release_sock")]
pub(crate) fn release_floor(_: FEntryContext) -> i32 {
    0
}

#[fentry(function = "security_sock_graft")]
pub(crate) fn accept_floor(_: FEntryContext) -> i32 {
    0
}

#[fexit(function = "unix_stream_connect")]
pub(crate) fn attempt_floor(_: FExitContext) -> i32 {
    0
}

#[fexit(function = "unix_find_other")]
pub(crate) fn lookup_floor(_: FExitContext) -> i32 {
    0
}

#[fexit(function = "unix_stream_sendmsg")]
pub(crate) fn send_floor(_: FExitContext) -> i32 {
    0
}

/// The same licence as sockleak's own programs.
#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    // The programs have no panicking path; the compiler wants a handler all the same.
    loop {}
}
