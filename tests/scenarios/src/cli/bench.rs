//! Where a case is tried: its directory, the program under test, what that program left behind.

use std::cell::Cell;
use std::fs;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use anyhow::{Context as _, ensure};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use serde_json::Value;
use workload::unix::{Kind, Patience, accept_from, connect_to, listen_on};

use crate::run::Setup;
use crate::run::child::Child;

/// What a text capture says on standard error when it begins.
pub(crate) const TRACING: &str = "sockleak: tracing; Ctrl-C ends it with the report";

/// Is it said whenever a capture begins? That includes what some hooks miss: those for failed connects on preemptible kernels,
/// and with kprobes alone on Linux 5.10 those too that note use.
fn is_announcement(line: &str) -> bool {
    let hook = line.strip_prefix("sockleak: hook ").and_then(|rest| rest.split_once(": "));
    let is_expected = |(hook, reason): (&str, &str)| match hook {
        "attempt" | "lookup" => reason.contains("failed connects may be missed"),
        "send" | "send-packet" | "send-page" => {
            reason == "kretprobes of this kernel run out, and messages would be missed"
        }
        _ => false,
    };
    line == TRACING || hook.is_some_and(is_expected)
}

/// Where a case is tried.
pub(crate) struct Bench<'a> {
    setup: &'a Setup,
    dir: &'a Path,
    started: Cell<u32>,
}

impl<'a> Bench<'a> {
    pub(crate) fn new(setup: &'a Setup, dir: &'a Path) -> Self {
        Self { setup, dir, started: Cell::new(0) }
    }

    /// A path in the case's directory.
    pub(crate) fn path(&self, name: &str) -> String {
        self.dir.join(name).to_string_lossy().into_owned()
    }

    /// The program that plays clients.
    pub(crate) fn workload(&self) -> &Path {
        &self.setup.workload
    }

    /// The hooks that are being tested.
    pub(crate) fn hooks(&self) -> &str {
        &self.setup.hooks
    }

    /// `sockleak`, with nothing in its environment that would change what it says.
    pub(crate) fn sockleak(&self) -> Command {
        let mut command = Command::new(&self.setup.sockleak);
        command.env_remove("SOCKLEAK_LOG").env("RUST_BACKTRACE", "1");
        command
    }

    /// `sockleak capture`, with the hooks that are being tested.
    pub(crate) fn capture(&self, arguments: &[&str]) -> Command {
        let mut command = self.sockleak();
        command.args(["capture", "--hooks", &self.setup.hooks]).args(arguments);
        command
    }

    /// Files for the output of the next program.
    pub(crate) fn files(&self) -> (PathBuf, PathBuf) {
        let number = self.started.replace(self.started.get() + 1);
        (self.dir.join(format!("{number}.stdout")), self.dir.join(format!("{number}.stderr")))
    }

    /// Starts a program whose output goes to files.
    pub(crate) fn start(&self, command: &mut Command) -> anyhow::Result<Running> {
        let (stdout, stderr) = self.files();
        let child = Child::start("sockleak", command, &stdout, &stderr)?;
        Ok(Running { child, stdout, stderr })
    }

    /// Starts a capture with JSON lines and waits until it traces.
    pub(crate) fn trace(&self, arguments: &[&str]) -> anyhow::Result<Running> {
        let mut running = self.start(self.capture(arguments).arg("--json"))?;
        running.child.wait_for_line(|line| line.contains("\"session\""))?;
        Ok(running)
    }

    /// Runs a program to its end.
    pub(crate) fn run(&self, command: &mut Command) -> anyhow::Result<Ended> {
        self.start(command)?.end()
    }

    /// Keeps what the programs said and recorded.
    pub(crate) fn keep(&self, out: &Path) -> anyhow::Result<()> {
        fs::create_dir_all(out)?;
        for entry in fs::read_dir(self.dir)? {
            let path = entry?.path();
            let kept = ["stdout", "stderr", "db", "db-wal"];
            let is_kept = path.extension().is_some_and(|kind| kept.iter().any(|one| kind == *one));
            if let (true, Some(name)) = (is_kept, path.file_name()) {
                fs::copy(&path, out.join(name))?;
            }
        }
        Ok(())
    }
}

/// A program under test.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) stdout: PathBuf,
    pub(crate) stderr: PathBuf,
}

impl Running {
    /// Waits for its end.
    pub(crate) fn end(self) -> anyhow::Result<Ended> {
        self.end_while(|| Ok(()))
    }

    /// Does something over and over until it ends.
    pub(crate) fn end_while(
        mut self,
        meanwhile: impl FnMut() -> anyhow::Result<()>,
    ) -> anyhow::Result<Ended> {
        let status = self.child.wait_while(meanwhile)?;
        // Standard output may have been no file.
        let read = |path: &Path| String::from_utf8(fs::read(path).unwrap_or_default());
        let out = read(&self.stdout).context("its standard output is no UTF-8")?;
        let err = read(&self.stderr).context("its standard error is no UTF-8")?;
        Ok(Ended { status, out, err })
    }

    /// Sends a signal and waits for its end.
    pub(crate) fn end_by(self, signal: Signal) -> anyhow::Result<Ended> {
        self.child.signal(signal)?;
        self.end()
    }
}

/// A program that ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    /// It ended by itself with this status, and did not panic.
    pub(crate) fn expect(&self, status: i32) -> anyhow::Result<()> {
        for word in ["panicked", "Stack backtrace", "stack backtrace"] {
            ensure!(!self.err.contains(word), "it panicked: {}", self.err);
        }
        let (ended, signal) = (self.status.code(), self.status.signal());
        ensure!(
            ended == Some(status),
            "exit status {ended:?} (signal {signal:?}) instead of {status}; it said: {}",
            self.err
        );
        Ok(())
    }

    /// It ended with this status and one sentence on standard error, which has each of the words.
    pub(crate) fn expect_refusal(&self, status: i32, words: &[&str]) -> anyhow::Result<()> {
        self.expect(status)?;
        let said: Vec<_> = self.complaints().collect();
        ensure!(said.len() == 1 && said[0].starts_with("sockleak: "), "not one sentence: {}", self.err);
        for word in words {
            ensure!(said[0].contains(word), "'{word}' is not in: {}", said[0]);
        }
        Ok(())
    }

    /// The lines on standard error that are not said whenever a capture begins.
    pub(crate) fn complaints(&self) -> impl Iterator<Item = &str> {
        self.err.lines().filter(|line| !is_announcement(line))
    }

    /// There are none.
    pub(crate) fn expect_no_complaint(&self) -> anyhow::Result<()> {
        let said: Vec<_> = self.complaints().collect();
        ensure!(said.is_empty(), "it complains: {}", said.join(" / "));
        Ok(())
    }

    /// Standard output has each of these texts.
    pub(crate) fn expect_output(&self, texts: &[&str]) -> anyhow::Result<()> {
        for text in texts {
            ensure!(self.out.contains(text), "'{text}' is not in its output:\n{}", self.out);
        }
        Ok(())
    }

    /// The JSON lines of its output.
    pub(crate) fn lines(&self) -> anyhow::Result<Vec<Value>> {
        let parse = |line: &str| serde_json::from_str(line).with_context(|| format!("no JSON: {line}"));
        self.out.lines().map(parse).collect()
    }

    /// The types of those lines.
    pub(crate) fn types(&self) -> anyhow::Result<Vec<String>> {
        let name = |line: &Value| line["type"].as_str().map(str::to_owned).context("a line has no type");
        self.lines()?.iter().map(name).collect()
    }

    /// The report, which is the last line.
    pub(crate) fn report(&self) -> anyhow::Result<Value> {
        let last = self.lines()?.pop().context("it printed nothing")?;
        ensure!(last["type"] == "report", "the last line is no report: {last}");
        Ok(last)
    }
}

/// Sums a figure over the programs of a report.
pub(crate) fn total(report: &Value, figure: &str) -> anyhow::Result<u64> {
    let programs = report["programs"].as_array().context("a report lacks its programs")?;
    let figures = programs.iter().map(|row| row[figure].as_u64().with_context(|| figure.to_owned()));
    figures.sum()
}

/// A server and its clients in this very process.
pub(crate) struct Door {
    listener: OwnedFd,
    name: String,
}

/// Lets this process have many descriptors.
pub(super) fn allow_descriptors() -> anyhow::Result<()> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(setrlimit(Resource::RLIMIT_NOFILE, most.min(1 << 16), most)?)
}

/// Both ends of a connection, held.
pub(crate) type Pair = (OwnedFd, OwnedFd);

impl Door {
    /// Listens on a path or an `@abstract` name.
    pub(crate) fn open(name: &str) -> anyhow::Result<Self> {
        Self::with_backlog(name, 16)
    }

    pub(crate) fn with_backlog(name: &str, backlog: u32) -> anyhow::Result<Self> {
        let listener = listen_on(name, Kind::Stream, backlog, None);
        let listener = listener.with_context(|| format!("cannot listen on {name:?}"))?;
        Ok(Self { listener, name: name.to_owned() })
    }

    /// Connects and accepts.
    pub(crate) fn connect(&self) -> anyhow::Result<Pair> {
        let client = connect_to(&self.name, Kind::Stream, Patience::None)
            .with_context(|| format!("cannot connect to {:?}", self.name))?;
        Ok((client, self.accept()?))
    }

    /// Accepts whoever comes.
    pub(crate) fn accept(&self) -> anyhow::Result<OwnedFd> {
        Ok(accept_from(self.listener.as_raw_fd())?)
    }

    /// Refuses whoever comes from now on, and goes on listening.
    pub(crate) fn shut_down(&self) -> anyhow::Result<()> {
        Ok(nix::sys::socket::shutdown(self.listener.as_raw_fd(), nix::sys::socket::Shutdown::Both)?)
    }

    /// The same under another name.
    pub(crate) fn renamed(self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self }
    }

    /// Connects, accepts and closes: four events.
    pub(crate) fn pass(&self) -> anyhow::Result<()> {
        drop(self.connect()?);
        Ok(())
    }
}
