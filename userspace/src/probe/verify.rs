//! Asks the kernel whether ends that it follows are open: what a missed release left in its map is told from what is there.

use aya::{
    Ebpf, TestRun as _,
    programs::{RawTracePoint, RawTracePointRunOptions},
};
use sockleak_abi::liveness;

const PROGRAM: &str = "verify";

/// Loads what answers; tells whether that went well. Kernels run such programs on demand from 5.10.
pub(super) fn load(ebpf: &mut Ebpf) -> bool {
    let Some(program) = ebpf.program_mut(PROGRAM) else { return false };
    let loaded = <&mut RawTracePoint>::try_from(program).and_then(RawTracePoint::load);
    loaded.inspect_err(|error| tracing::debug!("missed releases cannot be told: {error}")).is_ok()
}

/// Is the end of a connection, by the address of its socket, open? Without an answer it is taken for open.
pub(super) fn is_open(ebpf: &Ebpf, address: u64, connection: u64) -> bool {
    let Some(program) = ebpf.program(PROGRAM) else { return true };
    let Ok(program) = <&RawTracePoint>::try_from(program) else { return true };
    let mut options = RawTracePointRunOptions::new();
    options.args[0] = address;
    options.args[1] = connection;
    match program.test_run(options) {
        Ok(result) => result.return_value.cast_signed() != liveness::RELEASED,
        Err(error) => {
            tracing::warn!("an end cannot be verified: {error}");
            true
        }
    }
}
