//! The actor's side: reads a command, does it, answers.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, IntoRawFd as _, OwnedFd, RawFd};
use std::os::unix::process::CommandExt as _;
use std::process::ExitCode;
use std::thread::JoinHandle;

use anyhow::Context as _;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{ForkResult, Gid, Uid, fork, setgid, setgroups, setuid};

use super::{Answer, Command, Place, bulk, restless, thread, using};
use crate::{unix, wait};

/// Follows the director until told to exit, or until the director is gone.
///
/// # Errors
/// When the director cannot be talked to.
pub fn run() -> anyhow::Result<ExitCode> {
    let stdin = std::io::stdin().as_fd().try_clone_to_owned()?;
    let stdout = std::io::stdout().as_fd().try_clone_to_owned()?;
    let mut actor = Acting { input: reader(stdin), output: File::from(stdout), reading: None };
    actor.say(&Answer::Hello(std::process::id()))?;
    actor.follow()
}

fn reader(fd: OwnedFd) -> BufReader<File> {
    BufReader::new(File::from(fd))
}

/// Descriptors are plain numbers here: an actor closes what the director says, when it says so, and never else; and
/// those it got from before an exec have no owner in this program.
pub(super) fn borrowed<'a>(fd: RawFd) -> BorrowedFd<'a> {
    // SAFETY: the director names only descriptors that this actor opened and was not told to close.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

pub(super) fn socket(fd: OwnedFd, tid: u32) -> anyhow::Result<Answer> {
    let inode = unix::inode(&fd)?;
    Ok(Answer::Socket { fd: fd.into_raw_fd(), inode, tid })
}

struct Acting {
    input: BufReader<File>,
    output: File,
    /// A thread that read a descriptor while another closed it.
    reading: Option<JoinHandle<()>>,
}

fn say(output: &mut File, answer: &Answer) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    Ok(output.write_all(&line)?)
}

impl Acting {
    fn say(&mut self, answer: &Answer) -> anyhow::Result<()> {
        say(&mut self.output, answer)
    }

    fn follow(&mut self) -> anyhow::Result<ExitCode> {
        let mut line = String::new();
        while self.input.read_line(&mut line)? > 0 {
            match serde_json::from_str(&line)? {
                Command::Exit(status) => return Ok(ExitCode::from(u8::try_from(status)?)),
                Command::Exec { program, role } => {
                    let error = std::process::Command::new(&program).args(["actor", &role]).exec();
                    self.say(&Answer::Impossible(format!("exec {program}: {error}")))?;
                }
                Command::Fork { fifo } => self.fork(&fifo)?,
                Command::Restless { address, threads, further } => {
                    self.restless(&address, threads, further)?;
                }
                command => {
                    let answer = self
                        .perform(command)
                        .unwrap_or_else(|error| Answer::Impossible(format!("{error:#}")));
                    self.say(&answer)?;
                }
            }
            line.clear();
        }
        Ok(ExitCode::SUCCESS)
    }

    fn fork(&mut self, fifo: &str) -> anyhow::Result<()> {
        // SAFETY: an actor that is told to fork has no other thread, so the child may do anything.
        match unsafe { fork() }? {
            ForkResult::Parent { child } => self.say(&Answer::Hello(child.as_raw().cast_unsigned())),
            ForkResult::Child => {
                self.input = BufReader::new(File::open(format!("{fifo}.in"))?);
                self.output = File::options().write(true).open(format!("{fifo}.out"))?;
                // The parent's are no business of the child, nor of a program that it may become.
                nix::unistd::dup2_stdin(self.input.get_ref())?;
                nix::unistd::dup2_stdout(&self.output)?;
                self.say(&Answer::Hello(std::process::id()))
            }
        }
    }

    /// Answers twice: when it is under way, and when it is over.
    fn restless(&mut self, address: &str, threads: u32, further: u32) -> anyhow::Result<()> {
        let Self { input, output, .. } = self;
        let begun = || say(output, &Answer::Done);
        let made = restless::clients(address, threads, further, input.get_ref(), begun);
        let answer = made.map_or_else(|error| Answer::Impossible(format!("{error:#}")), Answer::Made);
        self.say(&answer)
    }

    fn perform(&mut self, command: Command) -> anyhow::Result<Answer> {
        match command {
            Command::Listen { name, kind, backlog, renamed } => {
                let fd = unix::listen_on(&name, kind, backlog, renamed.as_deref()).context("listen")?;
                socket(fd, std::process::id())
            }
            Command::Connect { address, kind, patience } => {
                match unix::connect_to(&address, kind, patience) {
                    Ok(fd) => socket(fd, std::process::id()),
                    Err(error) => Ok(Answer::Failed(error as i32)),
                }
            }
            Command::ConnectInThread { address } => thread::connect(&address),
            Command::Accept(listener) => {
                socket(unix::accept_from(listener).context("accept")?, std::process::id())
            }
            Command::CloseInThread(fd) => thread::close(fd),
            Command::CloseWhileRead(fd) => {
                let (tid, reader) = thread::close_while_read(fd)?;
                self.reading = Some(reader);
                Ok(Answer::Thread(tid))
            }
            Command::Idle => thread::idle(),
            Command::Receive(fd) => {
                let mut bytes = [0; 4096];
                let length = nix::unistd::read(borrowed(fd), &mut bytes)?;
                Ok(Answer::Text(String::from_utf8_lossy(&bytes[..length]).into_owned()))
            }
            Command::Use(fd, way) => using::perform(fd, way).map(Answer::Taken),
            Command::ReceiveFd(over) => socket(unix::receive_fd(over)?, std::process::id()),
            Command::Serve { listener, count, greet } => {
                match count {
                    Some(count) => bulk::serve(listener, count, greet)?,
                    None => bulk::serve_until_told(listener, greet, self.input.get_ref())?,
                }
                Ok(Answer::Done)
            }
            Command::Churn { address, threads, connections, greeted } => {
                bulk::churn(&address, threads, connections, greeted).map(Answer::Pairs)
            }
            Command::Host { listener, for_good, room } => {
                restless::host(listener, for_good, room, self.input.get_ref()).map(Answer::Hosted)
            }
            other => self.perform_silently(other).map(|()| Answer::Done),
        }
    }

    /// The commands that have nothing to tell.
    fn perform_silently(&mut self, command: Command) -> anyhow::Result<()> {
        match command {
            Command::Close(fd) => nix::unistd::close(fd)?,
            Command::Overwrite(fd) => {
                let null = File::open("/dev/null")?;
                // SAFETY: fd is a number that this actor may overwrite; it stays open, as another file.
                let mut target = unsafe { std::os::fd::FromRawFd::from_raw_fd(fd) };
                nix::unistd::dup2(&null, &mut target)?;
                let _still_open: RawFd = target.into_raw_fd();
            }
            Command::Send(fd, text) => {
                nix::unistd::write(borrowed(fd), text.as_bytes())?;
            }
            Command::AwaitRead(fd) => {
                wait::until("the peer to read", || Ok(unix::unread_by_peer(fd)? == 0))?;
            }
            Command::SendFd { over, fd } => unix::send_fd(over, fd)?,
            Command::KeepAcrossExec(fd) => {
                let none = nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty());
                nix::fcntl::fcntl(borrowed(fd), none)?;
            }
            Command::Go(place) => go(&place)?,
            Command::Stop => {
                if let Some(reader) = self.reading.take() {
                    reader.join().map_err(|_panic| anyhow::anyhow!("the reader panicked"))?;
                }
            }
            other => anyhow::bail!("{other:?} reached the wrong hand"),
        }
        Ok(())
    }
}

fn go(place: &Place) -> anyhow::Result<()> {
    match place {
        Place::Directory(path) => std::env::set_current_dir(path).with_context(|| path.clone())?,
        Place::NetNamespace => unshare(CloneFlags::CLONE_NEWNET).context("unshare net")?,
        Place::MountNamespace { from, at } => {
            unshare(CloneFlags::CLONE_NEWNS).context("unshare mount")?;
            let nothing = None::<&str>;
            mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing)?;
            mount(Some(from.as_str()), at.as_str(), nothing, MsFlags::MS_BIND, nothing)?;
        }
        Place::User(id) => {
            setgroups(&[])?;
            setgid(Gid::from_raw(*id))?;
            setuid(Uid::from_raw(*id))?;
        }
    }
    Ok(())
}
