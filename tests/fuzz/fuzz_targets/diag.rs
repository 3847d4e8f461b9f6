//! An answer of sock_diag(7).

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sockleak::fuzz::run("diag", data));
