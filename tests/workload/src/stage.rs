//! The director's book: the actors, the connections between them, and the truth as it unfolds.

mod crowds;
mod findings;
mod holders;
mod links;
mod uses;

use std::collections::VecDeque;
use std::io::{BufRead as _, Write as _};
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use nix::sys::signal::Signal;

use crate::actor::{Actor, Answer, Command};
use crate::truth::{Listener, Truth};
use crate::unix::Kind;
use crate::{identity, truth};

use holders::Held;
pub use links::End;

/// An actor on the stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Who(usize);

/// A listener on the stage.
#[derive(Clone, Copy, Debug)]
pub struct Door {
    index: usize,
    /// Its descriptor in the process that listens.
    pub fd: RawFd,
}

impl Door {
    /// Its index among the listeners of the truth.
    #[must_use]
    pub fn index(self) -> usize {
        self.index
    }
}

/// A connection on the stage, with the descriptors of its ends.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    index: usize,
    /// Descriptor of the client's end in its opener.
    pub client: RawFd,
    /// Descriptor of the server's end, -1 until it is accepted.
    pub server: RawFd,
}

struct Member {
    actor: Actor,
    /// Its present entry among the processes of the truth.
    process: usize,
    held: Held,
}

/// Where a scenario plays.
pub struct Stage {
    dir: PathBuf,
    /// What has happened so far.
    pub truth: Truth,
    members: Vec<Member>,
    /// For each listener the connections that wait in its accept queue, the oldest first.
    queues: Vec<VecDeque<usize>>,
    /// Ends that no actor holds: the connection, the end, the process.
    elsewhere: Vec<(usize, End, usize)>,
    forks: usize,
    at_end: Vec<Box<dyn FnOnce()>>,
}

impl Stage {
    /// A stage whose files are in `dir`, which exists and is empty.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            truth: Truth::default(),
            members: Vec::new(),
            queues: Vec::new(),
            elsewhere: Vec::new(),
            forks: 0,
            at_end: Vec::new(),
        }
    }

    /// A path in the scenario's directory.
    #[must_use]
    pub fn path(&self, name: &str) -> String {
        self.dir.join(name).to_string_lossy().into_owned()
    }

    /// Adds something to do when the scenario is over.
    pub fn at_end(&mut self, action: impl FnOnce() + 'static) {
        self.at_end.push(Box::new(action));
    }

    /// Says that what has to exist before the capture exists now, and waits until the capture runs.
    ///
    /// # Errors
    /// When the runner is gone.
    pub fn wait_for_capture(&mut self) -> anyhow::Result<()> {
        self.note_beginning();
        announce("prepared")?;
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line)?;
        anyhow::ensure!(line.trim_end() == "go", "expected 'go', got '{line}'");
        Ok(())
    }

    /// Starts an actor from this very program.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn actor(&mut self, role: &str) -> anyhow::Result<Who> {
        self.enter(Actor::start(&own_program()?, role)?)
    }

    /// Starts an actor from a copy of this program, under the name `program`.
    ///
    /// # Errors
    /// When it cannot be copied or started.
    pub fn actor_named(&mut self, program: &str) -> anyhow::Result<Who> {
        let copy = self.copy_program(program)?;
        self.enter(Actor::start(&copy, "copy")?)
    }

    /// Copies this program into the scenario's directory.
    ///
    /// # Errors
    /// When it cannot be copied.
    pub fn copy_program(&self, name: &str) -> anyhow::Result<PathBuf> {
        let copy = self.dir.join(name);
        std::fs::copy(own_program()?, &copy).context("cannot copy the program")?;
        Ok(copy)
    }

    fn enter(&mut self, actor: Actor) -> anyhow::Result<Who> {
        let process = self.know(identity::of(actor.pid())?);
        self.members.push(Member { actor, process, held: Held::default() });
        Ok(Who(self.members.len() - 1))
    }

    /// Adds a process to the truth.
    pub fn know(&mut self, process: truth::Process) -> usize {
        self.truth.processes.push(process);
        self.truth.processes.len() - 1
    }

    /// Reads an actor's identity again, after it changed.
    ///
    /// # Errors
    /// When the actor is gone.
    pub fn look_again(&mut self, who: Who) -> anyhow::Result<()> {
        let process = identity::of(self.pid(who))?;
        self.members[who.0].process = self.know(process);
        Ok(())
    }

    /// Lets `parent` fork.
    ///
    /// # Errors
    /// When the fork fails.
    pub fn fork(&mut self, parent: Who) -> anyhow::Result<Who> {
        self.forks += 1;
        let fifo = self.dir.join(format!("fork-{}", self.forks));
        let child = self.members[parent.0].actor.fork(&fifo)?;
        let child = self.enter(child)?;
        self.members[child.0].held = self.members[parent.0].held.clone();
        Ok(child)
    }

    /// Pid of an actor.
    #[must_use]
    pub fn pid(&self, who: Who) -> u32 {
        self.members[who.0].actor.pid()
    }

    /// The actor's present entry among the processes of the truth.
    #[must_use]
    pub fn process(&self, who: Who) -> usize {
        self.members[who.0].process
    }

    /// The actor itself, for commands that change no descriptor of a connection.
    pub fn tell(&mut self, who: Who) -> &mut Actor {
        &mut self.members[who.0].actor
    }

    /// Gives a command, waits for its answer, and notes what the actor holds afterwards.
    ///
    /// # Errors
    /// When the actor cannot do it.
    pub fn ask(&mut self, who: Who, command: &Command) -> anyhow::Result<Answer> {
        let answer = self.tell(who).ask(command)?;
        self.note_held(who, command, &answer);
        Ok(answer)
    }

    /// Gives a command that has nothing to tell.
    ///
    /// # Errors
    /// When the actor cannot do it.
    pub fn order(&mut self, who: Who, command: &Command) -> anyhow::Result<()> {
        match self.ask(who, command)? {
            Answer::Done => Ok(()),
            other => bail!("{command:?} was answered by {other:?}"),
        }
    }

    /// Listens as most servers do: bind the path, listen.
    ///
    /// # Errors
    /// When it cannot.
    pub fn listen(&mut self, server: Who, path: &str, backlog: u32) -> anyhow::Result<Door> {
        self.listen_as(server, path, Kind::Stream, backlog, None)
    }

    /// Listens; with `bound_as` the file is bound under that name and then renamed.
    ///
    /// # Errors
    /// When it cannot.
    pub fn listen_as(
        &mut self,
        server: Who,
        path: &str,
        kind: Kind,
        backlog: u32,
        bound_as: Option<&str>,
    ) -> anyhow::Result<Door> {
        let bind_path = bound_as.unwrap_or(path).to_owned();
        let renamed = bound_as.map(|_| path.to_owned());
        let command = Command::Listen { name: bind_path.clone(), kind, backlog, renamed };
        let Answer::Socket { fd, .. } = self.tell(server).ask(&command)? else {
            bail!("listen told no socket")
        };
        let inode = if path.starts_with('@') { None } else { Some(inode_of_file(path)?) };
        let index = self.know_listener(Listener {
            path: path.to_owned(),
            bind_path,
            socket_type: kind.word().to_owned(),
            backlog,
            inode,
            owner: self.process(server),
            closed_by: None,
            closed_before: false,
        });
        Ok(Door { index, fd })
    }

    /// Adds a listener to the truth.
    pub fn know_listener(&mut self, listener: Listener) -> usize {
        self.truth.listeners.push(listener);
        self.queues.push(VecDeque::new());
        self.truth.listeners.len() - 1
    }

    /// A door for a listener that no actor holds.
    #[must_use]
    pub fn foreign_door(&self, index: usize) -> Door {
        Door { index, fd: -1 }
    }

    /// Writes the truth, says so, and holds everything as it is until the runner has ended the capture.
    ///
    /// # Errors
    /// When the truth cannot be written.
    pub fn hold(mut self, truth: &Path) -> anyhow::Result<()> {
        self.note_holders();
        let file = std::fs::File::create(truth).with_context(|| truth.display().to_string())?;
        self.truth.write(std::io::BufWriter::new(file))?;
        announce("ready")?;
        std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink())?;
        Ok(())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for member in &self.members {
            // Some of them have ended before, as the scenario wanted.
            if !identity::has_ended(member.actor.pid()) {
                let _ = member.actor.signal(Signal::SIGKILL);
            }
        }
        self.members.clear();
        for action in self.at_end.drain(..).rev() {
            action();
        }
    }
}

/// Path of this program. Its actors are started by the real path, so that their names are its own.
///
/// # Errors
/// When `/proc` does not tell.
pub fn own_program() -> anyhow::Result<PathBuf> {
    std::fs::read_link("/proc/self/exe").context("/proc/self/exe")
}

/// Inode of a file.
///
/// # Errors
/// When there is none.
pub fn inode_of_file(path: &str) -> anyhow::Result<u64> {
    use std::os::unix::fs::MetadataExt as _;
    Ok(std::fs::symlink_metadata(path).with_context(|| path.to_owned())?.ino())
}

fn announce(word: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{word}")?;
    Ok(out.flush()?)
}
