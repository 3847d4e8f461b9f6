//! What is told: the payload of every sink (docs/service.md).

use serde::{Deserialize, Serialize};
use sockleak_core::verdict::Verdict;

/// What an alert is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A verdict about a program on a socket.
    Finding,
    /// Most slots of a socket are in use.
    Slots,
    /// All slots of a socket will soon be in use.
    Forecast,
    /// The tracing itself is incomplete.
    Degraded,
}

impl Kind {
    /// Its name in JSON and text.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Finding => "finding",
            Self::Slots => "slots",
            Self::Forecast => "forecast",
            Self::Degraded => "degraded",
        }
    }
}

/// What makes two alerts the same one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key {
    /// What it is about.
    pub kind: Kind,
    /// Path of the socket, or `@name`.
    pub socket: Option<String>,
    /// The program, or the group that findings are made of; of findings only.
    pub program: Option<String>,
    /// Of findings only.
    #[serde(with = "verdict_name")]
    pub verdict: Option<Verdict>,
}

/// Does it hold?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It does since.
    Firing,
    /// It did.
    Resolved,
}

impl Status {
    /// Its name in JSON and text.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

/// A piece of news.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// [`Notification::VERSION`]: grows when a field is removed or changes its meaning.
    pub version: u32,
    /// Does it hold?
    pub status: Status,
    /// What it is about.
    #[serde(flatten)]
    pub key: Key,
    /// What holds or held, in a sentence. Names in it are as they are: escape it for where it is shown.
    pub summary: String,
    /// Why it may be wrong, a sentence each.
    pub uncertain: Vec<String>,
    /// Slots in use; of forecasts, seconds until all are; of findings, connections that carry the verdict.
    pub value: Option<u64>,
    /// Slots of the socket, where known.
    pub limit: Option<u64>,
    /// Since when it holds or held: RFC 3339.
    pub since: String,
    /// When this was said: RFC 3339.
    pub time: String,
    /// Name of the host.
    pub host: String,
}

impl Notification {
    /// The form that docs/service.md describes.
    pub const VERSION: u32 = 1;
}

/// Verdicts by name, both ways.
mod verdict_name {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de::Error as _};

    use super::Verdict;

    #[expect(clippy::ref_option, reason = "serde calls it so")]
    pub(super) fn serialize<S: Serializer>(
        verdict: &Option<Verdict>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        verdict.map(Verdict::name).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Verdict>, D::Error> {
        let name = Option::<String>::deserialize(deserializer)?;
        name.map(|name| name.parse()).transpose().map_err(D::Error::custom)
    }
}
