//! Sends messages over one connection as fast as it can and prints the time: `messages --messages N --warm-up N
//! [--stop PID]`.
//!
//! A message is a `write` at the client end and a `read` at the server end, both by this process. The program prints
//! nanoseconds for the whole loop: under QEMU's `-icount shift=0`, guest instructions.

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Parser;
use nix::unistd::Pid;
use workload::stopped::while_stopped;

#[derive(Parser)]
#[command(about = "Sends messages over one connection and prints how long they take")]
struct Arguments {
    /// Where to listen. An existing file is replaced.
    #[arg(long)]
    socket: PathBuf,
    /// How many messages to measure.
    #[arg(long, default_value_t = 20_000)]
    messages: u32,
    /// How many messages to send before the measurement.
    #[arg(long, default_value_t = 2000)]
    warm_up: u32,
    /// Bytes of a message.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    bytes: u16,
    /// Process id of a tracer to stop during the measurement: only its kernel side is measured then.
    #[arg(long, value_name = "PID")]
    stop: Option<i32>,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let mut pair = Pair::open(&arguments.socket, arguments.bytes)?;
    pair.send(arguments.warm_up)?;
    let elapsed = match arguments.stop {
        Some(pid) => while_stopped(Pid::from_raw(pid), || pair.send(arguments.messages))?,
        None => pair.send(arguments.messages)?,
    };
    println!("messages={} elapsed={}", arguments.messages, elapsed.as_nanos());
    Ok(())
}

/// The two ends of one connection, and room for a message at each.
struct Pair {
    client: UnixStream,
    server: UnixStream,
    message: Vec<u8>,
    received: Vec<u8>,
}

impl Pair {
    fn open(path: &Path, bytes: u16) -> anyhow::Result<Self> {
        // An earlier run may have left the file. If it cannot be removed, bind fails and says so.
        let _ = std::fs::remove_file(path);
        let listener =
            UnixListener::bind(path).with_context(|| format!("cannot listen on {}", path.display()))?;
        let client =
            UnixStream::connect(path).with_context(|| format!("cannot connect to {}", path.display()))?;
        let (server, _) = listener.accept().context("cannot accept the connection")?;
        Ok(Self { client, server, message: vec![b'm'; bytes.into()], received: vec![0; bytes.into()] })
    }

    /// Sends so many messages, receives each before the next, and gives the time on the clock.
    fn send(&mut self, count: u32) -> anyhow::Result<Duration> {
        let started = Instant::now();
        for _ in 0..count {
            self.client.write_all(&self.message)?;
            self.server.read_exact(&mut self.received)?;
        }
        Ok(started.elapsed())
    }
}
