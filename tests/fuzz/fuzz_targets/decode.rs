//! A record from the ring buffer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sockleak::fuzz::run("decode", data));
