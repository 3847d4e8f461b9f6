//! The processors that sockleak is built for and tested on.

use std::fmt;

use clap::ValueEnum;

/// A kind of processor, by the names that Debian has for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Arch {
    /// x86-64, the one that this runs on.
    #[default]
    Amd64,
    /// 64-bit ARM, emulated.
    Arm64,
}

impl Arch {
    /// Debian's name.
    pub(crate) const fn debian(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    /// The compilation target.
    pub(crate) const fn triple(self) -> &'static str {
        match self {
            Self::Amd64 => "x86_64-unknown-linux-gnu",
            Self::Arm64 => "aarch64-unknown-linux-gnu",
        }
    }

    /// What Go calls it.
    pub(crate) const fn go(self) -> &'static str {
        self.debian()
    }

    /// The two serial lines of QEMU's machine for it: the first is the guest's console, the second takes the command's output.
    pub(crate) const fn serial_lines(self) -> [&'static str; 2] {
        match self {
            Self::Amd64 => ["ttyS0", "ttyS1"],
            Self::Arm64 => ["ttyAMA0", "ttyAMA1"],
        }
    }

    /// The one of a compilation target.
    pub(crate) fn of_triple(triple: &str) -> Option<Self> {
        Self::value_variants().iter().copied().find(|arch| arch.triple() == triple)
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.debian())
    }
}
