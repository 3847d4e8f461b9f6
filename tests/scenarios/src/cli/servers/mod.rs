//! Real servers with lowered limits, and real client libraries: one client forgets its connections, one behaves, one keeps a pool.
//! What sockleak says of them is compared with what they did. On a whole Debian, which has the servers as packages.

mod client;
mod server;
mod told;

use super::bench::Bench;
use super::{Case, Verdict};
use anyhow::ensure;
use client::Client;
use server::{
    DBUS, GUNICORN, MARIADB, MEMCACHED, PHP_FPM, POSTGRESQL, REDIS, Refusal, Server, Started, XVFB,
};
use told::{LEAK, POOL, SATURATED, Told, VICTIM};

/// One kind of case with one server.
macro_rules! server_case {
    ($name:literal, $play:path, $server:path) => {
        Case { name: $name, run: |bench| Ok(Verdict::Passed(Some($play(bench, &$server)?))) }
    };
}

/// All cases, in the order in which they run.
pub const ALL: &[Case] = &[
    server_case!("postgresql-leak", leak, POSTGRESQL),
    server_case!("postgresql-full", full, POSTGRESQL),
    server_case!("postgresql-pool", pool, POSTGRESQL),
    server_case!("mariadb-leak", leak, MARIADB),
    server_case!("mariadb-full", full, MARIADB),
    server_case!("mariadb-pool", pool, MARIADB),
    server_case!("redis-leak", leak, REDIS),
    server_case!("redis-full", full, REDIS),
    server_case!("redis-pool", pool, REDIS),
    server_case!("memcached-leak", leak, MEMCACHED),
    server_case!("memcached-full", full, MEMCACHED),
    server_case!("memcached-pool", pool, MEMCACHED),
    server_case!("dbus-leak", leak, DBUS),
    server_case!("dbus-full", full, DBUS),
    server_case!("dbus-pool", pool, DBUS),
    server_case!("xvfb-leak", leak, XVFB),
    server_case!("xvfb-full", full, XVFB),
    server_case!("xvfb-pool", pool, XVFB),
    server_case!("php-fpm-saturated", saturated, PHP_FPM),
    server_case!("gunicorn-saturated", saturated, GUNICORN),
];

/// The scripts of the clients, by which they are judged.
const LEAKER: &str = "/leak.py";
const VISITOR: &str = "/visitor.py";
const POOLER: &str = "/pool.py";
/// What counts as old where connections are kept.
const LEAK_AGE: [&str; 2] = ["--leak-age", "2s"];

/// A client forgets one connection after the other beside one that behaves. The server is not full yet.
fn leak(bench: &Bench<'_>, server: &'static Server) -> anyhow::Result<String> {
    const FORGOTTEN: u64 = 12;
    let started = Started::new(bench, server)?;
    let capture = bench.trace(&[LEAK_AGE[0], LEAK_AGE[1], server.socket])?;
    let mut visitor = Client::start(bench, "visitor.py", server, &["0.3"])?;
    let mut leaker = Client::start(bench, "leak.py", server, &[&FORGOTTEN.to_string(), "1.5"])?;
    for number in 1..=FORGOTTEN {
        leaker.wait_for_count("opened", number)?;
    }
    leaker.wait_for_count("done", FORGOTTEN)?;
    let (visited, failed) = visitor.stop()?;
    ensure!(visited > 0 && failed == 0, "{visited} visits went well and {failed} did not");

    let told = Told::by(capture)?;
    told.expect_figures(LEAKER, &[("opened", FORGOTTEN), ("open_client", FORGOTTEN), ("closed", 0)])?;
    told.expect_figures(VISITOR, &[("opened", visited), ("closed", visited)])?;
    let verdicts = told.expect_verdicts(LEAKER, LEAK)?;
    told.expect_accused(Some(LEAKER))?;
    Ok(format!("{}: {verdicts} with {FORGOTTEN} forgotten beside {visited} visits", started.version))
}

/// A client has filled the server before the capture begins, and another one is turned away or waits.
fn full(bench: &Bench<'_>, server: &'static Server) -> anyhow::Result<String> {
    const TRIES: u64 = 8;
    let started = Started::new(bench, server)?;
    let mut leaker = Client::start(bench, "leak.py", server, &["1000", "0.05"])?;
    leaker.wait_for(|line| line.starts_with("full "))?;
    let held = leaker.last("full")?[0];
    ensure!(server.slots.contains(&held), "{held} were served, not {:?}", server.slots);
    let limit = format!("{}={held}", server.socket);
    // Where nothing shows that the server is full, a user has to say how many it serves.
    let limit = match server.refusal {
        Refusal::Shown => &[][..],
        Refusal::Hidden => &["--limit", &limit],
    };
    let capture = bench.trace(&[&LEAK_AGE, limit, &[server.socket]].concat())?;
    let mut visitor = Client::start(bench, "visitor.py", server, &["1"])?;
    visitor.wait_for_count("failed", TRIES)?;
    let (visited, failed) = visitor.stop()?;
    ensure!(visited == 0, "{visited} visits went well though all {held} slots are taken");

    let told = Told::by(capture)?;
    told.expect_figures(LEAKER, &[("before_trace", held), ("opened", 0), ("open_client", held)])?;
    told.expect_connects(VISITOR, failed)?;
    let of_leaker = told.expect_verdicts(LEAKER, LEAK)?;
    let of_visitor = told.expect_verdicts(VISITOR, VICTIM)?;
    told.expect_accused(Some(LEAKER))?;
    told.expect_no_more_slots(LEAKER)?;
    Ok(format!(
        "{}: {of_leaker} with {held} of {held} slots, {of_visitor} with {failed} visits",
        started.version
    ))
}

/// A pool in use: captured while it fills, and once more when it is full.
fn pool(bench: &Bench<'_>, server: &'static Server) -> anyhow::Result<String> {
    const MEMBERS: u64 = 8;
    const ROUNDS: u64 = 25;
    let started = Started::new(bench, server)?;
    let capture = bench.trace(&[LEAK_AGE[0], LEAK_AGE[1], server.socket])?;
    let mut pooler = Client::start(bench, "pool.py", server, &[&MEMBERS.to_string(), "1.5"])?;
    for number in 1..=MEMBERS {
        pooler.wait_for_count("pooled", number)?;
    }
    let told = Told::by(capture)?;
    told.expect_figures(POOLER, &[("opened", MEMBERS), ("open_client", MEMBERS), ("closed", 0)])?;
    let filling = told.expect_verdicts(POOLER, POOL)?;
    told.expect_accused(None)?;

    let capture = bench.trace(&[LEAK_AGE[0], LEAK_AGE[1], server.socket])?;
    pooler.wait_for_count("round", 1)?;
    let rounds = pooler.last("round")?[0] + ROUNDS;
    pooler.wait_for_count("round", rounds)?;
    let told = Told::by(capture)?;
    told.expect_figures(POOLER, &[("before_trace", MEMBERS), ("opened", 0), ("open_client", MEMBERS)])?;
    let filled = told.expect_verdicts(POOLER, POOL)?;
    told.expect_accused(None)?;
    Ok(format!("{}: {filling} while {MEMBERS} come, {filled} when they are there", started.version))
}

/// More requests at a time than a server can serve and its accept queue can take.
fn saturated(bench: &Bench<'_>, server: &'static Server) -> anyhow::Result<String> {
    const REFUSED: u64 = 60;
    let started = Started::new(bench, server)?;
    // No request waits for so long.
    let capture = bench.trace(&["--leak-age", "20s", server.socket])?;
    let mut visitor = Client::start(bench, "visitor.py", server, &["0.5", "16"])?;
    visitor.wait_for_count("failed", REFUSED)?;
    let (visited, failed) = visitor.stop()?;
    ensure!(visited > 0, "no request of {failed} was answered");

    let told = Told::by(capture)?;
    // Of a socket behind another server, that one is the client.
    let client = if server.address == server.socket { VISITOR } else { "/nginx" };
    told.expect_figures(client, &[("opened", visited), ("closed", visited)])?;
    told.expect_failed(client, failed)?;
    let verdicts = told.expect_verdicts(client, SATURATED)?;
    told.expect_accused(None)?;
    Ok(format!("{}: {verdicts} with {visited} answers and {failed} refusals", started.version))
}
