//! What of a snapshot alerts are about.

use super::condition::{Facts, FindingFacts, SocketFacts};
use crate::service::snapshot::Snapshot;

impl Facts {
    /// Takes it from a snapshot, and from what is wrong with the tracing now, a sentence each. Nothing is left out that any
    /// setting could ask for.
    #[must_use]
    pub fn of(snapshot: &Snapshot, trouble: &[String]) -> Self {
        let sockets = snapshot.sockets.iter().map(|socket| SocketFacts {
            path: socket.path.clone(),
            used: socket.slots,
            limit: socket.limit.map(|limit| limit.slots),
            seconds_until_full: socket.seconds_until_full,
        });
        let findings = snapshot.findings.iter().map(|finding| FindingFacts {
            verdict: finding.verdict,
            socket: finding.path.clone(),
            program: finding.program.clone(),
            count: finding.count,
            summary: sockleak_report::sentence(finding, snapshot.leak_age_ns),
            uncertain: finding.uncertain.clone(),
            is_over: finding.is_over(),
        });
        Self { sockets: sockets.collect(), findings: findings.collect(), degraded: trouble.to_vec() }
    }
}

#[cfg(test)]
mod tests {
    use sockleak_core::{
        assess::Coverage,
        attribution::limits::GivenLimit,
        session::{Session, Settings},
        testing::{SECOND, accept, connect, event, feed, listener, process, session_with},
        time::Clock,
    };

    use super::*;
    use crate::service::{
        alerts::{
            Alerts, Status, conditions,
            tests::{at, settings},
        },
        snapshot::Surroundings,
    };

    fn facts(session: &Session, second: u64, trouble: &[String]) -> Facts {
        let frame = Coverage { now: second * SECOND, ..Coverage::default() };
        let clock = Clock::utc(0);
        let around = Surroundings { clock: &clock, host: "host", kernel: "6.1", hooks: &[] };
        Facts::of(&Snapshot::new(session, &frame, &around), trouble)
    }

    /// From connections to what is told: nine in as many minutes, none of which is closed.
    #[test]
    fn a_leak_is_told_as_it_comes_to_be() {
        let limits = vec![GivenLimit::parse("a.sock=10").expect("it is a limit")];
        let leak_age = 60 * SECOND;
        let mut session =
            session_with(&["/run/a.sock"], Settings { leak_age, limits, ..Settings::default() });
        feed(
            &mut session,
            [process(7, Some("/bin/x")), process(9, Some("/bin/server")), listener(1, "/run/a.sock")],
        );
        let mut alerts = Alerts::new(&settings(), "host".to_owned());
        let mut told = Vec::new();
        for id in 1..10 {
            feed(&mut session, [event(id * 60, 7, connect(id, 1)), event(id * 60, 9, accept(id, 1))]);
            for second in [id * 60, id * 60 + 30] {
                let facts = facts(&session, second, &[]);
                let news = alerts.update(&at(second), &conditions(&settings(), &facts));
                told.extend(news.into_iter().map(|it| (it.status, it.key.kind.name(), it.value, it.limit)));
            }
        }
        assert!(told.iter().all(|(status, ..)| *status == Status::Firing), "{told:?}");
        let kinds: Vec<_> = told.iter().map(|(_, kind, ..)| *kind).collect();
        assert_eq!(kinds, ["finding", "forecast", "slots"], "each once, a full socket last");
        let (_, _, slots, limit) = told[2];
        assert_eq!((slots, limit), (Some(8), Some(10)));
        let facts = facts(&session, 600, &["a hook is missing".to_owned()]);
        assert_eq!(facts.degraded, ["a hook is missing"]);
        let summary = &facts.findings[0].summary;
        assert!(
            summary.starts_with("/bin/x opens connections to /run/a.sock and does not close them"),
            "{summary}"
        );
    }
}
