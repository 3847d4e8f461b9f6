//! The package on a whole Debian, under a systemd that is the first process: installed, upgraded and removed; beside a real
//! HAProxy; asked by a real Prometheus.

mod alert;
mod http;
mod leaker;
mod package;
mod prometheus;
pub(super) mod system;

use super::{Case, Verdict};
use system::file;

/// All cases, in the order in which they run. The first one finds and leaves a system without the package.
pub const ALL: &[Case] = &[
    measuring_case!("package", package::package),
    measuring_case!("alert", alert::alert),
    measuring_case!("prometheus", prometheus::prometheus),
];

/// Where the test has put what belongs to it: packages, rules, the receiver.
const FOLDER: &str = "/srv/sockleak";
/// Where its sockets are: the service sees no other process's /tmp.
const SOCKETS: &str = "/run/sockleak-test";
