//! Stacks of whoever makes a connection: as bytes, and as a list of functions.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ProcessId;

/// A stack as the kernel side copied it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawStack {
    /// Number of the connection, whose record follows.
    pub connection: u64,
    /// The opener.
    pub process: ProcessId,
    /// Its thread.
    pub tid: u32,
    /// Instruction pointer in user mode.
    pub ip: u64,
    /// Stack pointer.
    pub sp: u64,
    /// Frame pointer.
    pub bp: u64,
    /// Link register, where calls leave their return address; 0 on processors without one.
    pub link: u64,
    /// Address of the first byte.
    pub base: u64,
    /// Of an interpreter: addresses of the code object and the instruction of each function that it runs, the innermost first.
    pub script: Box<[[u64; 2]]>,
    /// What lies on the stack from there on.
    pub bytes: Box<[u8]>,
}

impl RawStack {
    /// The word at an address, if it was copied.
    #[must_use]
    pub fn word(&self, address: u64) -> Option<u64> {
        let start = usize::try_from(address.checked_sub(self.base)?).ok()?;
        let bytes = self.bytes.get(start..start.checked_add(8)?)?;
        Some(u64::from_ne_bytes(bytes.try_into().ok()?))
    }
}

/// A stack as a list of functions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stack {
    /// Number of the connection, whose record follows.
    pub connection: u64,
    /// The functions, the innermost first.
    pub frames: Arc<[Frame]>,
}

/// A function on a stack, or what is known in its place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Frame {
    /// Its name, where a symbol or debug information tells it.
    pub function: Option<Arc<str>>,
    /// The source file.
    pub file: Option<Arc<str>>,
    /// The line in it.
    pub line: Option<u32>,
    /// The executable or library; None for code that no file holds.
    pub module: Option<Arc<str>>,
    /// The module's build id in hexadecimal: with `offset` it finds the function in a copy with debug information.
    pub build_id: Option<Arc<str>>,
    /// Of the instruction within the module's file; without a module its address. None where the line is known: one line may
    /// have several instructions that call.
    pub offset: Option<u64>,
    /// The compiler put it into the function that follows.
    pub inlined: bool,
    /// Why it has no name, where the module is not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unnamed: Option<Arc<str>>,
}
