//! Makes connections as fast as it can and says what they cost: `pairs --pairs N --warm-up N [--tracer PID …]`.
//!
//! A pair is socket, connect, accept and two closes, by one process. What is printed are nanoseconds for the whole
//! loop: under QEMU's `-icount shift=0`, guest instructions.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Parser;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, accept4, bind, connect, listen, socket,
};
use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;
use workload::{stopped::while_stopped, wait};

#[derive(Parser)]
#[command(about = "Makes connections and says what they cost")]
struct Arguments {
    /// Where to listen; a file that is there goes.
    #[arg(long)]
    socket: PathBuf,
    /// How many pairs to measure.
    #[arg(long, default_value_t = 5000)]
    pairs: u32,
    /// How many to make before.
    #[arg(long, default_value_t = 500)]
    warm_up: u32,
    /// Process id of a tracer, whose work on these pairs counts until its last line about them is written.
    #[arg(long)]
    tracer: Option<i32>,
    /// The file that the tracer writes to.
    #[arg(long, requires = "tracer", requires = "lines")]
    said: Option<PathBuf>,
    /// Lines that it writes for each pair.
    #[arg(long)]
    lines: Option<u32>,
    /// Stop the tracer while so many pairs are made, again and again: what remains is the kernel side.
    #[arg(long, requires = "tracer", value_name = "PAIRS", value_parser = clap::value_parser!(u32).range(1..))]
    stop_for: Option<u32>,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let pairs = Pairs::listen(&arguments.socket)?;
    let mut tracer = arguments.tracer.map(|pid| Tracer::new(pid, &arguments)).transpose()?;

    pairs.make(arguments.warm_up)?;
    if let Some(tracer) = &mut tracer {
        tracer.catch_up(arguments.warm_up)?;
    }
    let (elapsed, after) = match (&mut tracer, arguments.stop_for) {
        (Some(tracer), Some(batch)) => (stopped(&pairs, tracer, arguments.pairs, batch)?, Duration::ZERO),
        (Some(tracer), None) => followed(&pairs, tracer, arguments.pairs)?,
        (None, _) => (pairs.make(arguments.pairs)?, Duration::ZERO),
    };
    println!("pairs={} elapsed={} after={}", arguments.pairs, elapsed.as_nanos(), after.as_nanos());
    Ok(())
}

/// The loop, on whose processor the tracer runs too; and the processor time that the tracer takes afterwards for what
/// was still on its way. It sleeps in between, so the time on the clock would count waiting as work.
fn followed(pairs: &Pairs, tracer: &mut Tracer, count: u32) -> anyhow::Result<(Duration, Duration)> {
    let elapsed = pairs.make(count)?;
    let before = tracer.processor_time()?;
    tracer.catch_up(count)?;
    Ok((elapsed, tracer.processor_time()?.saturating_sub(before)))
}

/// The loop in batches during which the tracer is stopped. It catches up in between, so that the kernel side never
/// finds its buffer so full that it would wake the tracer.
fn stopped(pairs: &Pairs, tracer: &mut Tracer, count: u32, batch: u32) -> anyhow::Result<Duration> {
    let mut elapsed = Duration::ZERO;
    let mut left = count;
    while left > 0 {
        let now = left.min(batch);
        elapsed += while_stopped(tracer.pid, || pairs.make(now))?;
        tracer.catch_up(now)?;
        left -= now;
    }
    Ok(elapsed)
}

/// Both ends of the work.
struct Pairs {
    listener: OwnedFd,
    address: UnixAddr,
}

impl Pairs {
    fn listen(path: &PathBuf) -> anyhow::Result<Self> {
        // Left by an earlier run; if it cannot go, bind says so.
        let _ = std::fs::remove_file(path);
        let address = UnixAddr::new(path)?;
        let listener = new_socket()?;
        bind(listener.as_raw_fd(), &address).with_context(|| format!("cannot bind {}", path.display()))?;
        listen(&listener, Backlog::new(16)?)?;
        Ok(Self { listener, address })
    }

    fn make(&self, count: u32) -> anyhow::Result<Duration> {
        let started = Instant::now();
        for _ in 0..count {
            let client = new_socket()?;
            connect(client.as_raw_fd(), &self.address)?;
            let accepted = accept4(self.listener.as_raw_fd(), SockFlag::SOCK_CLOEXEC)?;
            // SAFETY: accept4 has just returned this descriptor, and nothing else knows it.
            let server = unsafe { OwnedFd::from_raw_fd(accepted) };
            drop(client);
            drop(server);
        }
        Ok(started.elapsed())
    }
}

fn new_socket() -> nix::Result<OwnedFd> {
    socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)
}

/// A tracer under way.
struct Tracer {
    pid: Pid,
    said: Option<Said>,
}

impl Tracer {
    fn new(pid: i32, arguments: &Arguments) -> anyhow::Result<Self> {
        let said = match (&arguments.said, arguments.lines) {
            (Some(path), Some(lines)) => Some(Said::open(path, lines)?),
            _ => None,
        };
        Ok(Self { pid: Pid::from_raw(pid), said })
    }

    /// Waits until it has written all lines about so many more pairs.
    fn catch_up(&mut self, pairs: u32) -> anyhow::Result<()> {
        let Some(said) = &mut self.said else { return Ok(()) };
        said.wanted += u64::from(pairs) * u64::from(said.per_pair);
        let waited = wait::until("the tracer's lines", || said.is_complete());
        waited.with_context(|| format!("{} of {} lines", said.found, said.wanted))
    }

    fn processor_time(&self) -> anyhow::Result<Duration> {
        let clock = clock_getcpuclockid(self.pid).context("the tracer has ended")?;
        Ok(clock_gettime(clock).context("the tracer has ended")?.into())
    }
}

/// What the tracer has written about this process.
struct Said {
    reader: BufReader<File>,
    line: Vec<u8>,
    own: String,
    per_pair: u32,
    found: u64,
    wanted: u64,
}

impl Said {
    fn open(path: &PathBuf, per_pair: u32) -> anyhow::Result<Self> {
        let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        let own = std::process::id().to_string();
        Ok(Self { reader: BufReader::new(file), line: Vec::new(), own, per_pair, found: 0, wanted: 0 })
    }

    /// Reads on, and tells whether all lines are there. Lines about this process are those with its id as a word.
    fn is_complete(&mut self) -> anyhow::Result<bool> {
        while self.reader.read_until(b'\n', &mut self.line)? > 0 && self.line.ends_with(b"\n") {
            let is_ours = self.line.split(u8::is_ascii_whitespace).any(|word| word == self.own.as_bytes());
            self.found += u64::from(is_ours);
            self.line.clear();
        }
        Ok(self.found >= self.wanted)
    }
}
