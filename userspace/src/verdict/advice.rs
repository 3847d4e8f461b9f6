//! What to do about a finding.

use super::{Doubt, Finding, Verdict};

/// A few sentences, the same for every program.
#[must_use]
pub fn advice(finding: &Finding) -> &'static str {
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
            "Another process has what this program opened: a child that inherited the descriptor, or one that was \
             sent it. Unless that is meant, open with SOCK_CLOEXEC, and close in a child what it does not need."
        }
        Verdict::ExitOnly => {
            "The program leaves its connections to the kernel, which closes them when it exits. Harmless in a program \
             that soon does; it becomes a leak in one that goes on running."
        }
        Verdict::Pool if finding.uncertain.contains(&Doubt::TooEarly) => {
            "Whether this is a pool or the beginning of a leak shows when it is observed for longer: at least three \
             times the leak age."
        }
        Verdict::Pool => {
            "Connections that are kept on purpose, it seems: their number does not grow. Each takes a slot for as \
             long as it is open, so there should be fewer of them than the server has."
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
