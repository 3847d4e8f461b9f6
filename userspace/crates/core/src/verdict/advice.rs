//! What to do about a finding.

use super::{Finding, Verdict};

/// What is known of those whom a finding concerns, beyond its evidence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parties {
    /// The program that the finding is about is HAProxy.
    pub is_haproxy: bool,
    /// The socket is the master CLI socket of HAProxy.
    pub at_haproxy_master: bool,
}

/// A few sentences, the same for every program; and what is known of the one at hand.
#[must_use]
pub fn advice(finding: &Finding, parties: Parties) -> String {
    let note = match finding.verdict {
        Verdict::ServerLeak if parties.is_haproxy => HAPROXY_KEEPS,
        Verdict::ClientLeak | Verdict::ExitOnly if parties.at_haproxy_master => MASTER_CLIENT,
        Verdict::Pool if parties.at_haproxy_master => MASTER_POOL,
        _ => "",
    };
    format!("{}{note}", general(finding))
}

/// The versions are those in which each was reproduced.
const HAPROXY_KEEPS: &str = " HAProxy is known to keep its ends in three cases. A worker that does not answer holds \
     those of `@1 ...` commands until it does, or until a reload (its issue 3351; 2.6.12 to 3.4.0). A large answer \
     that is read slowly through the master is kept for good (issue 3070; 2.6.12 and 3.0.11, not 3.2.26). On a \
     worker's own stats socket, clients that leave without a command are (issue 2727; 3.0.0, not 3.0.11).";

const MASTER_CLIENT: &str = " HAProxy's master socket never times a connection out: close after each command. With \
     client-native (Go), see that it is v2.3.0 or later, which closes after a failed write too, and that each \
     EventListener is closed: it keeps a connection for as long as it lives (see HAProxy's issue 2863).";

const MASTER_POOL: &str =
    " HAProxy's master socket serves ten at a time, whatever it is told: here the pool has to be smaller.";

fn general(finding: &Finding) -> &'static str {
    match finding.verdict {
        Verdict::ClientLeak => {
            "The program opens connections and does not close them. Close each one when its exchange is over, on \
             every error path too. Until that is done, restarting the program frees them."
        }
        Verdict::ServerLeak => {
            "The clients of these connections have gone, and the server has not released its own ends. The fault is \
             the server's, not the clients': look for a newer version of it. Until then, restarting it frees them."
        }
        Verdict::StaleClient => {
            "The server has closed these connections, and the program still has its own ends open. It should close \
             when it reads end-of-file. They cost it descriptors; they take no slot of the server."
        }
        Verdict::Starved => starved(finding),
        Verdict::Inherited => {
            "Another process has what this program opened or accepted: a child that inherited the descriptor, or one \
             that was sent it; or the process executes another program now. Unless that is meant, open and accept with \
             SOCK_CLOEXEC, and close in a child what it does not need."
        }
        Verdict::ExitOnly => {
            "The program leaves its connections to the kernel, which closes them when it exits. Harmless in a program \
             that soon does; it becomes a leak in one that goes on running."
        }
        Verdict::Undecided if finding.hardship.is_some() => {
            "See whether the program gets its answers. If it does, all is well. If it gets errors, the server is full: look \
             at what is said about those that hold its slots, and give their number with --limit."
        }
        Verdict::Undecided if finding.figures.needed_ns.is_none() => {
            "These were open before tracing began, and none of them was seen to be used or closed: a pool or a leak, \
             nobody knows. Trace the program from its start."
        }
        Verdict::Undecided => {
            "Trace for longer, or with a shorter leak age, to tell a pool from the beginning of a leak."
        }
        Verdict::Suspect => {
            "See whether the program still uses these connections. If it does not, it leaks them: close each one when \
             its exchange is over, on every error path too."
        }
        Verdict::Saturated => {
            "Nobody keeps connections: the server takes more time than there is for the requests that come. First see \
             what its requests wait for, and make them shorter. If they take what they need, give it more workers or a \
             higher limit; if they come in bursts, lengthen its accept queue (the backlog)."
        }
        Verdict::Pool if finding.figures.processes > 1 && finding.figures.processes == finding.count => {
            "One connection for each process. There are as many as there are processes: see that those end, and that no \
             more are started than are needed."
        }
        Verdict::Pool if finding.figures.is_used => {
            "Connections that are kept on purpose: all of them are used. Each takes a slot for as long as it is open, \
             so there should be fewer of them than the server has. If as many are meant, raise the server's limit."
        }
        Verdict::Pool => {
            "Connections that are kept on purpose, it seems: their number does not grow. Each takes a slot for as \
             long as it is open, so there should be fewer of them than the server has. More slots help only a program \
             that uses what it holds: see first whether it does."
        }
        Verdict::Healthy => "Nothing to do.",
    }
}

fn starved(finding: &Finding) -> &'static str {
    let hardship = finding.hardship.as_ref();
    match hardship.filter(|hardship| hardship.goes_on) {
        None => {
            "The program did not get through to the server for a while, because others held the slots. That is over."
        }
        Some(hardship) if !hardship.holders.is_empty() => {
            "The program is the victim: it does not get through to the server, because others hold the slots. Look at \
             what is said about those."
        }
        Some(hardship) if hardship.held_by_server > 0 => {
            "The program is the victim: the server's slots are taken by connections whose clients have gone. Look at \
             what is said about the server."
        }
        Some(_) => {
            "The program is the victim: the server does not accept its connections, though nobody is seen to hold a \
             slot. See whether the server is stuck."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Figures;

    /// More slots hide a leak for a while; a pool that uses its own needs them, and a server that is too small.
    #[test]
    fn a_higher_limit_is_advised_where_it_helps() {
        for (verdict, is_used) in Verdict::ALL.into_iter().flat_map(|it| [(it, false), (it, true)]) {
            let told = advice(&finding(verdict, is_used), Parties::default());
            let raises = ["raise the server's limit", "a higher limit"].iter().any(|it| told.contains(it));
            let helps = verdict == Verdict::Saturated || (verdict == Verdict::Pool && is_used);
            assert_eq!(raises, helps, "{verdict:?}");
        }
    }

    fn told(verdict: Verdict, parties: Parties) -> String {
        advice(&finding(verdict, false), parties)
    }

    fn finding(verdict: Verdict, is_used: bool) -> Finding {
        Finding {
            verdict,
            count: 1,
            accepted: 0,
            figures: Figures { is_used, ..Figures::default() },
            hardship: None,
            uncertain: Vec::new(),
        }
    }

    #[test]
    fn haproxy_s_issues_are_named_where_they_may_be_the_cause() {
        let haproxy = Parties { is_haproxy: true, at_haproxy_master: true };
        for issue in ["3351", "3070", "2727"] {
            assert!(told(Verdict::ServerLeak, haproxy).contains(issue));
            assert!(!told(Verdict::ServerLeak, Parties::default()).contains(issue));
        }
        let client = Parties { is_haproxy: false, at_haproxy_master: true };
        assert!(told(Verdict::ClientLeak, client).contains("2863"));
        assert!(!told(Verdict::Pool, client).contains("2863"));
        assert!(told(Verdict::Pool, client).contains("serves ten"));
    }
}
