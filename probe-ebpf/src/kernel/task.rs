//! The current task: who it is, what it runs, and in what state it drops a socket.

use aya_ebpf::helpers::{
    bpf_get_current_pid_tgid, bpf_get_current_uid_gid,
    generated::{
        bpf_get_current_cgroup_id, bpf_get_current_task, bpf_get_current_task_btf, bpf_probe_read_user,
    },
};
use sockleak_abi::{ARGV_LEN, Actor, Process, ProcessKey, failure, kind};

use super::{HASH, Plain, dentry::Location, injected, mix, offset, peek, read};
use crate::{
    emit,
    maps::{ANNOUNCED, Announced, LAST_ANNOUNCED},
};

/// `PF_EXITING`, include/linux/sched.h.
const PF_EXITING: u32 = 0x4;
/// `PF_KTHREAD`, likewise.
const PF_KTHREAD: u32 = 0x0020_0000;

/// 1 where the kernel hands the current task over as a typed pointer (Linux 5.11), whose members are read without a
/// helper. Set by userspace; the verifier knows the value and never looks at the other branch.
#[unsafe(no_mangle)]
static TYPED_TASK: u32 = 0x5ac4_fffe;

#[inline(always)]
fn is_typed() -> bool {
    injected(&TYPED_TASK) == 1
}

/// Reads a member of a task, or of what its members point to.
#[inline(always)]
fn member<T: Plain>(task: u64, offset: u64) -> T {
    if is_typed() {
        // SAFETY: the helper gave the task as a typed pointer, or it was read from a member of that one.
        unsafe { read::<true, T>(task, offset) }
    } else {
        peek(task + offset)
    }
}

/// `sizeof(struct upid)`: a number and a pointer.
const UPID: u64 = 16;

/// The task that a program runs in.
#[derive(Clone, Copy)]
pub(crate) struct Task(u64);

impl Task {
    /// The current one.
    #[inline(always)]
    pub(crate) fn current() -> Self {
        // SAFETY: helpers without arguments.
        Self(unsafe { if is_typed() { bpf_get_current_task_btf() as u64 } else { bpf_get_current_task() } })
    }

    /// Who the task is, for a record.
    #[inline(always)]
    pub(crate) fn actor(self) -> Actor {
        let (tgid, tid) = current_ids();
        let ids = bpf_get_current_uid_gid();
        let leader: u64 = member(self.0, offset!(task_leader));
        Actor {
            process: ProcessKey {
                tgid,
                exec_id: member(leader, offset!(task_exec_id)),
                start: member(leader, offset!(task_start)),
            },
            tid,
            task_flags: member(self.0, offset!(task_flags)),
            uid: ids as u32,
            gid: (ids >> 32) as u32,
            comm: peek(self.0 + offset!(task_comm)),
        }
    }

    /// wait(2) status with which an exiting task ends; 0 for one that is not exiting.
    #[inline(always)]
    pub(crate) fn exit_code(self, flags: u32) -> u32 {
        if flags & PF_EXITING == 0 { 0 } else { member(self.0, offset!(task_exit_code)) }
    }

    /// Is the task in `execve`? Close-on-exec descriptors are dropped in the system call or, as deferred work, at its
    /// end. `task_struct.in_execve` is clear again by then; the saved system call number is not.
    #[inline(always)]
    pub(crate) fn is_in_exec(self, flags: u32) -> bool {
        if flags & (PF_EXITING | PF_KTHREAD) != 0 {
            return false;
        }
        self.user_registers().is_some_and(|(_, saved)| is_exec(saved))
    }

    /// Address of the `struct pt_regs` of user mode, and its `orig_ax`, `ip` and `cs`; None for a task that has none.
    ///
    /// The registers are saved at the top of the kernel stack, below a padding that kernels built for FRED have and others
    /// have not. A code segment of user mode tells which.
    #[inline(always)]
    fn user_registers(self) -> Option<(u64, [u64; 3])> {
        /// arch/x86/include/asm/page_64_types.h, without KASAN
        const THREAD_SIZE: u64 = 16 << 10;
        /// `sizeof(struct pt_regs)`
        const REGISTERS: u64 = 168;
        const FRED_PADDING: u64 = 16;

        let top = member::<u64>(self.0, offset!(task_stack)) + THREAD_SIZE - REGISTERS;
        let saved: [u64; 3] = peek(top + offset!(regs_syscall));
        if is_user_mode(saved) {
            return Some((top, saved));
        }
        let saved: [u64; 3] = peek(top - FRED_PADDING + offset!(regs_syscall));
        is_user_mode(saved).then_some((top - FRED_PADDING, saved))
    }

    /// The registers in user mode that a stack is walked by, of 64-bit programs: instruction, stack and frame pointer.
    #[inline(always)]
    pub(crate) fn stack_registers(self) -> Option<[u64; 3]> {
        /// `pt_regs.bp` and, after `orig_ax`, `ip`, `cs` and `flags`, `pt_regs.sp`: the order is the ABI of ptrace(2).
        const FRAME: u64 = 32;
        const STACK: u64 = 32;

        let (registers, [_, ip, segment]) = self.user_registers()?;
        if segment & 0xffff != user_segment::NATIVE {
            return None;
        }
        Some([ip, peek(registers + offset!(regs_syscall) + STACK), peek(registers + FRAME)])
    }

    /// What has the process's memory; 0 for one without.
    #[inline(always)]
    pub(crate) fn memory(self) -> u64 {
        peek(self.0 + offset!(task_mm))
    }

    /// Thread id in the thread's own pid namespace: what gettid(2) tells it.
    #[inline(always)]
    pub(crate) fn own_thread_id(self) -> u32 {
        let pid: u64 = peek(self.0 + offset!(task_pid));
        let level: u32 = peek(pid + offset!(pid_level));
        peek(pid + offset!(pid_numbers) + u64::from(level) * UPID + offset!(upid_nr))
    }

    /// A hash of what describes the process and may change while it runs the same program: user, group, name, parent, control
    /// group and the namespaces of mounts and networks. (The command line may change too, with every request that some servers
    /// work on: it is read anew when anything else has changed.)
    #[inline(always)]
    fn state(self, actor: &Actor) -> u64 {
        let leader: u64 = member(self.0, offset!(task_leader));
        // Of a process with one thread, that was read already.
        let comm = if leader == self.0 { actor.comm } else { peek(leader + offset!(task_comm)) };
        let parent: u64 = member(self.0, offset!(task_parent));
        let parent: u32 = member(parent, offset!(task_tgid));
        let (mount, network) = self.own_namespaces();
        let pair = |one: u32, other: u32| u64::from(one) << 32 | u64::from(other);
        let mut hash = mix(HASH, pair(actor.uid, actor.gid));
        hash = mix(hash, pair(mount, network));
        hash = mix(hash, u64::from(parent));
        // SAFETY: a helper without arguments.
        hash = mix(hash, unsafe { bpf_get_current_cgroup_id() });
        hash = mix(hash, comm[0]);
        mix(hash, comm[1])
    }

    /// Inode numbers of the thread's mount and network namespace; 0 for a task that is exiting and has let go of them.
    #[inline(always)]
    fn own_namespaces(self) -> (u32, u32) {
        let proxy: u64 = member(self.0, offset!(task_nsproxy));
        let mount: u64 = member(proxy, offset!(nsproxy_mount));
        let network: u64 = member(proxy, offset!(nsproxy_network));
        (member(mount, offset!(mount_namespace_inum)), member(network, offset!(network_namespace_inum)))
    }

    /// Describes the process to userspace: once for each program that it runs, and again when what describes it has changed. An
    /// exiting task has no memory left to read and has let go of its namespaces: it was described before, or cannot be.
    #[inline(always)]
    pub(crate) fn announce(self, hook: usize, actor: &Actor) {
        if actor.task_flags & PF_EXITING != 0 {
            return;
        }
        let Some(last) = LAST_ANNOUNCED.get_ptr_mut(0) else { return };
        let state = self.state(actor);
        // SAFETY: this processor's own entry. A task that is preempted between two words may leave a mixture of two
        // processes there, which as good as never is anybody's key.
        let Announced { process: ProcessKey { tgid, exec_id, start }, state: told } = unsafe { *last };
        let key = actor.process;
        if key.tgid == tgid && key.exec_id == exec_id && key.start == start && state == told {
            return;
        }
        // SAFETY: read at once; an entry that makes room meanwhile is another's, whose state is hardly the same.
        if ANNOUNCED.get_ptr(&actor.process).is_some_and(|told| unsafe { *told } == state) {
            // SAFETY: as above.
            unsafe { *last = Announced { process: key, state } };
            return;
        }
        describe_current(hook as u64, state);
    }

    /// # Safety
    /// `record` must point to a reserved record.
    #[inline(always)]
    unsafe fn namespaces(self, record: *mut Process) {
        let (mount, network) = self.own_namespaces();
        // The pid of the process, not of the thread: its leader's. A pid's own namespace is its deepest.
        let leader: u64 = peek(self.0 + offset!(task_leader));
        let pid: u64 = peek(leader + offset!(task_pid));
        let level: u32 = peek(pid + offset!(pid_level));
        let own = pid + offset!(pid_numbers) + u64::from(level) * UPID;
        let pid_namespace: u64 = peek(own + offset!(upid_namespace));
        // SAFETY: by this function's contract.
        unsafe {
            (*record).mount_namespace = mount;
            (*record).network_namespace = network;
            (*record).pid_namespace = peek(pid_namespace + offset!(pid_namespace_inum));
            (*record).pid_in_namespace = peek(own + offset!(upid_nr));
        }
    }
}

/// Describes the process that the program runs in. `state` is its [`Task::state`]. Where two processors do so at once, userspace is
/// told twice.
///
/// A global function of BPF, see `kernel::scalar`.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn describe_current(hook: u64, state: u64) -> u64 {
    let task = Task::current();
    let mm = task.memory();
    if mm == 0 {
        return 0;
    }
    let actor = task.actor();
    let Some(mut entry) = emit::reserve_or_count::<Process>(hook as usize, failure::PROCESS) else {
        return 0;
    };
    // Reserved before it is entered: whoever finds the entry reserves its own record behind this one.
    if ANNOUNCED.insert(&actor.process, state, 0).is_err() {
        entry.discard(0);
        return 0;
    }
    let record = entry.as_mut_ptr();
    // SAFETY: a reserved record, written field by field; every field is, so no old bytes reach userspace but
    // those behind the used parts of `argv` and `executable`, which it does not look at.
    unsafe {
        (*record).header = emit::header::<Process>(kind::PROCESS);
        (*record).actor = actor;
        (*record).leader_comm = peek(peek::<u64>(task.0 + offset!(task_leader)) + offset!(task_comm));
        let parent: u64 = peek(task.0 + offset!(task_parent));
        (*record).parent = peek(parent + offset!(task_tgid));
        (*record).cgroup = bpf_get_current_cgroup_id();
        task.namespaces(record);
        arguments(mm, record);
        let executable: u64 = peek(mm + offset!(mm_exe_file));
        Location::at(executable + offset!(file_path)).walk(&raw mut (*record).executable);
    }
    emit::submit(entry);
    0
}

/// Values of `cs` in user mode, arch/x86/include/asm/segment.h.
mod user_segment {
    pub(super) const NATIVE: u64 = 0x33;
    pub(super) const COMPAT: u64 = 0x23;
}

/// Of `orig_ax`, `ip` and `cs`, which lie side by side in `struct pt_regs` by the ABI of ptrace(2): is this user mode?
/// FRED keeps event data above the selector's 16 bits.
#[inline(always)]
fn is_user_mode([_, _, segment]: [u64; 3]) -> bool {
    matches!(segment & 0xffff, user_segment::NATIVE | user_segment::COMPAT)
}

/// Of the same three: is the system call `execve` or `execveat`?
#[inline(always)]
fn is_exec([number, _, segment]: [u64; 3]) -> bool {
    match segment & 0xffff {
        user_segment::NATIVE => matches!(number, 59 | 322),
        _ => matches!(number, 11 | 358),
    }
}

/// The process of a thread group's leader.
#[inline(always)]
pub(crate) fn key_of(leader: u64) -> ProcessKey {
    ProcessKey {
        tgid: peek(leader + offset!(task_tgid)),
        exec_id: peek(leader + offset!(task_exec_id)),
        start: peek(leader + offset!(task_start)),
    }
}

/// (process, thread) of the current task: the kernel's tgid and pid.
#[inline(always)]
pub(crate) fn current_ids() -> (u32, u32) {
    let both = bpf_get_current_pid_tgid();
    ((both >> 32) as u32, both as u32)
}

/// Copies the command line.
///
/// # Safety
/// `record` must point to a reserved record.
#[inline(always)]
unsafe fn arguments(mm: u64, record: *mut Process) {
    let start: u64 = peek(mm + offset!(mm_arg_start));
    let len = peek::<u64>(mm + offset!(mm_arg_end)).wrapping_sub(start);
    let wanted = if len > ARGV_LEN as u64 { ARGV_LEN as u64 } else { len };
    // Bounded for the verifier, behind a value that the compiler cannot see through.
    let wanted = core::hint::black_box(wanted) & (2 * ARGV_LEN as u64 - 1);
    if wanted > ARGV_LEN as u64 {
        return;
    }
    // SAFETY: `argv` has room for ARGV_LEN bytes; the helper checks the source.
    unsafe {
        let failed =
            bpf_probe_read_user((&raw mut (*record).argv).cast(), wanted as u32, start as *const _) != 0;
        (*record).argv_len = len;
        (*record).argv_used = if failed { 0 } else { wanted as u32 };
    }
}
