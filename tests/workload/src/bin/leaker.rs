//! A client that leaks at the pace of who writes to it: `leaker SOCKET` opens a connection for each line that it reads, and
//! keeps them all. It prints when it began each: its number, and milliseconds since 1970.

use std::io::{BufRead as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::SystemTime;

use anyhow::Context as _;
use clap::Parser;

#[derive(Parser)]
#[command(about = "Opens a connection for each line that it reads, and closes none")]
struct Arguments {
    /// Path of the socket.
    socket: String,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let mut leaked = Vec::new();
    for line in std::io::stdin().lock().lines() {
        line.context("standard input")?;
        let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_millis();
        leaked.push(UnixStream::connect(&arguments.socket).with_context(|| arguments.socket.clone())?);
        println!("{} {time}", leaked.len());
        std::io::stdout().flush()?;
    }
    // They are left to the kernel, as by any program that never closes.
    std::mem::forget(leaked);
    Ok(())
}
