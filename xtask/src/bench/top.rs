//! `cargo xtask bench top`: how soon `sockleak top` has something on the screen, and what it takes to keep it up to date, with many
//! open connections and many events. Prints, and judges nothing.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::pty::{OpenptyResult, Winsize, openpty};

use crate::browser::Programs;

const SIZE: Winsize = Winsize { ws_row: 40, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 };
/// Nobody asks for it: the source wants one.
const TOKEN: &str = "bench";
/// Something that does not come by then never will.
const PATIENCE: Duration = Duration::from_secs(30);
/// Steps whose answers are timed.
const STEPS: u32 = 50;

/// Arguments of `cargo xtask bench top`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Connections that are open
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    open: u32,
    /// Events a second
    #[arg(long, value_name = "N", default_value_t = 500)]
    rate: u32,
    /// For how many seconds each view is shown
    #[arg(long, value_name = "N", default_value_t = 10)]
    seconds: u32,
}

/// A view, the keys that lead there from the one before, and a word that is on it. The last key has everything drawn anew: what is
/// there already is not drawn, nor are blanks.
const VIEWS: [(&str, &[u8], &str); 5] = [
    ("sockets", b"\x0c", "SOCKET"),
    ("connections", b"\t\t\x0c", "CLIENT"),
    ("the last of them", b"G\x0c", "CLIENT"),
    ("events", b"\t\t\x0c", "EVENT"),
    // Once they have been looked at, they go on coming.
    ("among events", b"\t\t\t\x0c", "CLIENT"),
];

/// Measures and prints.
pub(crate) fn run(args: &Args) -> Result<()> {
    let programs = Programs::build()?;
    let Args { open, rate, seconds } = *args;
    let mut source = Command::new(&programs.serve);
    source.arg(&programs.sockleak).arg(TOKEN).args([open, rate].map(|number| number.to_string()));
    let mut source = Ended(source.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("no source")?);
    let mut address = String::new();
    BufReader::new(source.0.stdout.take().context("the source has no output")?).read_line(&mut address)?;

    let begun = Instant::now();
    let mut command = Command::new(&programs.sockleak);
    command.args(["top", "--service", address.trim()]);
    let mut screen = Screen::start(&mut command)?;
    screen.wait_for("client-leak")?;
    let first = begun.elapsed();
    let mut out = format!(
        "{open} connections are open, {rate} events a second, {} x {}\n\nfirst picture after {:.0} ms\n\n",
        SIZE.ws_col,
        SIZE.ws_row,
        first.as_secs_f64() * 1e3
    );
    let _ = writeln!(
        out,
        "{:18} {:>10} {:>10} {:>12} {:>10}",
        "", "top ms/s", "source ms/s", "bytes/s drawn", "top MiB"
    );
    for (name, keys, text) in VIEWS {
        screen.press(keys)?;
        screen.wait_for(text)?;
        eprintln!("bench: {name} for {seconds} s");
        let before = (spent(screen.child.0.id())?, spent(source.0.id())?, screen.drain());
        let began = Instant::now();
        thread::sleep(Duration::from_secs(seconds.into()));
        let drawn = screen.drain();
        let clock = began.elapsed().as_secs_f64();
        let (top, its) = (spent(screen.child.0.id())? - before.0, spent(source.0.id())? - before.1);
        let _ = writeln!(
            out,
            "{name:18} {:10.1} {:11.1} {:13.0} {:10.1}",
            top * 1e3 / clock,
            its * 1e3 / clock,
            drawn as f64 / clock,
            peak(screen.child.0.id())? as f64 / 1024.0
        );
    }
    let mut answers = screen.time_steps()?;
    answers.sort_unstable();
    let milliseconds = |at: usize| answers[at].as_secs_f64() * 1e3;
    let _ = writeln!(
        out,
        "\nfrom a key to what it changes: {:.1} ms in the middle, {:.1} ms at most, of {STEPS}",
        milliseconds(answers.len() / 2),
        milliseconds(answers.len() - 1)
    );
    print!("{out}\n{NOTES}");
    Ok(())
}

const NOTES: &str = "\
ms/s: milliseconds of processor time in a second of the clock. The source answers in place of a service: its share beside it
is that of whoever traces and of the process that answers HTTP, which is not counted. Drawn: bytes that the terminal is sent.
";

/// A process that ends with this.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A terminal with top in it.
struct Screen {
    child: Ended,
    keys: File,
    read: mpsc::Receiver<Vec<u8>>,
    drawn: Vec<u8>,
}

impl Screen {
    fn start(command: &mut Command) -> Result<Self> {
        let OpenptyResult { master, slave } = openpty(Some(&SIZE), None).context("no terminal can be had")?;
        let stdio = || slave.as_fd().try_clone_to_owned().map(Stdio::from);
        command.stdin(stdio()?).stdout(stdio()?).stderr(Stdio::inherit());
        let child = command.env("TERM", "xterm").env("LC_ALL", "C.UTF-8").spawn().context("no top")?;
        let keys = File::from(master);
        let mut output = keys.try_clone()?;
        let (send, read) = mpsc::channel();
        thread::spawn(move || {
            let mut buffer = [0; 1 << 16];
            while let Ok(length @ 1..) = output.read(&mut buffer) {
                if send.send(buffer[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Ok(Self { child: Ended(child), keys, read, drawn: Vec::new() })
    }

    fn press(&mut self, keys: &[u8]) -> Result<()> {
        self.drawn.clear();
        Ok(self.keys.write_all(keys)?)
    }

    /// Waits until a text is drawn that was not there before.
    fn wait_for(&mut self, text: &str) -> Result<()> {
        let begun = Instant::now();
        while !String::from_utf8_lossy(&self.drawn).contains(text) {
            match self.read.recv_timeout(PATIENCE) {
                Ok(bytes) if begun.elapsed() < PATIENCE => self.drawn.extend(bytes),
                _ => bail!("{text:?} is not drawn; there is {:?}", String::from_utf8_lossy(&self.drawn)),
            }
        }
        Ok(())
    }

    /// How many bytes were drawn since this was asked last.
    fn drain(&mut self) -> usize {
        self.read.try_iter().map(|bytes| bytes.len()).sum()
    }

    /// How long it takes until something changes for a key.
    fn time_steps(&mut self) -> Result<Vec<Duration>> {
        // Nothing else is to change meanwhile.
        self.keys.write_all(b"f")?;
        let mut answers = Vec::new();
        for step in 0..STEPS {
            thread::sleep(Duration::from_millis(100));
            self.drain();
            let began = Instant::now();
            self.keys.write_all(if step % 2 == 0 { b"j" } else { b"k" })?;
            self.read.recv_timeout(PATIENCE).context("a key changes nothing")?;
            answers.push(began.elapsed());
        }
        Ok(answers)
    }
}

/// Seconds of the processor that a process has spent.
fn spent(pid: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("a process has gone")?;
    // Its name may be anything, and is in brackets.
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok());
    let (user, system) =
        ticks(11).zip(ticks(12)).context("the kernel does not tell what a process has spent")?;
    // SAFETY: it takes a number and gives one.
    let a_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    Ok((user + system) / a_second as f64)
}

/// The most memory that a process had, in KiB.
fn peak(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("a process has gone")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .context("the kernel does not tell a process's memory")
}
