//! Processes that no program of the guest can be made to play: they change who they are, or what they see. What they say on standard
//! output is the truth.

use std::ffi::OsString;
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Subcommand;
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::unistd::{Uid, setresuid};
use serde_json::{Value, json};
use workload::unix::{Kind, Patience, connect_to};

/// A part to play.
#[derive(Subcommand)]
pub enum Part {
    /// Run a command in namespaces of its own.
    Apart {
        /// A time namespace whose time since boot is so many seconds ahead.
        #[arg(long)]
        ahead: Option<i64>,
        /// A control group namespace.
        #[arg(long)]
        cgroup: bool,
        /// What to run.
        #[arg(trailing_var_arg = true, required = true)]
        command: Vec<OsString>,
    },
    /// Connect again and again, each time as somebody else.
    Restless {
        /// Where to.
        socket: PathBuf,
    },
    /// Go on in another thread when the first one has ended.
    Leaderless {
        /// Where to.
        socket: PathBuf,
    },
    /// Serve a socket of a path in a mount namespace of its own, where another is served in the first one.
    Twin {
        /// Where.
        socket: PathBuf,
    },
    /// Wait in a full queue until a signal interrupts it.
    Interrupted {
        /// Where.
        socket: PathBuf,
    },
}

impl Part {
    /// Plays it.
    ///
    /// # Errors
    /// If the kernel lets it not.
    pub fn play(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Apart { ahead, cgroup, command } => return apart(ahead, cgroup, &command),
            Self::Restless { socket } => restless(&socket)?,
            Self::Leaderless { socket } => leaderless(&socket)?,
            Self::Twin { socket } => twin(&socket)?,
            Self::Interrupted { socket } => interrupted(&socket)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// `CLONE_NEWTIME`, include/uapi/linux/sched.h; nix does not know it.
const NEW_TIME: CloneFlags = CloneFlags::from_bits_retain(0x80);

fn apart(ahead: Option<i64>, cgroup: bool, command: &[OsString]) -> anyhow::Result<ExitCode> {
    if let Some(seconds) = ahead {
        unshare(NEW_TIME).context("no time namespace")?;
        fs::write("/proc/self/timens_offsets", format!("boottime {seconds} 0\n")).context("no offset")?;
    }
    if cgroup {
        unshare(CloneFlags::CLONE_NEWCGROUP).context("no control group namespace")?;
    }
    let [program, arguments @ ..] = command else { anyhow::bail!("no command") };
    let mut command = Command::new(program);
    command.args(arguments);
    // SAFETY: it does nothing. With it the child is forked, and not made by vfork, of which some kernels keep time namespaces.
    unsafe { command.pre_exec(|| Ok(())) };
    let status = command.status().context("the command cannot be run")?;
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)))
}

/// Each step leaves an event or two, and says who it was.
fn restless(socket: &Path) -> anyhow::Result<()> {
    let name = socket.to_str().context("no text")?;
    let connect = || connect_to(name, Kind::Stream, Patience::None);
    let visit = |step: &str| -> anyhow::Result<()> {
        drop(connect().context("no connection")?);
        tell(step, &["connect", "release"])
    };
    visit("as it began")?;
    fs::write("/proc/self/comm", "renamed").context("no other name")?;
    visit("under another name")?;
    unshare(CloneFlags::CLONE_NEWNET).context("no network namespace")?;
    visit("in another network namespace")?;
    let (first, last) = (connect()?, connect()?);
    tell("before it moves", &["connect", "connect"])?;
    leave_mount_namespace()?;
    drop(first);
    tell("in another mount namespace", &["release"])?;
    // What the target's path leads to from here is another file, which is not there.
    hide(socket.parent().context("no folder")?)?;
    for _ in 0..3 {
        ensure!(connect().map(drop) == Err(Errno::ENOENT), "something is there");
    }
    let user = Uid::from_raw(65_534);
    setresuid(user, user, user).context("no other user")?;
    // The end of the process releases the last one.
    tell("as another user, at its end", &["release"])?;
    std::mem::forget(last);
    Ok(())
}

fn leave_mount_namespace() -> anyhow::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS).context("no mount namespace")?;
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).context("not private")
}

/// Puts an empty folder in the place of another.
fn hide(folder: &Path) -> anyhow::Result<()> {
    mount(Some("none"), folder, Some("tmpfs"), MsFlags::empty(), None::<&str>).context("no tmpfs")
}

/// One connection, held at both ends until it is told to end.
fn twin(socket: &Path) -> anyhow::Result<()> {
    leave_mount_namespace()?;
    hide(socket.parent().context("no folder")?)?;
    let listener = UnixListener::bind(socket).context("no socket")?;
    println!("{}", json!({"step": "listening"}));
    std::io::stdin().read_line(&mut String::new())?;
    let client = UnixStream::connect(socket).context("no connection")?;
    let server = listener.accept().context("none to accept")?;
    println!("{}", json!({"mount_ns": fs::metadata("/proc/self/ns/mnt")?.ino()}));
    std::io::stdin().read_line(&mut String::new())?;
    drop((client, server));
    Ok(())
}

/// Who this process is now.
fn tell(step: &str, events: &[&str]) -> anyhow::Result<()> {
    let namespace = |kind: &str| fs::metadata(format!("/proc/self/ns/{kind}")).map(|file| file.ino());
    let comm = fs::read_to_string("/proc/self/comm")?;
    let who: Value = json!({
        "uid": nix::unistd::getuid().as_raw(),
        "comm": comm.trim_end(),
        "mount_ns": namespace("mnt")?,
        "network_ns": namespace("net")?,
    });
    for event in events {
        println!("{}", json!({"step": step, "type": event, "who": who}));
    }
    Ok(())
}

/// Two connections from before the first thread's end, and one after it, when it is told to.
fn leaderless(socket: &Path) -> anyhow::Result<()> {
    let name = socket.to_str().context("no text")?.to_owned();
    let go_on = move || -> anyhow::Result<()> {
        let connect = || connect_to(&name, Kind::Stream, Patience::None);
        let held = [connect()?, connect()?];
        while !fs::read_to_string("/proc/self/stat")?.contains(") Z ") {
            std::thread::sleep(Duration::from_millis(5));
        }
        println!("ready");
        std::io::stdin().read_line(&mut String::new())?;
        let last = connect()?;
        println!("connected");
        std::io::stdin().read_line(&mut String::new())?;
        drop((held, last));
        Ok(())
    };
    // What goes wrong there is missed by whoever waits for its lines.
    std::thread::spawn(move || go_on().inspect_err(|error| eprintln!("{error:#}")));
    // SAFETY: it ends this thread and nothing else, as pthread_exit in C's main does.
    unsafe { nix::libc::syscall(nix::libc::SYS_exit, 0) };
    anyhow::bail!("the first thread goes on")
}

extern "C" fn note(_: i32) {}

fn interrupted(socket: &Path) -> anyhow::Result<()> {
    let action = SigAction::new(SigHandler::Handler(note), SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler does nothing.
    unsafe { sigaction(Signal::SIGUSR1, &action) }.context("no handler")?;
    println!("ready");
    let ended = connect_to(socket.to_str().context("no text")?, Kind::Stream, Patience::Endless);
    ensure!(ended.is_err(), "the queue was not full");
    println!("{:?}", ended.err().context("it connected")?);
    // Whoever plays the server decides when it is over.
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
