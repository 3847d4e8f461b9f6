//! The API's answers as clients have them: owned, and readable from JSON.
//!
//! What the tracer makes of its session is the same as what is read here, as far as it owns what it says. Pages of connections
//! and stories borrow from the session, since there may be millions: for those there are twins.
//!
//! Fields that are not known are passed over: a newer service may have more of them.

mod connections;
mod events;

pub use connections::{EndReport, HeldBy, Open, Opener, Page, Party, Story};
pub use events::{Event, Missed, What, Who};

pub use super::{
    link::{
        answer::{Findings, Health, HealthStatus, HookReport, Refused, Series, SeriesOf, Sockets},
        story::{Identity, Release},
    },
    snapshot::{ProgramSnapshot, Snapshot, SocketSnapshot},
    store::history::{Point, ProgramPoint},
};
pub use crate::probe::status::HookStatus;
pub use sockleak_core::{
    assess::{
        Loss,
        findings::{FindingReport, HardshipReport, SlotHolder},
        stacks::{OpenedAt, StackReport},
    },
    attribution::container::Container,
    event::{End, Frame, Queue},
    lifecycle::State,
    verdict::{Endings, Verdict},
};
