//! Builds the kernel side for its own target.

#[path = "../probe-ebpf/object.rs"]
mod object;

fn main() -> anyhow::Result<()> {
    object::build("../probe-ebpf", &["ebpf"])
}
