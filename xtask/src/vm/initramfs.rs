//! Writes a guest's files as the cpio archive that the kernel unpacks.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use cpio::newc;

use super::VmSpec;
use super::guest::{Entry, Guest};

const FOLDER: u32 = 0o040_755;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_777;

/// Writes the archive for a run: its guest, and its command.
pub(super) fn write(spec: &VmSpec, size: (u16, u16), path: &Path) -> Result<()> {
    let mut guest = spec.guest.clone();
    // What a system loads when it is first asked for; the guest has nobody who would.
    for (number, module) in spec.kernel.modules().iter().enumerate() {
        let name = module.file_name().context("a module has a name")?;
        let name = format!("{number}-{}", name.to_string_lossy());
        guest.add(module, &Path::new("/usr/lib/modules").join(name))?;
    }
    guest.bytes("etc/vm/command", command_file(spec, size), 0o644);
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    archive(&guest, BufWriter::new(file)).with_context(|| format!("cannot write {}", path.display()))
}

fn archive<W: Write>(guest: &Guest, mut out: W) -> Result<()> {
    for (inode, (place, entry)) in guest.entries.iter().enumerate() {
        let name = place.to_str().with_context(|| format!("{} is not UTF-8", place.display()))?;
        let builder = newc::Builder::new(name).ino(u32::try_from(inode + 1)?).nlink(1);
        out = match entry {
            Entry::Folder => builder.mode(FOLDER).write(out, 0).finish()?,
            Entry::Link(target) => content(builder.mode(LINK), target.as_bytes(), target.len(), out)?,
            Entry::Bytes(bytes, mode) => {
                content(builder.mode(FILE | *mode), bytes.as_slice(), bytes.len(), out)?
            }
            Entry::File(host) => {
                let source = File::open(host).with_context(|| format!("cannot read {}", host.display()))?;
                let metadata = source.metadata()?;
                let mode = FILE | (metadata.permissions().mode() & 0o7777);
                let length = usize::try_from(metadata.len())?;
                content(builder.mode(mode), source.take(metadata.len()), length, out)
                    .with_context(|| format!("cannot copy {}", host.display()))?
            }
        };
    }
    newc::trailer(out)?.flush()?;
    Ok(())
}

fn content<W: Write>(builder: newc::Builder, mut from: impl Read, length: usize, out: W) -> Result<W> {
    let length = u32::try_from(length).context("a file of 4 GiB or more does not fit an initramfs")?;
    let mut writer = builder.write(out, length);
    io::copy(&mut from, &mut writer)?;
    Ok(writer.finish()?)
}

/// What init.sh reads before it runs the command. Arguments are quoted, so that the shell takes them as they are.
fn command_file(spec: &VmSpec, (columns, rows): (u16, u16)) -> Vec<u8> {
    let [console, output] = spec.kernel.arch.serial_lines();
    let mut text =
        format!("columns={columns} rows={rows} console=/dev/{console} output=/dev/{output}\n").into_bytes();
    for (name, value) in &spec.env {
        text.extend_from_slice(format!("export {name}=").as_bytes());
        quote(value.as_bytes(), &mut text);
        text.push(b'\n');
    }
    text.extend_from_slice(b"set --");
    for argument in &spec.command {
        text.push(b' ');
        quote(argument.as_bytes(), &mut text);
    }
    text.push(b'\n');
    text
}

/// Within single quotes a shell takes every byte literally, but for the single quote itself.
fn quote(argument: &[u8], text: &mut Vec<u8>) {
    text.push(b'\'');
    for &byte in argument {
        if byte == b'\'' {
            text.extend_from_slice(b"'\\''");
        } else {
            text.push(byte);
        }
    }
    text.push(b'\'');
}

/// Makes the disk that brings /out back: all zeros, which ends a tar archive, and taking no room until written.
pub(super) fn disk(path: &Path, bytes: u64) -> Result<()> {
    File::create(path)
        .and_then(|file| file.set_len(bytes))
        .with_context(|| format!("cannot create {}", path.display()))
}

/// Unpacks what the guest left on the disk; whether there was anything.
pub(super) fn unpack(disk: &Path, target: &Path) -> Result<bool> {
    let mut archive = tar::Archive::new(File::open(disk)?);
    let mut any = false;
    for entry in archive.entries()? {
        let mut entry = entry.context("the archive of /out is damaged")?;
        if !any {
            fs::create_dir_all(target).with_context(|| format!("cannot create {}", target.display()))?;
            any = true;
        }
        // Sockets and devices have no place in the result; unpack_in keeps paths inside the target.
        if entry.header().entry_type().is_file() || entry.header().entry_type().is_dir() {
            entry.unpack_in(target).with_context(|| format!("cannot unpack into {}", target.display()))?;
        }
    }
    Ok(any)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::process::Command;

    use super::*;

    #[test]
    fn quoted_arguments_survive_a_shell() {
        for argument in
            ["", "plain", "a b", "it's", "'", "''x'", "$HOME `id` \\n \"", "line\nline\n", "-n", "*"]
        {
            let mut script = b"set -- ".to_vec();
            quote(argument.as_bytes(), &mut script);
            script.extend_from_slice(b"; printf '%s.%s' \"$#\" \"$1\"");
            let output = Command::new("sh").arg("-c").arg(OsStr::from_bytes(&script)).output();
            let output = output.expect("a shell is here").stdout;
            assert_eq!(String::from_utf8_lossy(&output), format!("1.{argument}"));
        }
    }

    #[test]
    fn an_empty_disk_unpacks_to_nothing() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let image = folder.path().join("disk");
        disk(&image, 1 << 20).expect("it can be created");
        assert!(!unpack(&image, &folder.path().join("out")).expect("it can be read"));
        assert!(!folder.path().join("out").exists());
    }
}
