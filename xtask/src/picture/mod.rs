//! `cargo xtask picture`: the moving picture of the README. It is drawn from a terminal session that was recorded in a Debian VM: HAProxy's
//! master socket is full, and somebody types what the README says.

mod cast;
mod screen;
mod svg;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use std::{fs, io};

use anyhow::{Context, Result, ensure};

use crate::setup::{self, Wants};
use crate::vm::{self, Guest, VmSpec, debian, kernels};
use crate::{build, paths, vm_task};

const KERNEL: &str = "6.1";
/// The session, and what is drawn from it, in the repository.
const SESSION: &str = "docs/img/outage.cast";
const PICTURE: &str = "docs/img/outage.svg";
const TITLE: &str = "HAProxy's master socket is full. sockleak list shows which program holds the ten connections, and sockleak capture \
                     gives the verdict. After a restart of that program the socket answers again.";
/// Columns and rows of the terminal.
const SIZE: [&str; 2] = ["108", "28"];
/// The session takes less than half of it.
const LIMIT: Duration = Duration::from_secs(500);

/// Arguments of `cargo xtask picture`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Record the session anew, in a Debian VM
    #[arg(long)]
    record: bool,
    /// Take the programs as they were built last
    #[arg(long, requires = "record")]
    no_build: bool,
}

/// Records, if that is asked for, and draws.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    if args.record {
        record(args.no_build)?;
    }
    let picture = drawn()?;
    let path = paths::repo().join(PICTURE);
    fs::write(&path, &picture).with_context(|| format!("cannot write {}", path.display()))?;
    println!("{}: {} bytes", path.display(), picture.len());
    Ok(ExitCode::SUCCESS)
}

/// The picture of the session that is in the repository.
fn drawn() -> Result<String> {
    let path = paths::repo().join(SESSION);
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let session = cast::parse(&text).with_context(|| format!("cannot use {}", path.display()))?;
    Ok(svg::draw(&session, TITLE))
}

fn record(no_build: bool) -> Result<()> {
    let series = kernels::series(KERNEL)?;
    let wants = Wants { build: !no_build, guest: true, debian: true, ..Wants::default() };
    setup::ensure(Wants { kernels: &[series.name], ..wants })?;
    if !no_build {
        build::release(&["sockleak", "workload"])?;
    }
    let mut guest = Guest::debian(&debian::System::Servers.get()?)?;
    for (program, place) in [("sockleak", "/usr/bin/sockleak"), ("demo-client", "/usr/bin/cert-renewer")] {
        guest.add(&paths::release().join(program), place.as_ref())?;
    }
    for (place, bytes) in [
        ("/usr/lib/vm/commands", &include_bytes!("commands")[..]),
        ("/usr/lib/vm/outage", include_bytes!("guest.sh")),
        ("/usr/lib/vm/typist.py", include_bytes!("typist.py")),
    ] {
        guest.bytes(place, bytes.to_vec(), 0o755);
    }
    let command = ["/usr/lib/vm/outage"].into_iter().chain(SIZE).map(Into::into).collect();
    let mut spec = VmSpec::new("picture", kernels::get(series.name)?, guest, command);
    spec.timeout = LIMIT;
    spec.env = vm_task::terminal_env();
    let out: PathBuf = paths::cache_folder("picture")?;
    spec.out = Some(out.clone());
    let outcome = vm::run(&spec, &mut io::stdout())?;
    ensure!(outcome.status == 0, "the session ended with status {}", outcome.status);
    let recorded = out.join("outage.cast");
    fs::copy(&recorded, paths::repo().join(SESSION))
        .with_context(|| format!("cannot copy {}", recorded.display()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// GitHub shows larger ones late, and a phone pays for them.
    const LARGEST: usize = 100_000;

    #[test]
    fn the_picture_is_the_one_of_the_session_and_small() {
        let picture = fs::read_to_string(paths::repo().join(PICTURE)).expect("the picture is there");
        assert_eq!(picture, drawn().expect("the session can be drawn"), "run: cargo xtask picture");
        assert!(picture.len() < LARGEST, "{} bytes", picture.len());
        assert!(!picture.contains("<script"), "a page would not run it");
    }

    #[test]
    fn the_session_types_what_is_in_the_list_of_commands() {
        let session = fs::read_to_string(paths::repo().join(SESSION)).expect("the session is there");
        let session = cast::parse(&session).expect("it can be read");
        let typed: String = session.output.iter().map(|(_, text)| text.as_str()).collect();
        for command in include_str!("commands").lines().filter(|line| !line.starts_with(' ')) {
            assert!(typed.contains(command), "{command} was not typed: cargo xtask picture --record");
        }
    }
}
