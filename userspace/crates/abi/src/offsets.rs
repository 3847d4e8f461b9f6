//! Where the kernel keeps things: byte offsets that userspace reads from the running kernel's BTF.
//!
//! aya's Rust side emits no CO-RE relocations for structure members, so the programs add these offsets to the
//! pointers that they walk. Userspace overrides the global [`Offsets`] before it loads the programs; to the
//! verifier they are constants.

/// Declares the structure together with the list of what each member means, so that neither can be forgotten.
macro_rules! offsets {
    ($($(#[$meta:meta])* $name:ident = $path:literal),+ $(,)?) => {
        /// Byte offsets into kernel structures.
        #[repr(C)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct Offsets {
            $($(#[$meta])* #[doc = concat!("`", $path, "`")] pub $name: u32,)+
        }

        impl Offsets {
            /// How many members there are.
            pub const COUNT: usize = [$($path),+].len();
            /// `structure.member` of each, in the order of the structure. Where processors differ: one for each, with `|` between
            /// them.
            pub const PATHS: [&str; Self::COUNT] = [$($path),+];

            /// From values in the order of [`Self::PATHS`].
            #[must_use]
            pub const fn from_values(values: [u32; Self::COUNT]) -> Self {
                let [$($name),+] = values;
                Self { $($name),+ }
            }

            /// What the object file holds until userspace overrides it. Distinct and not zero: a constant with the
            /// same bytes would be merged with this global and change with it.
            #[must_use]
            pub const fn placeholder() -> Self {
                let mut values = [0; Self::COUNT];
                let mut i = 0;
                while i < Self::COUNT {
                    values[i] = 0x5ac4_0001 + i as u32;
                    i += 1;
                }
                Self::from_values(values)
            }
        }
    };
}

offsets! {
    unix_sock_addr = "unix_sock.addr",
    unix_sock_path = "unix_sock.path",
    unix_sock_peer = "unix_sock.peer",
    path_mnt = "path.mnt",
    path_dentry = "path.dentry",
    unix_address_len = "unix_address.len",
    unix_address_name = "unix_address.name",
    sock_state = "sock.__sk_common.skc_state",
    sock_family = "sock.__sk_common.skc_family",
    sock_net = "sock.__sk_common.skc_net.net",
    sock_type = "sock.sk_type",
    sock_shutdown = "sock.sk_shutdown",
    sock_socket = "sock.sk_socket",
    sock_peer_pid = "sock.sk_peer_pid",
    sock_max_ack_backlog = "sock.sk_max_ack_backlog",
    sock_queue = "sock.sk_receive_queue",
    sock_queue_first = "sock.sk_receive_queue.next",
    sock_queue_len = "sock.sk_receive_queue.qlen",
    skb_next = "sk_buff.next",
    skb_sock = "sk_buff.sk",
    socket_sock = "socket.sk",
    socket_alloc_socket = "socket_alloc.socket",
    socket_alloc_inode = "socket_alloc.vfs_inode",
    inode_ino = "inode.i_ino",
    inode_superblock = "inode.i_sb",
    superblock_device = "super_block.s_dev",
    superblock_magic = "super_block.s_magic",
    dentry_parent = "dentry.d_parent",
    dentry_inode = "dentry.d_inode",
    dentry_name = "dentry.d_name.name",
    dentry_name_len = "dentry.d_name.len",
    vfsmount_root = "vfsmount.mnt_root",
    mount_vfsmount = "mount.mnt",
    mount_parent = "mount.mnt_parent",
    mount_mountpoint = "mount.mnt_mountpoint",
    mount_namespace = "mount.mnt_ns",
    file_path = "file.f_path",
    file_inode = "file.f_inode",
    mm_exe_file = "mm_struct.exe_file",
    mm_start_code = "mm_struct.start_code",
    mm_arg_start = "mm_struct.arg_start",
    mm_arg_end = "mm_struct.arg_end",
    task_flags = "task_struct.flags",
    task_tgid = "task_struct.tgid",
    task_mm = "task_struct.mm",
    task_comm = "task_struct.comm",
    task_stack = "task_struct.stack",
    task_exit_code = "task_struct.exit_code",
    task_start = "task_struct.start_boottime",
    task_exec_id = "task_struct.self_exec_id",
    task_parent = "task_struct.real_parent",
    task_leader = "task_struct.group_leader",
    task_pid = "task_struct.thread_pid",
    task_nsproxy = "task_struct.nsproxy",
    task_cred = "task_struct.cred",
    cred_uid = "cred.uid",
    cred_gid = "cred.gid",
    pid_level = "pid.level",
    pid_numbers = "pid.numbers",
    upid_nr = "upid.nr",
    upid_namespace = "upid.ns",
    nsproxy_mount = "nsproxy.mnt_ns",
    nsproxy_network = "nsproxy.net_ns",
    mount_namespace_inum = "mnt_namespace.ns.inum",
    network_namespace_inum = "net.ns.inum",
    pid_namespace_inum = "pid_namespace.ns.inum",
    /// Number of the system call, in the registers of user mode that are saved on the kernel stack: of x86-64, and of 64-bit ARM.
    regs_syscall = "pt_regs.orig_ax|pt_regs.syscallno",
}
