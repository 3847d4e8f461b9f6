//! What the kernel side and userspace agree on: the records in the ring buffer, the maps' keys and values, and
//! the globals that userspace fills in before the programs are loaded.
//!
//! Each layout is defined here once and used by both sides; [`abi`] asserts sizes at compile time.
#![no_std]

pub mod abi;
pub mod offsets;
