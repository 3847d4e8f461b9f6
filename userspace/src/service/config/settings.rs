//! What can be configured, and what is set unless the file says otherwise.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use sockleak_core::{attribution::targets::Target, verdict::Verdict};

use super::{credentials::CredentialsFile, place::Place, token::TokenFile};
use crate::service::metrics::MetricDetail;

/// A socket to watch.
#[derive(Clone, Debug)]
pub struct TargetSettings {
    /// Which.
    pub target: Target,
    /// How many connections its server serves at a time.
    pub limit: Option<u64>,
}

/// When to raise an alert, and whom to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertSettings {
    /// Slots in use from which on an alert is raised, in percent of the limit. 0 raises none.
    pub slots_percent: u8,
    /// An alert is raised if a socket will be full within this time. None raises none.
    pub forecast: Option<Duration>,
    /// How long something has to hold before it is told, and to be gone before that is told.
    pub quiet: Duration,
    /// Verdicts that raise an alert, the most severe first.
    pub findings: Vec<Verdict>,
    /// Raise an alert when the tracing itself is incomplete.
    pub degraded: bool,
    /// Whom to tell.
    pub sinks: Vec<SinkSettings>,
}

/// Whom to tell of alerts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SinkSettings {
    /// The service's own log.
    Log,
    /// A file to which a JSON object a line is added.
    File {
        /// Where it is.
        path: PathBuf,
    },
    /// An HTTP server to which a JSON object each is posted.
    Webhook {
        /// Where to. Its path may be a secret: it is never logged.
        url: hyper::Uri,
        /// What is sent as a bearer token.
        token: Option<TokenFile>,
    },
    /// A collector, to which they are log records by OTLP.
    Otlp {
        /// Where to, without the path of logs. Its path may be a secret: it is never logged.
        url: hyper::Uri,
        /// What is sent as a bearer token.
        token: Option<TokenFile>,
    },
}

impl Default for AlertSettings {
    fn default() -> Self {
        Self {
            slots_percent: 80,
            forecast: Some(Duration::from_hours(1)),
            quiet: Duration::from_secs(30),
            findings: vec![Verdict::ClientLeak, Verdict::ServerLeak],
            degraded: true,
            sinks: vec![SinkSettings::Log],
        }
    }
}

/// What is kept, where and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreSettings {
    /// The folder.
    pub directory: PathBuf,
    /// How long events are kept.
    pub keep: Duration,
    /// How much the folder may hold.
    pub max_bytes: u64,
    /// How long the figures over time are kept.
    pub history_keep: Duration,
}

impl Default for StoreSettings {
    fn default() -> Self {
        let days = |days: u64| Duration::from_hours(days * 24);
        Self {
            directory: PathBuf::from("/var/lib/sockleak"),
            keep: days(30),
            max_bytes: 1 << 30,
            history_keep: days(400),
        }
    }
}

/// Where closed segments of the store go, and what of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveSettings {
    /// The archive.
    pub place: Place,
    /// A file with credentials, beside those in the environment.
    pub credentials: Option<CredentialsFile>,
    /// Command lines too. They may hold secrets.
    pub command_lines: bool,
    /// Bytes a second that are sent at most.
    pub bandwidth: u64,
}

/// An address to answer on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// TCP.
    Tcp(SocketAddr),
    /// A unix socket.
    Unix(PathBuf),
}

impl Listen {
    /// Can only who is on this host reach it?
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Self::Unix(_) => true,
        }
    }
}

/// Where the service answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpSettings {
    /// On which addresses; on none if it is switched off.
    pub listen: Vec<Listen>,
    /// What who asks over TCP has to send as a bearer token. Always there if an address can be reached from elsewhere.
    pub token: Option<TokenFile>,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self { listen: vec![Listen::Tcp(SocketAddr::from(([127, 0, 0, 1], 9436)))], token: None }
    }
}

/// Whom figures are sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtlpSettings {
    /// The collector: `http://` or `https://`. Its path may be a secret: it is never logged.
    pub endpoint: hyper::Uri,
    /// How often.
    pub interval: Duration,
    /// How much is told.
    pub detail: MetricDetail,
    /// What is sent as a bearer token.
    pub token: Option<TokenFile>,
}
