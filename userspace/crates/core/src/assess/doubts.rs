//! Why a finding may be wrong, in sentences.

use crate::{
    text::count::{agreeing, counted},
    verdict::Doubt,
};

/// The sentence, without the dot.
pub(super) fn doubt(doubt: &Doubt) -> String {
    match *doubt {
        Doubt::EventsLost => "events were lost".to_owned(),
        Doubt::BeforeTrace(count) => {
            format!(
                "{count} of the connections {} opened before tracing started",
                agreeing(count, "was", "were")
            )
        }
        Doubt::OpenerUnknown(count) => format!("of {count} of the connections the opener was not seen"),
        Doubt::PerhapsFilling => "so few were kept so far that a pool which fills looks the same".to_owned(),
        Doubt::Paused => "none came lately: the leak pauses, or it is over".to_owned(),
        Doubt::TooEarly => "observed too briefly to tell whether the number grows".to_owned(),
        Doubt::UnknownEnds(count) => format!(
            "of {count} of the program's connections it is not known whether an end is open, or since when it is not"
        ),
        Doubt::KeeperUnknown(count) => format!(
            "the program accepted {count} of the connections, but no descriptor scan shows who holds them now"
        ),
        Doubt::SlotsInferred => {
            "how many the server serves is inferred: one that closes after each answer can look the same"
                .to_owned()
        }
        Doubt::AcceptorUnknown(count) => format!(
            "{} {} held by several programs, and it was not seen which of them accepted the connections",
            counted(count, "server end"),
            agreeing(count, "is", "are")
        ),
    }
}
