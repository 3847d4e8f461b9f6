//! A service under a steady load for a long time: is its memory flat, is nothing lost, is its store within bounds, and what does it
//! cost? The load writes down what it did; figures are printed as they come, and only what must hold is asserted.

mod load;
mod watch;

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::cli::bench::{Bench, total};
use crate::cli::limits::expect_open;
use crate::cli::service::{ADDRESS, Service, get, mount_bpf_file_system};
use crate::run::Setup;
use load::{Load, Truth};
use watch::{Busy, Watch};

pub use load::visit;

/// Bytes that the store may take: so few that it is full several times over.
const STORE: u64 = 64 << 20;
/// From then on memory is to be flat.
const SETTLED: Duration = Duration::from_mins(5);
/// How often it is looked at.
const EVERY: Duration = Duration::from_secs(10);

/// How long, and how much.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Of the load with the service.
    pub traced: Duration,
    /// Of the same load without it, before.
    pub untraced: Duration,
    /// Connections a second.
    pub rate: u32,
}

/// Does it, in a fresh directory.
///
/// # Errors
/// If something that must hold does not.
pub fn soak(setup: &Setup, plan: Plan) -> anyhow::Result<()> {
    let dir = std::env::temp_dir().join(format!("soak-{}", std::process::id()));
    fs::create_dir_all(&dir)?;
    let bench = Bench::new(setup, &dir);
    let done = soaked(&bench, plan);
    if done.is_err() {
        // What cannot be kept is missed by whoever reads the error, which counts all the same.
        let _ = bench.keep(&setup.out.join("soak"));
    }
    done
}

fn soaked(bench: &Bench<'_>, plan: Plan) -> anyhow::Result<()> {
    mount_bpf_file_system()?;
    let mut load = Load::open(&bench.path("load"), plan.rate)?;
    let (_, busy) = under(&mut load, plan.untraced, |_, _| Ok(()))?;
    println!("figure untraced {busy} rate={:.0}", load.rate());

    let targets: String = load.sockets().map(|path| format!("[[target]]\nsocket = {path:?}\n")).collect();
    let configured = format!("{targets}[http]\nlisten = {ADDRESS:?}\n");
    let service = Service::with_store(bench, &configured, &format!("max_bytes = {STORE}\n"))?;
    let running = service.start()?;
    let watch = Watch::of(running.child.pid().as_raw(), service.store());
    let before = load.truth();
    let (mut settled, mut most) = (0, 0);
    let (after, busy) = under(&mut load, plan.traced, |elapsed, truth| {
        let look = watch.look()?;
        println!("sample seconds={} {look} opened={}", elapsed.as_secs(), truth.opened - before.opened);
        if elapsed >= SETTLED.min(plan.traced / 2) {
            settled = if settled == 0 { look.resident } else { settled };
            most = most.max(look.resident);
        }
        ensure!(look.store <= STORE + STORE / 4, "the store takes {} bytes of {STORE}", look.store);
        Ok(())
    })?;
    let own = watch.look()?;
    println!("figure traced {busy} rate={:.0}", load.rate());
    println!("figure own {own} settled={settled} most={most} seconds={}", plan.traced.as_secs());
    check(&after, &before, &load, &service)?;
    running.end_by(Signal::SIGTERM)?.expect(0)?;
    let open = after.opened - before.opened - (after.closed - before.closed);
    println!(
        "figure truth opened={} open={} programs={}",
        after.opened - before.opened,
        open,
        after.programs
    );
    bench.run(bench.sockleak().arg("detach"))?.expect(0)
}

/// Has the load run for a while, and looks on.
fn under(
    load: &mut Load,
    time: Duration,
    mut look: impl FnMut(Duration, &Truth) -> anyhow::Result<()>,
) -> anyhow::Result<(Truth, Busy)> {
    let before = Busy::read()?;
    let started = Instant::now();
    load.run(|load| -> anyhow::Result<()> {
        while started.elapsed() < time {
            thread::sleep(EVERY.min(time - started.elapsed().min(time)));
            look(started.elapsed(), &load.truth())?;
        }
        Ok(())
    })?;
    Ok((load.truth(), Busy::read()?.since(&before)))
}

/// The service and its store agree with the load.
fn check(after: &Truth, before: &Truth, load: &Load, service: &Service<'_>) -> anyhow::Result<()> {
    let opened = after.opened - before.opened;
    let begun = Instant::now();
    // What happened last may be on its way.
    let snapshot = loop {
        let snapshot: Value = serde_json::from_str(&get(ADDRESS, "/api/v1/snapshot")?)?;
        if sum(&snapshot, "opened")? >= opened || begun.elapsed() > Duration::from_secs(60) {
            break snapshot;
        }
        thread::sleep(Duration::from_millis(200));
    };
    ensure!(snapshot["complete"] == true, "something is missing: {}", snapshot["incomplete_because"]);
    let seen = sum(&snapshot, "opened")?;
    ensure!(seen == opened, "{seen} of {opened} connections were seen");
    let closed = sum(&snapshot, "closed")?;
    ensure!(
        closed == after.closed - before.closed,
        "{closed} of {} were seen to close",
        after.closed - before.closed
    );
    let report = service.report()?;
    // The oldest segments are gone: the rest is told in full.
    ensure!(report["complete"] == true, "the store misses something: {}", report["incomplete_because"]);
    ensure!(total(&report, "opened")? > 0, "the store is empty");
    expect_open(&report, load.held())
}

/// Sums a figure over all programs of a snapshot.
fn sum(snapshot: &Value, figure: &str) -> anyhow::Result<u64> {
    let sockets = snapshot["sockets"].as_array().context("no sockets")?;
    let programs = sockets.iter().flat_map(|socket| socket["programs"].as_array().into_iter().flatten());
    programs.map(|program| program[figure].as_u64().with_context(|| figure.to_owned())).sum()
}
