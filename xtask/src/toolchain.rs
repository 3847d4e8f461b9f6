//! The compiler for the kernel side: one that has the source of `core`, which `-Z build-std` builds.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::process;

/// The rustup toolchains that userspace/build.rs looks for, in its order.
pub(crate) const NAMES: [&str; 2] = ["ebpf", "nightly"];
/// A question to rustup is answered at once, or something hangs.
const ANSWER: Duration = Duration::from_secs(30);

/// A toolchain that can build the kernel side.
pub(crate) struct Toolchain {
    /// Its name in rustup.
    pub(crate) name: &'static str,
    /// rustc's version.
    pub(crate) release: String,
    /// The major version of its LLVM: bpf-linker must be built for the same.
    pub(crate) llvm: u32,
    sysroot: PathBuf,
}

impl Toolchain {
    /// Whether `cargo clippy` works with it.
    pub(crate) fn has_clippy(&self) -> bool {
        self.sysroot.join("bin/clippy-driver").exists()
    }
}

/// The first of the known toolchains that is fit for the job.
pub(crate) fn find() -> Option<Toolchain> {
    let list = process::ask(&mut process::command("rustup", ["toolchain", "list"]), ANSWER)?;
    NAMES.into_iter().filter(|name| list.lines().any(|line| line.starts_with(name))).find_map(inspect)
}

fn inspect(name: &'static str) -> Option<Toolchain> {
    let rustc = |argument: &[&str]| {
        let mut command = process::command("rustup", ["run", name, "rustc"]);
        process::ask(command.args(argument), ANSWER)
    };
    let sysroot = PathBuf::from(rustc(&["--print", "sysroot"])?.trim());
    let (release, llvm) = versions(&rustc(&["-vV"])?)?;
    has_core(&sysroot).then_some(Toolchain { name, release, llvm, sysroot })
}

fn has_core(sysroot: &Path) -> bool {
    sysroot.join("lib/rustlib/src/rust/library/core/src/lib.rs").exists()
}

/// rustc's version and its LLVM's major version, from `rustc -vV`.
fn versions(text: &str) -> Option<(String, u32)> {
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let llvm = field("LLVM version:")?.split('.').next()?.parse().ok()?;
    Some((field("release:")?.to_owned(), llvm))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_rustc() {
        let text =
            "rustc 1.96.0 (ac68faa20)\nbinary: rustc\nhost: x86_64\nrelease: 1.96.0\nLLVM version: 22.1.8\n";
        assert_eq!(versions(text), Some(("1.96.0".to_owned(), 22)));
        assert_eq!(versions("release: 1.96.0\n"), None);
    }
}
