//! A recording, to its report.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sockleak::fuzz::run("recording", data));
