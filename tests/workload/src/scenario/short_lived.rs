//! Clients that are gone before anybody could look at them: only the kernel can tell who they were.

use std::io::Read as _;
use std::process::{ExitCode, Stdio};

use anyhow::Context as _;
use nix::sys::signal::{Signal, raise};

use super::SOCKET;
use crate::actor::Command;
use crate::identity;
use crate::stage::{self, Stage};
use crate::truth::{Connection, Process, Reason, Release, Start};
use crate::unix::{self, Kind, Patience};

const CLIENTS: u32 = 500;

/// How a short life ends.
#[derive(Clone, Copy)]
enum End {
    Close,
    Exit(i32),
    Kill,
}

impl End {
    fn of(number: u32) -> Self {
        match number % 3 {
            0 => Self::Close,
            1 => Self::Exit((number % 200).cast_signed()),
            _ => Self::Kill,
        }
    }

    fn word(self) -> String {
        match self {
            Self::Close => "close".to_owned(),
            Self::Exit(status) => status.to_string(),
            Self::Kill => "kill".to_owned(),
        }
    }
}

/// The client itself: `touch ADDRESS END …`. Connects, tells its inode, and ends.
///
/// # Errors
/// When it cannot connect.
pub fn touch(arguments: &[String]) -> anyhow::Result<ExitCode> {
    let [address, end, ..] = arguments else { anyhow::bail!("touch ADDRESS END …") };
    let fd = unix::connect_to(address, Kind::Stream, Patience::Endless).context("connect")?;
    // Not through std's buffer, which would die with the process.
    nix::unistd::write(std::io::stdout(), unix::inode(&fd)?.to_string().as_bytes())?;
    match end.as_str() {
        "close" => drop(fd),
        "kill" => raise(Signal::SIGKILL)?,
        status => {
            // Whatever the process still has is the kernel's to release.
            std::mem::forget(fd);
            return Ok(ExitCode::from(status.parse::<u8>()?));
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let server = stage.actor("server")?;
    let address = stage.path(SOCKET);
    let door = stage.listen(server, &address, 128)?;
    stage.tell(server).tell(&Command::Serve { listener: door.fd, count: Some(CLIENTS), greet: false })?;
    let parent = identity::of(std::process::id())?;
    let server_closes = stage.process(server);
    for number in 0..CLIENTS {
        let (process, client_inode) = live_once(&parent, &address, number)?;
        let pid = process.pid;
        let opener = stage.know(process);
        let (reason, signal, exit_status) = match End::of(number) {
            End::Close => (Reason::Close, None, None),
            End::Exit(status) => (Reason::Exit, None, Some(status)),
            End::Kill => (Reason::Killed, Some(Signal::SIGKILL as i32), None),
        };
        let client = Release { by: opener, tid: Some(pid), reason, signal, exit_status };
        let tid = Some(stage.pid(server));
        let closed =
            Release { by: server_closes, tid, reason: Reason::Close, signal: None, exit_status: None };
        stage.know_connection(Connection {
            client_inode,
            listener: door.index(),
            opener,
            tid: pid,
            start: Start::Seen,
            queue_length: None,
            accepted_by: Some(server_closes),
            server_inode: None,
            client: Some(client),
            server: Some(closed),
            client_holders: Vec::new(),
            server_holders: Vec::new(),
            client_use: None,
            server_use: None,
        });
    }
    stage.tell(server).answer()?;
    Ok(())
}

/// Runs one client; returns who it was and the inode of its socket.
fn live_once(parent: &Process, address: &str, number: u32) -> anyhow::Result<(Process, u64)> {
    // Some have more to say than a capture need keep.
    let last = if number % 50 == 7 { "x".repeat(600) } else { format!("client-{number}") };
    let arguments = ["touch", address, &End::of(number).word(), &format!("{number}"), &last];
    let program = stage::own_program()?;
    let mut child = std::process::Command::new(&program)
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .context("spawn")?;
    let mut told = String::new();
    child.stdout.take().context("no stdout")?.read_to_string(&mut told)?;
    // Not waited for yet, so the pid is still its own.
    let start_ticks = identity::start_ticks(child.id())?;
    child.wait()?;
    let first = program.to_string_lossy().into_owned();
    let process = Process {
        pid: child.id(),
        start_ticks,
        argv: std::iter::once(first.as_str()).chain(arguments).map(str::to_owned).collect(),
        ppid: Some(parent.pid),
        ..parent.clone()
    };
    Ok((process, told.parse().with_context(|| format!("client {number} said '{told}'"))?))
}
