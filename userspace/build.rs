//! Builds the kernel side for its own target.

fn main() -> anyhow::Result<()> {
    probe_build::build("../probe-ebpf", &["ebpf"])
}
