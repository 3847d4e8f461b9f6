//! Attaches programs that do nothing to the functions that a connection and a message pass and sockleak watches: five and
//! one. Prints `ready`, and keeps the programs there until its standard input closes.

use std::io::{self, Read as _, Write as _};

use anyhow::Context as _;
use aya::{Btf, Ebpf, programs::Program};

/// The object file with the programs.
const OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/floor"));

/// The programs and their functions, of the kinds that sockleak's plan prefers.
const PROGRAMS: [(&str, &str); 6] = [
    ("release_floor", "unix_release_sock"),
    ("accept_floor", "security_sock_graft"),
    ("attempt_floor", "unix_stream_connect"),
    ("lookup_floor", "unix_find_other"),
    ("connect_floor", "security_unix_stream_connect"),
    ("send_floor", "unix_stream_sendmsg"),
];

fn main() -> anyhow::Result<()> {
    let btf = Btf::from_sys_fs().context("reading the kernel's BTF")?;
    let mut ebpf = Ebpf::load(OBJECT).context("loading the object")?;
    for (name, function) in PROGRAMS {
        attach(&mut ebpf, &btf, name, function).with_context(|| format!("attaching {name}"))?;
    }
    let mut out = io::stdout();
    writeln!(out, "ready")?;
    out.flush()?;
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn attach(ebpf: &mut Ebpf, btf: &Btf, name: &str, function: &str) -> anyhow::Result<()> {
    match ebpf.program_mut(name).context("the object has no such program")? {
        Program::KProbe(program) => {
            program.load()?;
            program.attach(function, 0)?;
        }
        Program::FEntry(program) => {
            program.load(function, btf)?;
            program.attach()?;
        }
        Program::FExit(program) => {
            program.load(function, btf)?;
            program.attach()?;
        }
        _ => anyhow::bail!("a program of an unexpected kind"),
    }
    Ok(())
}
