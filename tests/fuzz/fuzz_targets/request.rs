//! The path and query of a request.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sockleak::fuzz::run("request", data));
