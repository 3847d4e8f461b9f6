//! Builds the programs that do nothing.

#[path = "../../probe-ebpf/object.rs"]
mod object;

fn main() -> anyhow::Result<()> {
    object::build("../../probe-ebpf", &["floor"])
}
