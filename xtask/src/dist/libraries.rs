//! What a program asks of the machine that it is installed on: shared libraries, and versions of glibc.
//!
//! Both are bounds. A dependency that wants more makes `cargo xtask dist` fail, not the program on a user's machine.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use object::elf::FileHeader64;
use object::endian::Endianness;
use object::read::elf::{Dyn, FileHeader};

/// The newest glibc that a program may ask for: that of Debian 10 and RHEL 8.
pub(super) const NEWEST: Version = Version(2, 28);
/// The shared libraries that it may ask for: all are glibc's, and glibc is everywhere.
const ALLOWED: [&str; 5] = ["libc.so.6", "libdl.so.2", "libm.so.6", "libpthread.so.0", "ld-linux-"];

/// A version of glibc.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(pub(super) u32, pub(super) u32);

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// What a program needs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Needs {
    /// The shared libraries that it names.
    pub(super) libraries: BTreeSet<String>,
    /// The newest version of glibc among those of its symbols.
    pub(super) glibc: Version,
    /// The loader that it names.
    pub(super) loader: String,
}

/// Reads what a program needs.
///
/// # Errors
/// If it is not a dynamic program of 64 bits.
pub(super) fn needs(program: &[u8]) -> Result<Needs> {
    read(program).context("the program is not a dynamic ELF file of 64 bits")
}

fn read(data: &[u8]) -> Result<Needs> {
    let header = FileHeader64::<Endianness>::parse(data)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, data)?;
    let mut libraries = BTreeSet::new();
    let (entries, link) = sections.dynamic(endian, data)?.context("it is static")?;
    let strings = sections.strings(endian, data, link)?;
    for entry in entries {
        if entry.tag(endian) == object::elf::DT_NEEDED {
            libraries.insert(String::from_utf8_lossy(entry.string(endian, strings)?).into_owned());
        }
    }
    let mut glibc = Version(2, 0);
    if let Some((mut files, link)) = sections.gnu_verneed(endian, data)? {
        let strings = sections.strings(endian, data, link)?;
        while let Some((_, mut versions)) = files.next()? {
            while let Some(version) = versions.next()? {
                let name = String::from_utf8_lossy(version.name(endian, strings)?);
                glibc = glibc.max(parse(&name).unwrap_or(glibc));
            }
        }
    }
    let mut loader = String::new();
    for segment in header.program_headers(endian, data)? {
        use object::read::elf::ProgramHeader;
        if let Some(bytes) = segment.interpreter(endian, data)? {
            loader = String::from_utf8_lossy(bytes).into_owned();
        }
    }
    Ok(Needs { libraries, glibc, loader })
}

/// The version that a symbol version names: `GLIBC_2.28`, `GLIBC_2.2.5`.
fn parse(name: &str) -> Option<Version> {
    let mut numbers = name.strip_prefix("GLIBC_")?.split('.').map(str::parse);
    Some(Version(numbers.next()?.ok()?, numbers.next()?.ok()?))
}

impl Needs {
    /// Fails if a program would not run on every machine that artefacts are made for.
    ///
    /// # Errors
    /// Names what it asks for in excess.
    pub(super) fn check(&self) -> Result<()> {
        ensure!(
            self.glibc <= NEWEST,
            "the program needs glibc {}, and has to run with {NEWEST}: see which symbol by `objdump -T`",
            self.glibc
        );
        let extra: Vec<_> =
            self.libraries.iter().filter(|name| !ALLOWED.iter().any(|it| name.starts_with(it))).collect();
        ensure!(extra.is_empty(), "the program needs libraries that are not everywhere: {extra:?}");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needing(glibc: Version, libraries: &[&str]) -> Needs {
        let libraries = libraries.iter().map(ToString::to_string).collect();
        Needs { libraries, glibc, loader: "/lib64/ld-linux-x86-64.so.2".into() }
    }

    #[test]
    fn a_newer_glibc_or_another_library_is_refused() {
        let usual = ["libc.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"];
        needing(NEWEST, &usual).check().expect("that much is allowed");
        let error = needing(Version(2, 29), &usual).check().expect_err("it is too new");
        assert!(error.to_string().contains("needs glibc 2.29"), "{error}");
        let error = needing(NEWEST, &["libc.so.6", "libz.so.1"]).check().expect_err("it is not everywhere");
        assert!(error.to_string().contains("libz.so.1"), "{error}");
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        for (name, version) in [
            ("GLIBC_2.28", Some(Version(2, 28))),
            ("GLIBC_2.2.5", Some(Version(2, 2))),
            ("GLIBC_PRIVATE", None),
            ("GCC_3.0", None),
        ] {
            assert_eq!(parse(name), version, "{name}");
        }
        assert!(Version(2, 4) < Version(2, 28));
    }

    #[test]
    fn this_test_says_what_it_needs() {
        let own = std::env::current_exe().expect("the test has a path");
        let needs = needs(&std::fs::read(own).expect("it can be read")).expect("it is dynamic");
        assert!(needs.libraries.contains("libc.so.6"), "{needs:?}");
        assert!(needs.loader.contains("ld-linux"), "{needs:?}");
        // Rust's standard library itself asks for more than the oldest.
        assert!(needs.glibc > Version(2, 2), "{needs:?}");
    }

    #[test]
    fn what_is_no_program_is_refused() {
        assert!(needs(b"#!/bin/sh\n").is_err());
    }
}
