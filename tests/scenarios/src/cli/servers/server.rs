//! The servers: what each needs, how it is started, where it listens and how many clients it serves.

use std::fs;
use std::net::TcpStream;
use std::ops::RangeInclusive;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context as _;
use nix::sys::signal::Signal;
use workload::unix::{Kind, Patience, connect_to};

use crate::cli::bench::Bench;
use crate::cli::debian::system::{run, wait_for};
use crate::run::child::Child;

/// Where the test's clients, applications and configurations are in the VM. It begins the name of each client's script.
pub(super) const FOLDER: &str = "/usr/share/sockleak-test";
/// Where the sockets are of servers that have no place of their own.
const SOCKETS: &str = "/run/sockleak-test";

/// How a server is started.
pub(super) enum Start {
    /// The packaged systemd unit, after this file of [`FOLDER`] was copied to where the server reads its configuration. A `*` in
    /// that path stands for the version.
    Unit { unit: &'static str, file: &'static str, place: &'static str },
    /// Commands that stay in the foreground; each is started when those before it run.
    Commands(&'static [&'static [&'static str]]),
}

/// What a capture sees of a client that comes when all slots are taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The server accepts and closes at once, before the client does.
    Shown,
    /// The server answers with an error, and the client library closes before the server does. That looks like a short visit.
    Hidden,
}

/// One server of the table.
pub(super) struct Server {
    /// What it is called in the names of cases. `connecting.py` has its client library under the same name.
    pub(super) name: &'static str,
    /// The Debian packages of the server and of the client library, with patterns where a name has a version in it. The first one's
    /// version is shown with the result.
    packages: &'static [&'static str],
    start: Start,
    /// A command that has to succeed once the server runs. It may run again.
    prepare: &'static [&'static str],
    /// The unix socket that is traced.
    pub(super) socket: &'static str,
    /// What clients are given to connect to: the socket, or the port of a server between them and that socket.
    pub(super) address: &'static str,
    /// How many connections a client can hold before it is turned away.
    pub(super) slots: RangeInclusive<u64>,
    pub(super) refusal: Refusal,
}

pub(super) const POSTGRESQL: Server = Server {
    name: "postgresql",
    packages: &["postgresql-[0-9]*", "python3-psycopg2", "python3-sqlalchemy"],
    start: Start::Unit {
        unit: "postgresql.service",
        file: "postgresql.conf",
        place: "/etc/postgresql/*/main/conf.d/sockleak-test.conf",
    },
    prepare: &[
        "psql",
        "--username=postgres",
        "--quiet",
        "--command=DO $$ BEGIN CREATE ROLE app LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
    ],
    socket: "/run/postgresql/.s.PGSQL.5432",
    address: "/run/postgresql/.s.PGSQL.5432",
    // Three of max_connections are kept free for superusers.
    slots: 17..=17,
    refusal: Refusal::Hidden,
};

pub(super) const MARIADB: Server = Server {
    name: "mariadb",
    packages: &["mariadb-server", "python3-pymysql"],
    start: Start::Commands(&[&[
        "mariadbd",
        "--user=mysql",
        "--skip-networking",
        "--socket=/run/sockleak-test/mariadb.sock",
        "--pid-file=/run/sockleak-test/mariadb.pid",
        "--init-file=/usr/share/sockleak-test/mariadb.sql",
        "--max-connections=20",
    ]]),
    prepare: &[],
    socket: "/run/sockleak-test/mariadb.sock",
    address: "/run/sockleak-test/mariadb.sock",
    slots: 20..=20,
    refusal: Refusal::Shown,
};

pub(super) const REDIS: Server = Server {
    name: "redis",
    packages: &["redis-server", "python3-redis"],
    start: Start::Unit { unit: "redis-server.service", file: "redis.conf", place: "/etc/redis/redis.conf" },
    prepare: &[],
    socket: "/run/redis/redis-server.sock",
    address: "/run/redis/redis-server.sock",
    slots: 20..=20,
    refusal: Refusal::Shown,
};

pub(super) const MEMCACHED: Server = Server {
    name: "memcached",
    packages: &["memcached", "python3-pymemcache"],
    start: Start::Commands(&[&[
        "memcached",
        "-u",
        "memcache",
        "-c",
        "64",
        "-a",
        "777",
        "-s",
        "/run/sockleak-test/memcached.sock",
    ]]),
    prepare: &[],
    socket: "/run/sockleak-test/memcached.sock",
    address: "/run/sockleak-test/memcached.sock",
    // The rest of -c it takes for itself: the number of descriptors that it expects to need.
    slots: 36..=44,
    refusal: Refusal::Shown,
};

pub(super) const DBUS: Server = Server {
    name: "dbus",
    packages: &["dbus-daemon", "python3-dbus"],
    start: Start::Commands(&[&[
        "dbus-daemon",
        "--nofork",
        "--nopidfile",
        "--config-file=/usr/share/sockleak-test/dbus.conf",
    ]]),
    prepare: &[],
    socket: "/run/sockleak-test/dbus.sock",
    address: "/run/sockleak-test/dbus.sock",
    slots: 16..=16,
    refusal: Refusal::Hidden,
};

pub(super) const XVFB: Server = Server {
    name: "xvfb",
    packages: &["xvfb", "python3-xlib"],
    // Without `-nolisten local` it listens on an abstract name too.
    start: Start::Commands(&[&[
        "Xvfb",
        ":7",
        "-maxclients",
        "64",
        "-nolisten",
        "tcp",
        "-nolisten",
        "local",
        "-noreset",
        "-ac",
    ]]),
    prepare: &[],
    socket: "/tmp/.X11-unix/X7",
    address: "/tmp/.X11-unix/X7",
    // It counts itself as one.
    slots: 63..=63,
    refusal: Refusal::Shown,
};

pub(super) const PHP_FPM: Server = Server {
    name: "php-fpm",
    packages: &["php[0-9]*-fpm", "nginx-light"],
    start: Start::Commands(&[
        &["sh", "-c", "exec /usr/sbin/php-fpm* --fpm-config /usr/share/sockleak-test/php-fpm.conf"],
        &["nginx", "-c", "/usr/share/sockleak-test/nginx.conf"],
    ]),
    prepare: &[],
    socket: "/run/sockleak-test/php-fpm.sock",
    address: "8088",
    slots: 3..=3,
    refusal: Refusal::Shown,
};

pub(super) const GUNICORN: Server = Server {
    name: "gunicorn",
    packages: &["gunicorn"],
    start: Start::Commands(&[&[
        "gunicorn",
        "--chdir=/usr/share/sockleak-test",
        "--bind=unix:/run/sockleak-test/gunicorn.sock",
        "--workers=2",
        "--backlog=5",
        "slow:application",
    ]]),
    prepare: &[],
    socket: "/run/sockleak-test/gunicorn.sock",
    address: "/run/sockleak-test/gunicorn.sock",
    slots: 2..=2,
    refusal: Refusal::Shown,
};

/// A server that runs. It is stopped when this is dropped.
pub(super) struct Started {
    server: &'static Server,
    children: Vec<Child>,
    /// The Debian version of the server.
    pub(super) version: String,
}

impl Started {
    /// Starts a server and waits until it serves.
    pub(super) fn new(bench: &Bench<'_>, server: &'static Server) -> anyhow::Result<Self> {
        let version = server.version()?;
        fs::create_dir_all(SOCKETS)?;
        // Most servers have a user of their own.
        fs::set_permissions(SOCKETS, fs::Permissions::from_mode(0o777))?;
        let mut started = Self { server, children: Vec::new(), version };
        match &server.start {
            Start::Unit { unit, file, place } => {
                fs::copy(format!("{FOLDER}/{file}"), found(place)?)?;
                run("systemctl", &["restart", unit]).map_err(|error| error.context(journal(unit)))?;
                wait_until_served(server.socket)?;
            }
            Start::Commands(commands) => {
                for words in *commands {
                    let mut command = Command::new(words[0]);
                    started.children.push(bench.start(command.args(&words[1..]))?.child);
                    wait_until_served(server.socket)?;
                }
                wait_until_served(server.address)?;
            }
        }
        if let [program, arguments @ ..] = server.prepare {
            run(program, arguments)?;
        }
        Ok(started)
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // A server that does not stop is killed, or the next start says what is wrong.
        if let Start::Unit { unit, .. } = self.server.start {
            let _ = run("systemctl", &["stop", unit]);
        }
        for child in self.children.iter_mut().rev() {
            let _ = child.signal(Signal::SIGTERM);
            let _ = child.wait_while(|| Ok(()));
        }
        let _ = wait_for("the server to stop", || Ok(!is_served(self.server.socket)));
    }
}

impl Server {
    /// The version of its first package. All of them have to be installed: the image of the VM may be an old one.
    fn version(&self) -> anyhow::Result<String> {
        let versions = self.packages.iter().map(|package| version(package));
        let versions = versions.collect::<anyhow::Result<Vec<_>>>()?;
        versions.into_iter().next().context("a server has no package")
    }
}

/// The version of a package that is installed. A pattern may fit others that are not.
fn version(package: &str) -> anyhow::Result<String> {
    let all = run("dpkg-query", &["--show", "--showformat", "${db:Status-Status} ${Version}\\n", package])?;
    let version = all.lines().find_map(|line| line.strip_prefix("installed "));
    Ok(version.with_context(|| format!("{package} is not installed: {all}"))?.to_owned())
}

/// The path that a pattern stands for: a `*` is a whole name, and there is exactly one that fits.
fn found(pattern: &str) -> anyhow::Result<PathBuf> {
    let Some((folder, rest)) = pattern.split_once("/*/") else { return Ok(PathBuf::from(pattern)) };
    let entry = fs::read_dir(folder)?.next().with_context(|| format!("{folder} is empty"))??;
    Ok(entry.path().join(rest))
}

/// Does anybody listen on a socket or a port?
fn is_served(address: &str) -> bool {
    if let Ok(port) = address.parse::<u16>() {
        return TcpStream::connect(("127.0.0.1", port)).is_ok();
    }
    connect_to(address, Kind::Stream, Patience::None).is_ok()
}

fn wait_until_served(address: &str) -> anyhow::Result<()> {
    wait_for(&format!("a server on {address}"), || Ok(is_served(address)))
}

/// The last words of a unit, for the one who reads of a failure.
fn journal(unit: &str) -> String {
    run("journalctl", &["--no-pager", "--lines=20", &format!("--unit={unit}")]).unwrap_or_default()
}
