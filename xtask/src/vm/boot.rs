//! Boots a VM with QEMU, passes the command's output on as it comes, and brings home what is left.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Error, Result, bail};
use nix::sys::{prctl, signal::Signal};
use wait_timeout::ChildExt;

use super::verdict::{self, Ending, Verdict};
use super::{Outcome, VmSpec, initramfs};
use crate::arch::Arch;
use crate::{cross, paths, process};

/// Room for /out; the file takes only what is written.
const DISK_BYTES: u64 = 1 << 30;
/// How often a waiting run looks whether it was interrupted.
const TICK: Duration = Duration::from_millis(200);

/// Boots, runs the command, and waits for its end. What the command prints goes to `sink` as it comes.
/// A guest that does not get so far as to report a status is an error that names its console.
pub(crate) fn run(spec: &VmSpec, sink: &mut dyn Write) -> Result<Outcome> {
    let files = Files::prepare(spec)?;
    initramfs::write(spec, terminal_size(), &files.initramfs())?;
    initramfs::disk(&files.disk(), DISK_BYTES)?;

    let mut qemu = qemu(spec, &files)?;
    let ending = attend(&mut qemu, spec.timeout, sink)?;

    let console = fs::read(&files.console).unwrap_or_default();
    let console = String::from_utf8_lossy(&console);
    for line in verdict::last_words(&console) {
        // On a machine that is gone afterwards, this is all that remains of the console.
        writeln!(sink, "{line}")?;
    }
    match verdict::judge(&console, ending) {
        Verdict::Status(status) => {
            let out = spec.out.clone().unwrap_or(paths::cache().join("out").join(&files.run));
            let any = initramfs::unpack(&files.disk(), &out)?;
            Ok(Outcome { status, out: any.then_some(out), console: files.console.clone() })
        }
        Verdict::NoStart => bail!("{}: {}", Verdict::NoStart, process::tail(&files.complaints, 3)),
        verdict => {
            let place =
                format!("kernel {}, console saved as {}", spec.kernel.label(), files.console.display());
            Err(Error::new(verdict).context(place))
        }
    }
}

/// Where a run keeps its files. The large ones go when it ends.
struct Files {
    run: String,
    console: PathBuf,
    /// QEMU's own messages.
    complaints: PathBuf,
    scratch: tempfile::TempDir,
}

impl Files {
    fn prepare(spec: &VmSpec) -> Result<Self> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_millis();
        let run = format!("{}-{}-{now}", spec.kernel.label().replace(' ', "-"), spec.name);
        let consoles = paths::cache_folder("consoles")?;
        let console = consoles.join(format!("{run}.log"));
        File::create(&console).with_context(|| format!("cannot write {}", console.display()))?;
        let scratch = tempfile::tempdir_in(paths::cache_folder("tmp")?)?;
        Ok(Self { complaints: consoles.join(format!("{run}.qemu")), run, console, scratch })
    }

    fn initramfs(&self) -> PathBuf {
        self.scratch.path().join("initramfs")
    }

    fn disk(&self) -> PathBuf {
        self.scratch.path().join("disk")
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        // An empty file of complaints says nothing; it may well be wanted otherwise.
        if fs::metadata(&self.complaints).is_ok_and(|file| file.len() == 0) {
            let _ = fs::remove_file(&self.complaints);
        }
    }
}

fn qemu(spec: &VmSpec, files: &Files) -> Result<Child> {
    let program = program(spec.kernel.arch);
    let mut qemu = Command::new(&program);
    qemu.args(arguments(spec, files))
        // What guests change on a disk that is not theirs is kept here, for as long as they run.
        .env("TMPDIR", files.scratch.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(File::create(&files.complaints).context("cannot write QEMU's messages")?);
    let die_with_us = || prctl::set_pdeathsig(Signal::SIGKILL).map_err(Into::into);
    // SAFETY: between fork and exec the closure makes one system call and touches no memory of ours.
    unsafe { qemu.pre_exec(die_with_us) };
    qemu.spawn().with_context(|| format!("cannot start {}", program.display()))
}

fn program(arch: Arch) -> PathBuf {
    match arch {
        Arch::Amd64 => "qemu-system-x86_64".into(),
        Arch::Arm64 => cross::system_emulator(),
    }
}

fn arguments(spec: &VmSpec, files: &Files) -> Vec<OsString> {
    let [console, _] = spec.kernel.arch.serial_lines();
    let first = format!("console={console} panic=-1 quiet");
    let append = std::iter::once(first.as_str())
        .chain(spec.append.iter().map(String::as_str))
        .collect::<Vec<_>>()
        .join(" ");
    // With QEMU's default CPU newer kernels panic at boot. KVM is not relied on: the same run everywhere.
    let machine = match spec.kernel.arch {
        Arch::Amd64 => "-cpu max -M q35",
        // The architecture's own way to sign pointers takes most of the time when it is emulated.
        Arch::Arm64 => "-cpu max,pauth-impdef=on -M virt,gic-version=3",
    };
    let fixed = "-no-reboot -nodefaults -display none -nic none";
    let mut arguments: Vec<OsString> = machine.split(' ').chain(fixed.split(' ')).map(Into::into).collect();
    let mut option = |name: &str, value: OsString| {
        arguments.push(name.into());
        arguments.push(value);
    };
    option("-m", spec.memory.to_string().into());
    option("-smp", spec.smp.to_string().into());
    option("-kernel", spec.kernel.vmlinuz.clone().into());
    option("-initrd", files.initramfs().into());
    option("-append", append.into());
    // See `lines`.
    option("-serial", with_path("file:", &files.console));
    option("-serial", "stdio".into());
    // NVMe, because every one of the kernels has its driver built in. The guest knows its drives by their serial numbers.
    option("-drive", with_path("if=none,id=out,format=raw,cache=unsafe,file=", &files.disk()));
    option("-device", "nvme,drive=out,serial=out".into());
    if let Some(root) = &spec.guest.root {
        option("-drive", with_path("if=none,id=root,format=raw,snapshot=on,cache=unsafe,file=", root));
        option("-device", "nvme,drive=root,serial=root".into());
    }
    arguments.extend(spec.qemu.iter().cloned());
    arguments
}

/// An option that ends in a path. In QEMU's lists of options a comma is written twice.
fn with_path(option: &str, path: &Path) -> OsString {
    let path = path.to_string_lossy();
    let path = if option.contains(',') { path.replace(',', ",,") } else { path.into_owned() };
    format!("{option}{path}").into()
}

/// Passes output on until the guest ends, time is up or we are interrupted; then QEMU is gone.
fn attend(qemu: &mut Child, timeout: Duration, sink: &mut dyn Write) -> Result<Ending> {
    let interrupted = interrupt_flag()?;
    let deadline = Instant::now() + timeout;
    let output = reader(qemu)?;
    let ending = loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if interrupted.load(Ordering::Relaxed) {
            break Ending::Interrupted;
        }
        if left.is_zero() {
            break Ending::TimedOut(timeout);
        }
        match output.recv_timeout(left.min(TICK)) {
            Ok(bytes) => {
                if sink.write_all(&bytes).and_then(|()| sink.flush()).is_err() {
                    break Ending::Interrupted;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            // QEMU closed its end: it is about to exit.
            Err(RecvTimeoutError::Disconnected) => match qemu.wait_timeout(left)? {
                Some(status) => break Ending::Exited(status.success()),
                None => break Ending::TimedOut(timeout),
            },
        }
    };
    if !matches!(ending, Ending::Exited(_)) {
        qemu.kill().context("cannot stop QEMU")?;
        qemu.wait().context("cannot wait for QEMU")?;
    }
    Ok(ending)
}

/// Reads QEMU's output in a thread of its own, so that waiting for it can end early.
fn reader(qemu: &mut Child) -> Result<Receiver<Vec<u8>>> {
    let mut stdout = qemu.stdout.take().context("QEMU has no output")?;
    let (sender, receiver) = mpsc::sync_channel(64);
    thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(length @ 1..) = stdout.read(&mut buffer) {
            if sender.send(buffer[..length].to_vec()).is_err() {
                break;
            }
        }
    });
    Ok(receiver)
}

/// Raised by SIGINT and SIGTERM, so that a run can clean up. Set up with the first VM.
fn interrupt_flag() -> Result<Arc<AtomicBool>> {
    static FLAG: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    let flag = FLAG.get_or_init(Arc::default);
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    let registered = REGISTERED.get_or_init(|| {
        [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM]
            .into_iter()
            .all(|signal| signal_hook::flag::register(signal, Arc::clone(flag)).is_ok())
    });
    if !registered {
        bail!("cannot catch signals");
    }
    Ok(Arc::clone(flag))
}

fn terminal_size() -> (u16, u16) {
    terminal_size::terminal_size().map_or((80, 24), |(width, height)| (width.0, height.0))
}
