//! A HAProxy in master-worker mode, for the scenarios that need a real one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::{identity, wait};

/// A HAProxy that is installed.
#[derive(Clone, Copy, Debug)]
pub struct Installation {
    /// Path of the program.
    program: &'static str,
    /// Where its libraries are, unless they are the system's.
    libraries: Option<&'static str>,
}

/// The system's.
pub const SYSTEM: Installation = Installation { program: "/usr/sbin/haproxy", libraries: None };
/// Version 3.0, beside it.
pub const VERSION_3_0: Installation =
    Installation { program: "/opt/haproxy-3.0/haproxy", libraries: Some("/opt/haproxy-3.0/lib") };

/// A running HAProxy. Ends with this value.
pub struct Haproxy {
    master: Child,
    worker: u32,
    /// Path of the master socket.
    pub socket: PathBuf,
}

impl Haproxy {
    /// Starts it with its files in `dir`, and waits until the master serves its socket.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start(installation: Installation, dir: &Path) -> anyhow::Result<Self> {
        let (socket, config) = (dir.join("ma.sock"), dir.join("haproxy.cfg"));
        let frontend = dir.join("frontend.sock");
        let text = format!(
            "global\n    nbthread 1\ndefaults\n    mode http\n    timeout connect 5s\n    timeout client 30s\n    \
             timeout server 30s\nfrontend f\n    bind unix@{}\n",
            frontend.display()
        );
        fs::write(&config, text)?;
        let log = fs::File::create(dir.join("haproxy.log"))?;
        let Installation { program, libraries } = installation;
        let master = Command::new(program)
            .envs(libraries.map(|libraries| ("LD_LIBRARY_PATH", libraries)))
            .arg("-W")
            .arg("-S")
            .arg(&socket)
            .arg("-f")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context(program)?;
        let mut haproxy = Self { master, worker: 0, socket };
        let pid = haproxy.pid();
        wait::until("HAProxy to serve its master socket", || {
            anyhow::ensure!(!identity::has_ended(pid), "HAProxy ended at its start");
            Ok(serves(pid)? && frontend.exists())
        })?;
        haproxy.worker = worker_of(pid)?.context("the master has no worker")?;
        Ok(haproxy)
    }

    /// Pid of the master.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.master.id()
    }

    /// The name under which the master binds its socket.
    #[must_use]
    pub fn bind_path(&self) -> String {
        format!("{}.{}.tmp", self.socket.display(), self.pid())
    }

    /// How many connections on its master socket the master has accepted and still holds.
    ///
    /// # Errors
    /// When it is gone.
    pub fn slots_taken(&self) -> anyhow::Result<usize> {
        Ok(own_sockets(self.pid())?.filter(|it| !it.listens).count())
    }

    /// Stops the worker, so that it answers nothing any more.
    ///
    /// # Errors
    /// When it is gone.
    pub fn stop_worker(&self) -> anyhow::Result<()> {
        kill(Pid::from_raw(self.worker.cast_signed()), Signal::SIGSTOP).context("no worker")
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        // A stopped worker heeds nothing but SIGKILL; if one of them is gone, so much the better.
        if self.worker != 0 {
            let _ = kill(Pid::from_raw(self.worker.cast_signed()), Signal::SIGKILL);
        }
        let _ = self.master.kill();
        let _ = self.master.wait();
    }
}

/// After forking its worker the master of 2.6 and 3.0 executes itself again and binds a second time; what it listens on
/// before that is thrown away.
fn serves(master: u32) -> anyhow::Result<bool> {
    let environment = fs::read(format!("/proc/{master}/environ"))?;
    let waits =
        environment.split(|&byte| byte == 0).any(|one| one.starts_with(b"HAPROXY_MWORKER_WAIT_ONLY="));
    let listens = own_sockets(master)?.any(|it| it.listens);
    Ok(waits && listens && worker_of(master)?.is_some())
}

/// A socket of the master that bears the name under which it binds: its listener, or what it accepted there.
struct OwnSocket {
    listens: bool,
}

fn own_sockets(master: u32) -> anyhow::Result<impl Iterator<Item = OwnSocket>> {
    /// `__SO_ACCEPTCON`, which `/proc/net/unix` shows for a listener.
    const LISTENS: &str = "00010000";
    let held = sockets_of(master)?;
    let name = format!(".{master}.tmp");
    let table = fs::read_to_string("/proc/net/unix")?;
    let mut own = Vec::new();
    for line in table.lines().skip(1) {
        let words: Vec<_> = line.split_ascii_whitespace().collect();
        if let [_, _, _, flags, _, _, inode, path] = words.as_slice()
            && path.ends_with(&name)
            && held.iter().any(|it| it == inode)
        {
            own.push(OwnSocket { listens: *flags == LISTENS });
        }
    }
    Ok(own.into_iter())
}

fn sockets_of(pid: u32) -> anyhow::Result<Vec<String>> {
    let mut inodes = Vec::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fd"))? {
        // A descriptor may be closed while the directory is read.
        let Ok(target) = fs::read_link(entry?.path()) else { continue };
        let text = target.to_string_lossy();
        if let Some(inode) = text.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']')) {
            inodes.push(inode.to_owned());
        }
    }
    Ok(inodes)
}

fn worker_of(master: u32) -> anyhow::Result<Option<u32>> {
    for entry in fs::read_dir("/proc")? {
        let Ok(pid) = entry?.file_name().to_string_lossy().parse::<u32>() else { continue };
        if identity::parent(pid).is_ok_and(|parent| parent == master) {
            return Ok(Some(pid));
        }
    }
    Ok(None)
}
