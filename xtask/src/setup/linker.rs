//! bpf-linker, built against the LLVM version of the compiler whose bitcode it reads.

use std::path::Path;

use anyhow::{Context, Result};

use super::packages;
use crate::process::{self, Log};
use crate::{paths, toolchain, vm::libs};

/// Whether a bpf-linker is here that reads what that LLVM writes.
pub(crate) fn fits(llvm: Option<u32>) -> bool {
    let Some(linker) = paths::program("bpf-linker") else { return false };
    match (llvm, linked_llvm(&linker)) {
        (Some(wanted), Some(linked)) => wanted == linked,
        // LLVM linked in statically, or nothing to compare with: the build will tell.
        _ => true,
    }
}

/// How to get it by hand: as a program with LLVM in it, or built.
pub(super) fn by_hand(llvm: Option<u32>) -> Vec<String> {
    let version = llvm.map_or_else(|| "N".to_owned(), |llvm| llvm.to_string());
    vec![
        "cargo binstall bpf-linker".to_owned(),
        "or the program from https://github.com/aya-rs/bpf-linker/releases, into ~/.cargo/bin".to_owned(),
        format!("or LLVM {version} with headers (N is what `rustup run nightly rustc -vV` prints), then"),
        format!(
            "LLVM_PREFIX=/usr/lib/llvm-{version} cargo install bpf-linker --no-default-features \
             --features llvm-{version}"
        ),
    ]
}

/// The major version of the shared LLVM library that a program uses.
fn linked_llvm(program: &Path) -> Option<u32> {
    libs::needed(program).iter().find_map(|name| llvm_major(name))
}

fn llvm_major(library: &str) -> Option<u32> {
    // libLLVM.so.22.1 today, libLLVM-15.so.1 before LLVM 18.
    let rest = library.strip_prefix("libLLVM")?;
    rest.split(|c: char| !c.is_ascii_digit()).find(|digits| !digits.is_empty())?.parse().ok()
}

/// Installs LLVM's development files and bpf-linker.
pub(crate) fn install(log: &Log) -> Result<()> {
    let llvm = toolchain::find().context("there is no compiler to match")?.llvm;
    let prefix = format!("/usr/lib/llvm-{llvm}");
    if !Path::new(&prefix).join("include/llvm-c").exists() {
        packages::install(&[format!("llvm-{llvm}-dev"), format!("libpolly-{llvm}-dev")], log)?;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(Path::new(&prefix).join("bin")).chain(std::env::split_paths(&path));
    let feature = format!("llvm-{llvm}");
    let arguments = ["install", "bpf-linker", "--force", "--no-default-features", "--features", &feature];
    log.run(
        process::command("cargo", arguments)
            .env("LLVM_PREFIX", &prefix)
            .env("PATH", std::env::join_paths(folders)?),
    )
}

#[cfg(test)]
mod tests {
    use super::llvm_major;

    #[test]
    fn the_llvm_version_is_in_the_library_name() {
        for (name, major) in [
            ("libLLVM.so.22.1", Some(22)),
            ("libLLVM-15.so.1", Some(15)),
            ("libLLVM.so", None),
            ("libc.so.6", None),
        ] {
            assert_eq!(llvm_major(name), major, "{name}");
        }
    }
}
