//! Records of any values, to their report.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sockleak::fuzz::run("session", data));
