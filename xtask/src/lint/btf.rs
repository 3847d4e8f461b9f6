//! The type information of a cached kernel, taken out of its bootable image.

use std::{fs, io::Read};

use anyhow::{Context, Result, anyhow, bail};
use object::{Object, ObjectSection};

pub(super) use sockleak_btf::Btf;

use crate::vm::kernels::Kernel;

/// Reads a kernel's BTF. Unpacking takes seconds: the section is kept beside the kernel.
pub(super) fn of(kernel: &Kernel) -> Result<Btf> {
    let cached = kernel.folder.join("BTF");
    let bytes = match fs::read(&cached) {
        Ok(bytes) => bytes,
        Err(_) => {
            let image = fs::read(&kernel.vmlinuz)
                .with_context(|| format!("cannot read {}", kernel.vmlinuz.display()))?;
            let bytes = section(&unpack(&image)?)?;
            fs::write(&cached, &bytes).with_context(|| format!("cannot write {}", cached.display()))?;
            bytes
        }
    };
    Btf::parse(bytes).map_err(|error| anyhow!("the BTF of {}: {error}", kernel.package))
}

fn section(vmlinux: &[u8]) -> Result<Vec<u8>> {
    let elf = object::File::parse(vmlinux).context("the unpacked kernel is no ELF file")?;
    let section = elf.section_by_name(".BTF").context("the kernel was built without BTF")?;
    Ok(section.data()?.to_vec())
}

/// Unpacks the kernel proper from an x86 boot image (Documentation/arch/x86/boot.rst).
fn unpack(image: &[u8]) -> Result<Vec<u8>> {
    let payload = payload(image).context("not a bootable x86 kernel image")?;
    let mut kernel = Vec::new();
    match payload {
        // Legacy LZ4 and Zstandard: the kernel's build appends the unpacked size, four bytes that are no part of it.
        [0x02, 0x21, 0x4c, 0x18, ..] => {
            lz4_flex::frame::FrameDecoder::new(trimmed(payload)).read_to_end(&mut kernel)?
        }
        [0x28, 0xb5, 0x2f, 0xfd, ..] => ruzstd::decoding::StreamingDecoder::new(trimmed(payload))
            .map_err(|error| anyhow!("the kernel's compression: {error}"))?
            .read_to_end(&mut kernel)?,
        [a, b, c, d, ..] => {
            bail!("the kernel is compressed in a way unknown here ({a:02x}{b:02x}{c:02x}{d:02x})")
        }
        _ => bail!("the kernel image is empty"),
    };
    Ok(kernel)
}

fn trimmed(payload: &[u8]) -> &[u8] {
    &payload[..payload.len().saturating_sub(4)]
}

fn payload(image: &[u8]) -> Option<&[u8]> {
    let word = |at: usize| Some(u32::from_le_bytes(image.get(at..at + 4)?.try_into().ok()?) as usize);
    if image.get(0x202..0x206)? != b"HdrS" {
        return None;
    }
    let protected_mode = (usize::from(*image.get(0x1f1)?) + 1) * 512;
    let start = protected_mode + word(0x248)?;
    image.get(start..start + word(0x24c)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_kernel_is_refused() {
        for image in [&b""[..], &[0; 0x300], b"\x7fELF"] {
            assert!(unpack(image).is_err());
        }
        let mut image = vec![0; 0x300];
        image[0x202..0x206].copy_from_slice(b"HdrS");
        image[0x248..0x250].copy_from_slice(&[0xff; 8]);
        assert!(unpack(&image).is_err());
    }
}
