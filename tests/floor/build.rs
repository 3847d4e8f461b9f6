//! Builds the programs that do nothing.

fn main() -> anyhow::Result<()> {
    probe_build::build("../../probe-ebpf", &["floor"])
}
