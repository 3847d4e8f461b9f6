//! Paths: from a dentry up to the root, across mounts.

use core::ptr::{read_volatile, write_volatile};

use aya_ebpf::helpers::generated::bpf_probe_read_kernel_str;
use sockleak_abi::{COMPONENT_LEN, PATH_LEN, PATH_STEPS, Path};

use super::{offset, peek};

/// A `struct path`.
#[derive(Clone, Copy)]
pub(crate) struct Location {
    /// `struct vfsmount *`
    pub(crate) mount: u64,
    /// `struct dentry *`
    pub(crate) dentry: u64,
}

impl Location {
    /// Reads the `struct path` at an address.
    #[inline(always)]
    pub(crate) fn at(address: u64) -> Self {
        Self { mount: peek(address + offset!(path_mnt)), dentry: peek(address + offset!(path_dentry)) }
    }

    /// Writes the path's components to `out`, last one first.
    ///
    /// The 5.10 verifier gives up on the obvious loop: with the write position and the finished flag in registers it
    /// follows every combination of them. They are kept in the record, where it knows nothing about them, and so all
    /// ways through one step look alike.
    #[inline(always)]
    pub(crate) fn walk(self, out: *mut Path) {
        let Self { mut mount, mut dentry } = self;
        // SAFETY: `out` points into a reserved record, here and below.
        unsafe {
            write_volatile(&raw mut (*out).used, 0);
            write_volatile(&raw mut (*out).complete, 0);
        }
        for _ in 0..PATH_STEPS {
            if dentry == 0 {
                return;
            }
            if dentry == peek::<u64>(mount + offset!(vfsmount_root)) {
                let inner = mount - offset!(mount_vfsmount);
                let outer: u64 = peek(inner + offset!(mount_parent));
                if outer == inner || outer == 0 {
                    // SAFETY: as above.
                    unsafe { write_volatile(&raw mut (*out).complete, 1) };
                    return;
                }
                dentry = peek(inner + offset!(mount_mountpoint));
                mount = outer + offset!(mount_vfsmount);
                continue;
            }
            let parent: u64 = peek(dentry + offset!(dentry_parent));
            if parent == dentry {
                return;
            }
            let name: u64 = peek(dentry + offset!(dentry_name));
            // SAFETY: a component that starts below PATH_LEN ends within COMPONENT_LEN behind it.
            unsafe {
                let used = read_volatile(&raw const (*out).used);
                if used >= PATH_LEN as u32 {
                    return;
                }
                let to = (&raw mut (*out).bytes).cast::<u8>().add(used as usize & (PATH_LEN - 1));
                let written = bpf_probe_read_kernel_str(to.cast(), COMPONENT_LEN as u32, name as *const _);
                if written <= 0 {
                    return;
                }
                write_volatile(&raw mut (*out).used, used + written as u32);
            }
            dentry = parent;
        }
    }

    /// Inode number of the mount namespace that the path's mount belongs to.
    #[inline(always)]
    pub(crate) fn mount_namespace(self) -> u32 {
        let namespace: u64 = peek(self.mount - offset!(mount_vfsmount) + offset!(mount_namespace));
        if namespace == 0 { 0 } else { peek(namespace + offset!(mount_namespace_inum)) }
    }
}

/// What a dentry stands for.
#[inline(always)]
pub(crate) fn inode(dentry: u64) -> u64 {
    peek(dentry + offset!(dentry_inode))
}

/// An inode's number.
#[inline(always)]
pub(crate) fn inode_number(inode: u64) -> u64 {
    if inode == 0 { 0 } else { peek(inode + offset!(inode_ino)) }
}

/// The device that an inode's filesystem is on, in the kernel's encoding.
#[inline(always)]
pub(crate) fn device(inode: u64) -> u32 {
    if inode == 0 {
        0
    } else {
        peek(peek::<u64>(inode + offset!(inode_superblock)) + offset!(superblock_device))
    }
}

/// The kind of filesystem that an inode is of, as statfs(2) gives it.
#[inline(always)]
pub(crate) fn magic(inode: u64) -> u32 {
    peek(peek::<u64>(inode + offset!(inode_superblock)) + offset!(superblock_magic))
}
