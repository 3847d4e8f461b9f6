//! One connection from its beginning to its end, or to now.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use sockleak_core::{
    assess::Open,
    attribution::{
        container::{Container, Membership},
        who::{ProgramId, Who},
    },
    event::{End, Frame, Reason},
    lifecycle::{Connection, EndState},
    session::Session,
    time::Clock,
};

use super::closed::Closed;

/// One connection, who had to do with it and when, and where in its program it was opened.
#[derive(Clone, Debug, Serialize)]
pub struct Story<'s> {
    /// What is known of it.
    #[serde(flatten)]
    pub connection: Open<'s>,
    /// When it was made, or first met: milliseconds since 1970.
    pub opened_ms: i64,
    /// When it was accepted.
    pub accepted_ms: Option<i64>,
    /// Who opened it.
    pub opened_by: Identity,
    /// Who accepted it.
    pub accepted_by: Option<Identity>,
    /// How the client's end was released, if that was seen.
    pub client_release: Option<Release>,
    /// How the server's end was.
    pub server_release: Option<Release>,
    /// The opener's stack, the innermost function first; empty where none was taken.
    pub frames: &'s [Frame],
}

/// Who did something, as far as that is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Process id; None if not even that is known.
    pub pid: Option<u32>,
    /// Thread id; None if the process is known by its number alone.
    pub tid: Option<u32>,
    /// Start of the process: milliseconds since 1970.
    pub started_ms: Option<i64>,
    /// Its program.
    pub program: String,
    /// Its name.
    pub comm: Option<String>,
    /// User id in the initial user namespace.
    pub uid: Option<u32>,
    /// Group id, likewise.
    pub gid: Option<u32>,
    /// The user's name.
    pub user: Option<String>,
    /// The systemd unit that it belongs to.
    pub unit: Option<String>,
    /// The container.
    pub container: Option<Container>,
    /// Its process id in its own pid namespace.
    pub pid_in_namespace: Option<u32>,
    /// Its parent.
    pub ppid: Option<u32>,
}

/// How an end was released.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// When: milliseconds since 1970.
    pub at_ms: i64,
    /// Nanoseconds since the connection was made.
    pub after_ns: u64,
    /// Why.
    pub reason: Cow<'static, str>,
    /// With `exit`: the status.
    pub exit_status: Option<u8>,
    /// With `killed`: by which signal.
    pub signal: Option<u8>,
    /// Who dropped the last reference.
    pub by: Identity,
}

impl<'s> Story<'s> {
    /// That of a connection that is not closed, or was a short time ago. `now` is in nanoseconds since boot.
    #[must_use]
    pub fn new(session: &'s Session, closed: &'s Closed, now: u64, clock: &Clock, id: u64) -> Option<Self> {
        if let Some((socket, connection)) = session.open().find(|(_, connection)| connection.id == id) {
            let frames = connection.stack.map_or(&[][..], |stack| session.frames(stack));
            let told = Open::new(session, socket, connection, now);
            return Some(Self::told(told, connection, frames, clock, |program| session.program(program)));
        }
        let kept = closed.find(id)?;
        let told = kept.told(now);
        Some(Self::told(told, &kept.connection, &kept.frames, clock, |program| kept.name(program)))
    }

    fn told(
        told: Open<'s>,
        connection: &'s Connection,
        frames: &'s [Frame],
        clock: &Clock,
        name: impl Fn(ProgramId) -> &'s str,
    ) -> Self {
        let milliseconds = |at: u64| clock.timestamp(at).as_millisecond();
        let accepted = connection.accepted.as_ref();
        let identity = |who: &Who| Identity::new(who, clock, &name);
        let release = |end: End| Release::new(connection, end, clock, &name);
        Self {
            connection: told,
            opened_ms: milliseconds(connection.opened),
            accepted_ms: accepted.and_then(|accepted| accepted.at).map(milliseconds),
            opened_by: identity(&connection.opener),
            accepted_by: accepted.and_then(|accepted| accepted.by.as_deref()).map(identity),
            client_release: release(End::Client),
            server_release: release(End::Server),
            frames,
        }
    }
}

impl Identity {
    fn new<'s>(who: &Who, clock: &Clock, name: impl Fn(ProgramId) -> &'s str) -> Self {
        let Who { actor, process, program, .. } = who;
        let process = process.as_deref();
        let is_met = actor.id.start != 0;
        let membership = process.and_then(Membership::of_process);
        let Membership { unit, container, .. } = membership.unwrap_or_default();
        let uid = actor.uid.or_else(|| process.map(|it| it.uid));
        Self {
            pid: Some(actor.id.pid).filter(|&pid| pid != 0),
            tid: is_met.then_some(actor.tid),
            started_ms: is_met.then(|| clock.timestamp(actor.id.start).as_millisecond()),
            program: name(*program).to_owned(),
            comm: is_met.then(|| who.comm().to_string()),
            uid,
            gid: actor.gid.or_else(|| process.map(|it| it.gid)),
            // The name is that of the process's user; a thread may act as another.
            user: process
                .filter(|it| uid == Some(it.uid))
                .and_then(|it| it.user.as_deref())
                .map(str::to_owned),
            unit,
            container,
            pid_in_namespace: process.map(|it| it.pid_in_namespace).filter(|&pid| pid != 0),
            ppid: process.map(|it| it.parent).filter(|&pid| pid != 0),
        }
    }
}

impl Release {
    fn new<'s>(
        connection: &Connection,
        end: End,
        clock: &Clock,
        name: impl Fn(ProgramId) -> &'s str,
    ) -> Option<Self> {
        let EndState::Released { at, by, reason } = connection.end(end) else { return None };
        let (exit_status, signal) = match *reason {
            Reason::Exit(status) => (Some(status), None),
            Reason::Killed(signal) => (None, Some(signal)),
            Reason::Close | Reason::Exec | Reason::ListenerClosed | Reason::Collected | Reason::Unseen => {
                (None, None)
            }
        };
        Some(Self {
            at_ms: clock.timestamp(*at).as_millisecond(),
            after_ns: connection.age(*at),
            reason: Cow::Borrowed(reason.name()),
            exit_status,
            signal,
            by: Identity::new(by, clock, name),
        })
    }
}

impl Release {
    /// Why it was released, in words.
    #[must_use]
    pub fn how(&self) -> String {
        match (&*self.reason, self.exit_status, self.signal) {
            (_, Some(status), _) => format!("by its exit, with status {status}"),
            (_, _, Some(signal)) => {
                let name = nix::sys::signal::Signal::try_from(i32::from(signal));
                name.map_or_else(|_| format!("killed by signal {signal}"), |name| format!("killed by {name}"))
            }
            ("close", ..) => "closed".to_owned(),
            ("exec", ..) => "closed by exec".to_owned(),
            ("listener-closed", ..) => "the listener was closed before it was accepted".to_owned(),
            ("collected", ..) => "collected by the kernel: nobody had a descriptor".to_owned(),
            ("unseen", ..) => "not seen how".to_owned(),
            (other, ..) => other.to_owned(),
        }
    }
}
