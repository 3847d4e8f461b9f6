//! Where the card of a finding leads.

use sockleak_core::verdict::Verdict;

use super::{cells::encoded, explain::explain_address, range::Range};
use crate::service::model::FindingReport;

/// The connections that a finding is about, or its socket; and what the verdict means. `range` is the time that is looked at.
pub(super) fn links(finding: &FindingReport, range: Option<Range>) -> Vec<(&'static str, String)> {
    let range = range.map_or_else(String::new, |range| format!("&{}", range.parameters()));
    let socket = format!("/socket?path={}{range}", encoded(&finding.path));
    let connections = match finding.verdict {
        // Those that it opened.
        Verdict::ClientLeak
        | Verdict::StaleClient
        | Verdict::Suspect
        | Verdict::Inherited
        | Verdict::Pool
        | Verdict::Undecided => {
            ("Its connections", format!("{socket}&program={}#not-closed", encoded(&finding.program)))
        }
        // Others opened those whose ends it keeps.
        Verdict::ServerLeak => ("Connections by state", format!("{socket}&sort=state#not-closed")),
        // Who is starved has none: others have them.
        Verdict::Starved => ("Who has connections", format!("{socket}#not-closed")),
        Verdict::Saturated | Verdict::ExitOnly | Verdict::Healthy => ("The socket", socket),
    };
    vec![connections, ("What the verdict means", explain_address(finding.verdict))]
}
