//! The metric families for a scraper of many hosts.

use smallvec::smallvec;

use super::{
    families::{Family, Labels, single},
    figures::Figures,
    fleet::FleetFigures,
};

impl FleetFigures {
    /// What is shown of the host, without what is the same for every reader.
    pub(super) fn families(&self) -> [Family<'_>; 10] {
        let findings = self.findings.iter().map(|((socket, program, verdict), &count)| {
            let labels: Labels<'_> =
                [("socket", socket.as_str()), ("program", program.as_str()), ("verdict", *verdict)].into();
            (labels, count)
        });
        let ends = |read: fn(&(u64, u64)) -> u64| {
            self.ends.iter().map(move |((socket, program), ends)| {
                let labels: Labels<'_> =
                    smallvec![("socket", socket.as_str()), ("program", program.as_str())];
                (labels, read(ends))
            })
        };
        let slots = self.slots.iter().map(|(socket, ratio)| (of_socket(socket), *ratio));
        let forecasts = self.forecasts.iter().map(|(socket, seconds)| (of_socket(socket), *seconds));
        let failed = self.failed.iter().map(|(error, &count)| {
            let labels: Labels<'_> = smallvec![("errno", *error)];
            (labels, count)
        });
        [
            Family::gauge(
                "fleet_findings",
                "Connections that carry a verdict, by pattern of the socket's name: the gravest.",
                findings,
            ),
            Family::gauge(
                "fleet_client_ends",
                "Client ends that are open, of those with the most old ones.",
                ends(|ends| ends.0),
            ),
            Family::gauge(
                "fleet_client_ends_old",
                "Client ends that are open and older than the leak age.",
                ends(|ends| ends.1),
            ),
            Family::gauge(
                "fleet_slots_used_ratio",
                "Part of the slots in use, of the fullest sockets.",
                slots,
            ),
            Family::gauge(
                "fleet_seconds_until_full",
                "Time until all slots are used, of the sockets that are full first.",
                forecasts,
            ),
            Family::counter("fleet_opened", "Connections opened on the host.", single(self.opened)),
            Family::counter(
                "fleet_closed",
                "Connections released at both ends on the host.",
                single(self.closed),
            ),
            Family::counter("fleet_failed", "Attempts to connect that failed on the host.", failed),
            Family::counter("fleet_events_lost", "Events lost, at least.", single(self.lost)),
            Family::gauge("fleet_hooks_missing", "Hooks that are not attached.", single(self.missing_hooks)),
        ]
    }
}

impl Figures {
    /// What a scraper of many hosts gets.
    pub(super) fn fleet_families<'a>(&'a self, fleet: &'a FleetFigures) -> impl Iterator<Item = Family<'a>> {
        const SHARED: [&str; 4] = ["complete", "skipped_runs", "unseen_releases", "observed_since_timestamp"];

        let evidence = self.evidence().into_iter().filter(|family| SHARED.contains(&family.name));
        fleet.families().into_iter().chain(evidence).chain(self.own())
    }
}

fn of_socket(socket: &str) -> Labels<'_> {
    smallvec![("socket", socket)]
}
