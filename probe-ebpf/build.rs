//! Tells the compiler of the condition by which the programs know whose registers they read: aya-build sets it.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(bpf_target_arch, values(\"aarch64\", \"x86_64\"))");
}
