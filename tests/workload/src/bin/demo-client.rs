//! A client of HAProxy's master socket, for the demo: `demo-client polite|leaky SOCKET N`.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Parser, ValueEnum};

#[derive(Parser)]
#[command(about = "Asks HAProxy's master for its version, again and again")]
struct Arguments {
    /// Whether it closes what it opens.
    manners: Manners,
    /// Path of the master socket.
    socket: String,
    /// How often it connects.
    count: u32,
}

#[derive(Clone, Copy, ValueEnum)]
enum Manners {
    /// Closes each connection.
    Polite,
    /// Closes none, and stays until it is killed.
    Leaky,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let mut leaked = Vec::new();
    for _ in 0..arguments.count {
        let connection = ask(&arguments.socket)?;
        match arguments.manners {
            Manners::Polite => {
                drop(connection);
                // The pace of a monitoring job, so that the lines can be read as they come.
                std::thread::sleep(Duration::from_millis(100));
            }
            Manners::Leaky => {
                leaked.push(connection);
                std::thread::sleep(Duration::from_secs(3));
            }
        }
    }
    while !leaked.is_empty() {
        std::thread::park();
    }
    Ok(())
}

/// One connection, on which the master has answered one command.
fn ask(socket: &str) -> anyhow::Result<UnixStream> {
    let mut connection = UnixStream::connect(socket).with_context(|| socket.to_owned())?;
    connection.write_all(b"show version\n")?;
    let mut answer = Vec::new();
    let mut bytes = [0; 256];
    // The answer ends with an empty line; the master keeps the connection open after it.
    while !answer.ends_with(b"\n\n") {
        let length = connection.read(&mut bytes)?;
        anyhow::ensure!(length > 0, "the master closed the connection");
        answer.extend_from_slice(&bytes[..length]);
    }
    Ok(connection)
}
