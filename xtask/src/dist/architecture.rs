//! The processors that artefacts are made for, and what each format calls them.

use anyhow::{Context, Result};

use crate::arch::Arch;

/// A processor architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Architecture {
    /// The processor.
    pub(crate) arch: Arch,
    /// The kernel's name for it, as `uname -m` prints it; also that of RPM and of the tarball.
    pub(crate) name: &'static str,
    /// Rust's target.
    pub(crate) triple: &'static str,
    /// Debian's name; also that of container images.
    pub(crate) debian: &'static str,
    /// The folder of Debian's libraries for it.
    pub(crate) multiarch: &'static str,
    /// The loader that its programs name.
    pub(crate) loader: &'static str,
}

/// All of them. The first one is what `cargo xtask dist` makes unless told otherwise.
pub(crate) const ALL: [Architecture; 2] = [
    Architecture {
        arch: Arch::Amd64,
        name: "x86_64",
        triple: Arch::Amd64.triple(),
        debian: Arch::Amd64.debian(),
        multiarch: "x86_64-linux-gnu",
        loader: "/lib64/ld-linux-x86-64.so.2",
    },
    Architecture {
        arch: Arch::Arm64,
        name: "aarch64",
        triple: Arch::Arm64.triple(),
        debian: Arch::Arm64.debian(),
        multiarch: "aarch64-linux-gnu",
        loader: "/lib/ld-linux-aarch64.so.1",
    },
];

impl Architecture {
    /// Finds an architecture by any of its names.
    ///
    /// # Errors
    /// If no architecture has that name.
    pub(crate) fn find(name: &str) -> Result<Self> {
        let has_name = |it: &&Self| [it.name, it.triple, it.debian].contains(&name);
        let found = ALL.iter().find(has_name).copied();
        found.with_context(|| format!("there are artefacts for x86_64 and aarch64, not for {name}"))
    }

    /// Whether this machine runs its programs.
    pub(crate) fn runs_here(self) -> bool {
        self.name == std::env::consts::ARCH
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_architecture_has_several_names() {
        for name in ["aarch64", "arm64", "aarch64-unknown-linux-gnu"] {
            assert_eq!(Architecture::find(name).expect("it is known"), ALL[1]);
        }
        let error = Architecture::find("riscv64").expect_err("nothing is made for it");
        assert!(error.to_string().contains("riscv64"), "{error}");
    }
}
