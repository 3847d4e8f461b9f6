//! How many connections a server serves at a time, where that is known: told by the user, or by the server's command line.

use std::path::Path;

use globset::GlobMatcher;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::pattern;
use crate::event::{
    Listener, Process,
    name::{shown, shown_without_padding},
};

/// The number of slots of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// How many connections are served at a time.
    pub slots: u64,
    /// How that is known.
    pub source: Source,
}

impl Limit {
    /// It is inferred from what the server did, and says less than one that is given or known.
    #[must_use]
    pub fn is_inferred(&self) -> bool {
        self.source == Source::Observed
    }
}

/// How a limit is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// From what the server did when all slots were in use.
    Observed,
    /// From how the server was started.
    Assumed,
    /// The user said so.
    Given,
}

impl Source {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Observed => "observed",
            Self::Assumed => "assumed",
            Self::Given => "given",
        }
    }
}

/// A limit as the user gives it: `ma.sock=10`, `/run/*.sock=20`, `@name=5`.
#[derive(Clone, Debug)]
pub struct GivenLimit {
    text: String,
    socket: String,
    pattern: GlobMatcher,
    slots: u64,
}

/// Why a limit cannot be used.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{text:?} is no limit: {reason}; write for example ma.sock=10")]
pub struct LimitError {
    text: String,
    reason: String,
}

impl GivenLimit {
    /// Reads `SOCKET=SLOTS`. The socket is a path, a file name, `@name` or a glob of these.
    ///
    /// # Errors
    /// If it is not of that form.
    pub fn parse(text: &str) -> Result<Self, LimitError> {
        let wrong = |reason: &str| LimitError { text: text.to_owned(), reason: reason.to_owned() };
        let (socket, slots) = text.rsplit_once('=').ok_or_else(|| wrong("there is no ="))?;
        if socket.is_empty() {
            return Err(wrong("no socket is named"));
        }
        let slots = slots.parse().ok().filter(|&slots| slots > 0);
        let slots = slots.ok_or_else(|| wrong("behind the = there is no number of 1 or more"))?;
        let pattern = pattern::compile(socket, false).map_err(|error| wrong(&error.to_string()))?;
        let socket = socket.to_owned();
        Ok(Self { text: text.to_owned(), socket, pattern, slots })
    }

    /// As it was given.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Does it speak of this socket?
    #[must_use]
    pub fn means(&self, path: &str) -> bool {
        let path = shown_without_padding(path);
        let file = Path::new(path).file_name();
        [Some(path.as_ref()), file]
            .into_iter()
            .flatten()
            .any(|it| *it == *self.socket || self.pattern.is_match(it))
    }

    /// As a limit.
    #[must_use]
    pub const fn limit(&self) -> Limit {
        Limit { slots: self.slots, source: Source::Given }
    }
}

/// The limit of `HAProxy`'s master socket: it serves ten connections, or what `-S path,maxconn,N` allows if that is less, and
/// `N` is then its backlog (src/cli.c; observed on 2.6 to 3.4). None if the listener is something else.
#[must_use]
pub fn assumed(listener: &Listener, server: &Process) -> Option<Limit> {
    const SERVED: u64 = 10;

    let program = server.program.as_deref()?;
    // Asked at each accept while no limit is known: most programs are told by their last letters, without a look at the path.
    if !program.ends_with(['/', '.']) && !program.ends_with("haproxy") {
        return None;
    }
    if Path::new(program).file_name()? != "haproxy" {
        return None;
    }
    let options = server.argv.iter().zip(server.argv.iter().skip(1)).filter(|(option, _)| *option == "-S");
    let mut sockets = options.map(|(_, value)| value.split(',').next().unwrap_or_default());
    let path = shown(&listener.path);
    let file = |path: &str| Path::new(path).file_name().map(std::ffi::OsStr::to_owned);
    // The command line may name the socket by another way to the same directory.
    sockets
        .any(|socket| socket.trim_start_matches("unix@") == path || file(socket) == file(&path))
        .then(|| Limit { slots: SERVED.min(listener.backlog.into()), source: Source::Assumed })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::Record,
        testing::{listener, process},
    };

    fn parts(path: &str, backlog: u32, program: &str, argv: &[&str]) -> Option<u64> {
        let Record::Listener(found) = listener(1, path) else { return None };
        let Record::Process(server) = process(1, Some(program)) else { return None };
        let argv = argv.iter().map(|argument| (*argument).to_owned()).collect();
        let found = Listener { backlog, ..(*found).clone() };
        assumed(&found, &Process { argv, ..(*server).clone() }).map(|limit| limit.slots)
    }

    #[test]
    fn the_master_socket_of_haproxy_has_ten_slots() {
        let path = "/run/haproxy/ma.sock";
        let haproxy = "/usr/sbin/haproxy";
        for (program, argv, expected) in [
            (haproxy, &["haproxy", "-W", "-S", "/run/haproxy/ma.sock", "-f", "x"][..], Some(10)),
            (haproxy, &["haproxy", "-S", "/var/run/haproxy/ma.sock,mode,600"], Some(10)),
            (haproxy, &["haproxy", "-S", "unix@/run/haproxy/ma.sock"], Some(10)),
            (haproxy, &["haproxy", "-S", "/run/other.sock"], None),
            (haproxy, &["haproxy", "-W"], None),
            ("/usr/bin/python3", &["x", "-S", "/run/haproxy/ma.sock"], None),
        ] {
            assert_eq!(parts(path, 10, program, argv), expected, "{argv:?}");
        }
        assert_eq!(parts(path, 4, haproxy, &["haproxy", "-S", "/run/haproxy/ma.sock,maxconn,4"]), Some(4));
        assert_eq!(
            parts(path, 128, haproxy, &["haproxy", "-S", "/run/haproxy/ma.sock,backlog,128"]),
            Some(10)
        );
    }

    #[test]
    fn limits_are_read_and_matched() {
        for (text, path, means) in [
            ("ma.sock=10", "/run/haproxy/ma.sock", true),
            ("ma.sock=10", "/run/haproxy/stats.sock", false),
            ("/run/*.sock=3", "/run/x.sock", true),
            ("@name=5", "@name", true),
            ("@name=5", "@name\\x00{103}", true),
            ("/run/a[1].sock=5", "/run/a[1].sock", true),
            ("/run/a\\[1\\].sock=5", "/run/a[1].sock", true),
            ("/run/a\\[1\\].sock=5", "/run/a1.sock", false),
            ("a=b.sock=5", "/run/a=b.sock", true),
        ] {
            assert_eq!(GivenLimit::parse(text).is_ok_and(|limit| limit.means(path)), means, "{text} {path}");
        }
        for bad in ["", "x", "=3", "x=", "x=0", "x=-1", "x=1.5", "[=3"] {
            let error = GivenLimit::parse(bad).expect_err(bad).to_string();
            assert!(error.contains("ma.sock=10"), "{error}");
        }
    }
}
