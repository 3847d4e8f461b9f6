//! The current task: who it is, what it runs, and in what state it drops a socket.

use aya_ebpf::helpers::{
    bpf_get_current_pid_tgid, bpf_get_current_uid_gid,
    generated::{
        bpf_get_current_cgroup_id, bpf_get_current_task, bpf_get_current_task_btf, bpf_probe_read_user,
    },
};
use sockleak_abi::{ARGV_LEN, Actor, Process, ProcessKey, failure, kind};

use super::{HASH, Plain, dentry::Location, mix, offset, peek, read, registers::Registers};
use crate::{
    emit,
    injected::injected,
    maps::{ANNOUNCED, Announced, LAST_ANNOUNCED, LAST_PLACES, State},
};

/// `PF_EXITING`, include/linux/sched.h.
const PF_EXITING: u32 = 0x4;
/// `PF_KTHREAD`, likewise.
const PF_KTHREAD: u32 = 0x0020_0000;

/// 1 where the kernel hands the current task over as a typed pointer (Linux 5.11), whose members are read without a
/// helper. Set by userspace; the verifier knows the value and never looks at the other branch.
#[unsafe(no_mangle)]
static TYPED_TASK: u32 = 0x5ac4_fffe;

/// Is the current task a typed pointer here? A body that branches on it once is compiled for both kinds.
#[inline(always)]
pub(crate) fn is_typed() -> bool {
    injected(&TYPED_TASK) == 1
}

/// `sizeof(struct upid)`: a number and a pointer.
const UPID: u64 = 16;

/// The task that a program runs in. `TYPED`: see [`is_typed`].
#[derive(Clone, Copy)]
pub(crate) struct Task<const TYPED: bool> {
    task: u64,
    /// Its thread group's leader.
    leader: u64,
}

/// Who the current task is, for a record. Its process is described first, unless it was: see [`Task::announce`].
#[inline(always)]
pub(crate) fn announced(hook: usize) -> Actor {
    if is_typed() {
        Task::<true>::current().announced(hook)
    } else {
        Task::<false>::current().announced(hook)
    }
}

/// Reads a member of a task, or of what its members point to.
#[inline(always)]
fn member<const TYPED: bool, T: Plain>(task: u64, offset: u64) -> T {
    // SAFETY: the helper gave the task as a typed pointer, or `task` was read from a member of that one.
    unsafe { read::<TYPED, T>(task, offset) }
}

impl<const TYPED: bool> Task<TYPED> {
    /// The current one.
    #[inline(always)]
    pub(crate) fn current() -> Self {
        // SAFETY: helpers without arguments.
        let task = unsafe { if TYPED { bpf_get_current_task_btf() as u64 } else { bpf_get_current_task() } };
        Self { task, leader: member::<TYPED, u64>(task, offset!(task_leader)) }
    }

    #[inline(always)]
    fn member<T: Plain>(self, offset: u64) -> T {
        member::<TYPED, T>(self.task, offset)
    }

    /// Who the task is, for a record.
    #[inline(always)]
    pub(crate) fn actor(self) -> Actor {
        let (tgid, tid) = current_ids();
        let (uid, gid) = self.user();
        Actor {
            process: ProcessKey {
                tgid,
                exec_id: member::<TYPED, u32>(self.leader, offset!(task_exec_id)),
                start: member::<TYPED, u64>(self.leader, offset!(task_start)),
            },
            tid,
            task_flags: self.member(offset!(task_flags)),
            uid,
            gid,
            comm: self.member(offset!(task_comm)),
        }
    }

    /// User and group, as the initial user namespace has them: there, the kernel's own numbers are the users'.
    #[inline(always)]
    fn user(self) -> (u32, u32) {
        if TYPED {
            let cred: u64 = self.member(offset!(task_cred));
            (member::<TYPED, u32>(cred, offset!(cred_uid)), member::<TYPED, u32>(cred, offset!(cred_gid)))
        } else {
            let ids = bpf_get_current_uid_gid();
            (ids as u32, (ids >> 32) as u32)
        }
    }

    /// wait(2) status with which an exiting task ends; 0 for one that is not exiting.
    #[inline(always)]
    pub(crate) fn exit_code(self, flags: u32) -> u32 {
        if flags & PF_EXITING == 0 { 0 } else { self.member(offset!(task_exit_code)) }
    }

    /// Is the task in `execve`? Close-on-exec descriptors are dropped in the system call or, as deferred work, at its
    /// end. `task_struct.in_execve` is clear again by then; the saved system call number is not.
    #[inline(always)]
    pub(crate) fn is_in_exec(self, flags: u32) -> bool {
        if flags & (PF_EXITING | PF_KTHREAD) != 0 {
            return false;
        }
        self.user_registers().is_some_and(Registers::is_exec)
    }

    /// The registers of user mode; None for a task that has none.
    #[inline(always)]
    fn user_registers(self) -> Option<Registers> {
        Registers::of(self.member::<u64>(offset!(task_stack)))
    }

    /// The registers in user mode that a stack is walked by, of 64-bit programs: instruction, stack and frame pointer,
    /// and the link register, where the processor has one.
    #[inline(always)]
    pub(crate) fn stack_registers(self) -> Option<[u64; 4]> {
        self.user_registers()?.of_stack()
    }

    /// What has the process's memory; 0 for one without.
    #[inline(always)]
    pub(crate) fn memory(self) -> u64 {
        peek(self.task + offset!(task_mm))
    }

    /// Thread id in the thread's own pid namespace: what gettid(2) tells it.
    #[inline(always)]
    pub(crate) fn own_thread_id(self) -> u32 {
        let pid: u64 = peek(self.task + offset!(task_pid));
        let level: u32 = peek(pid + offset!(pid_level));
        peek(pid + offset!(pid_numbers) + u64::from(level) * UPID + offset!(upid_nr))
    }

    /// What describes the process and may change while it runs the same program. (The command line may change too, with every
    /// request that some servers work on: it is read anew when anything else has changed.)
    #[inline(always)]
    fn state(self, actor: &Actor) -> State {
        // Of a process with one thread, that was read already.
        let comm = if self.leader == self.task {
            actor.comm
        } else {
            member::<TYPED, [u64; 2]>(self.leader, offset!(task_comm))
        };
        let parent: u64 = self.member(offset!(task_parent));
        let (mount, network) = self.own_namespaces();
        State {
            user: pair(actor.uid, actor.gid),
            namespaces: pair(mount, network),
            parent: u64::from(member::<TYPED, u32>(parent, offset!(task_tgid))),
            // SAFETY: a helper without arguments.
            cgroup: unsafe { bpf_get_current_cgroup_id() },
            comm,
        }
    }

    /// Inode numbers of the thread's mount and network namespace; 0 for a task that is exiting and has let go of them.
    #[inline(always)]
    fn own_namespaces(self) -> (u32, u32) {
        let proxy: u64 = self.member(offset!(task_nsproxy));
        let mount: u64 = member::<TYPED, u64>(proxy, offset!(nsproxy_mount));
        let network: u64 = member::<TYPED, u64>(proxy, offset!(nsproxy_network));
        (
            member::<TYPED, u32>(mount, offset!(mount_namespace_inum)),
            member::<TYPED, u32>(network, offset!(network_namespace_inum)),
        )
    }

    /// Who the task is, for a record that follows on the description of its process.
    #[inline(always)]
    pub(crate) fn announced(self, hook: usize) -> Actor {
        let actor = self.actor();
        self.announce(hook, &actor);
        actor
    }

    /// Describes the process to userspace: once for each program that it runs, and again when what describes it has changed. An
    /// exiting task has no memory left to read and has let go of its namespaces: it was described before, or cannot be.
    #[inline(always)]
    fn announce(self, hook: usize, actor: &Actor) {
        if actor.task_flags & PF_EXITING != 0 {
            return;
        }
        // A client and its server, which take turns on a processor, are hardly in one place.
        let Some(last) = LAST_ANNOUNCED.get_ptr_mut(actor.process.tgid % LAST_PLACES) else { return };
        let state = self.state(actor);
        // SAFETY: this processor's own entry. A task that is preempted between two words may leave a mixture of two
        // processes there, which as good as never is anybody's key with that one's state.
        let told = unsafe { &*last };
        if is_same_process(&told.process, &actor.process) && told.state.is(&state) {
            return;
        }
        let hash = state.hash();
        // SAFETY: read at once; an entry that makes room meanwhile is another's, whose state is hardly the same.
        if ANNOUNCED.get_ptr(&actor.process).is_some_and(|told| unsafe { *told } == hash) {
            // SAFETY: as above.
            unsafe { *last = Announced { process: actor.process, state } };
            return;
        }
        describe_current(hook as u64, hash);
    }

    /// # Safety
    /// `record` must point to a reserved record.
    #[inline(always)]
    unsafe fn namespaces(self, record: *mut Process) {
        let (mount, network) = self.own_namespaces();
        // The pid of the process, not of the thread: its leader's. A pid's own namespace is its deepest.
        let pid: u64 = peek(self.leader + offset!(task_pid));
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

/// Describes the process that the program runs in. `state` is the hash of its [`Task::state`]. Where two processors do so at once, userspace is
/// told twice.
///
/// A global function of BPF, see `kernel::scalar`.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn describe_current(hook: u64, state: u64) -> u64 {
    let task = Task::<false>::current();
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
        (*record).leader_comm = peek(task.leader + offset!(task_comm));
        let parent: u64 = peek(task.task + offset!(task_parent));
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

#[inline(always)]
fn pair(one: u32, other: u32) -> u64 {
    u64::from(one) << 32 | u64::from(other)
}

#[inline(always)]
fn is_same_process(one: &ProcessKey, other: &ProcessKey) -> bool {
    one.start == other.start && one.tgid == other.tgid && one.exec_id == other.exec_id
}

impl State {
    /// Is it the same? Derived, this would be a call that compares bytes one by one.
    #[inline(always)]
    fn is(&self, other: &Self) -> bool {
        self.user == other.user
            && self.namespaces == other.namespaces
            && self.parent == other.parent
            && self.cgroup == other.cgroup
            && self.comm[0] == other.comm[0]
            && self.comm[1] == other.comm[1]
    }

    #[inline(always)]
    fn hash(&self) -> u64 {
        let mut hash = HASH;
        for word in [self.user, self.namespaces, self.parent, self.cgroup, self.comm[0], self.comm[1]] {
            hash = mix(hash, word);
        }
        hash
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
