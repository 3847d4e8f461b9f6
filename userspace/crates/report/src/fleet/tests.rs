//! Hosts merged: what is counted, what comes first, and that no order matters.

use std::borrow::Cow;

use proptest::prelude::*;
use sockleak_core::{
    assess::{Loss, findings::FindingReport, stacks::StackReport},
    attribution::by::By,
    event::Frame,
    verdict::Verdict,
};

use super::*;

fn finding(program: &str, verdict: Verdict, count: u64) -> FindingReport {
    let text = serde_json::json!({
        "verdict": verdict, "path": "/run/a.sock", "program": program, "count": count, "oldest_ns": null,
        "opened": count + 5, "closed": 5, "p50_ns": null, "p99_ns": null, "failed": {},
        "growth_per_hour": null, "slots_used": count, "slots_limit": null, "limit_source": null,
        "seconds_until_full": null, "hardship": null, "opened_at": [], "uncertain": [], "advice": "",
    });
    serde_json::from_value(text).unwrap()
}

/// Recordings of a host: when each began, and what was found.
fn host(name: &str, recordings: &[(i128, Vec<FindingReport>)]) -> HostAnswer {
    let mut answer = HostAnswer::new(name);
    for (began, findings) in recordings {
        answer.add(&recorded(name, *began, findings));
    }
    answer
}

fn recorded<'r>(name: &str, began: i128, findings: &'r [FindingReport]) -> Recorded<'r> {
    Recorded {
        moment: Moment { began, file: format!("{name}-{began}.db") },
        is_ended: true,
        leak_age_ns: 60_000_000_000,
        findings,
        stacks: &[],
        incomplete_because: &[],
        losses: &[],
    }
}

fn merged(hosts: impl IntoIterator<Item = HostAnswer>) -> Merged {
    let mut fleet = Fleet::new(By::Program, 2);
    hosts.into_iter().for_each(|host| fleet.add(host));
    fleet.merged()
}

fn leak(count: u64) -> Vec<FindingReport> {
    vec![finding("/bin/leak", Verdict::ClientLeak, count)]
}

fn told(merged: &Merged) -> Vec<(Verdict, &str, u64, u64)> {
    merged.findings.iter().map(|it| (it.verdict, &*it.program, it.hosts.count, it.count)).collect()
}

#[test]
fn accusations_come_first_then_hosts_then_connections() {
    let merged = merged([
        host(
            "a",
            &[(
                1,
                vec![
                    finding("/bin/pool", Verdict::Pool, 900),
                    finding("/bin/one", Verdict::ClientLeak, 900),
                    finding("/bin/two", Verdict::ServerLeak, 3),
                    finding("/bin/perhaps", Verdict::Suspect, 5_000),
                    finding("/bin/few", Verdict::StaleClient, 2),
                ],
            )],
        ),
        host(
            "b",
            &[(
                1,
                vec![
                    finding("/bin/two", Verdict::ServerLeak, 4),
                    finding("/bin/pool", Verdict::Pool, 900),
                    finding("/bin/perhaps", Verdict::Suspect, 5_000),
                ],
            )],
        ),
    ]);
    let expected = [
        (Verdict::ServerLeak, "/bin/two", 2, 7),
        (Verdict::ClientLeak, "/bin/one", 1, 900),
        (Verdict::StaleClient, "/bin/few", 1, 2),
        (Verdict::Suspect, "/bin/perhaps", 2, 10_000),
        (Verdict::Pool, "/bin/pool", 2, 1_800),
    ];
    assert_eq!(told(&merged), expected);
}

#[test]
fn a_host_counts_once_and_its_last_judgement_counts() {
    let healthy = vec![finding("/bin/leak", Verdict::Healthy, 0)];
    let undecided = vec![finding("/bin/leak", Verdict::Undecided, 1)];
    for (recordings, expected, earlier) in [
        (vec![(1, leak(4)), (2, leak(9))], vec![(Verdict::ClientLeak, 9)], 0),
        (vec![(2, leak(9)), (1, leak(4))], vec![(Verdict::ClientLeak, 9)], 0),
        // Another release has mended it.
        (vec![(1, leak(4)), (2, healthy.clone())], vec![], 0),
        (vec![(1, healthy), (2, leak(4))], vec![(Verdict::ClientLeak, 4)], 0),
        // The last one could not tell.
        (vec![(1, leak(4)), (2, undecided.clone())], vec![(Verdict::ClientLeak, 4)], 1),
        (vec![(1, leak(4)), (2, vec![])], vec![(Verdict::ClientLeak, 4)], 1),
    ] {
        let merged = merged([host("web1", &recordings)]);
        let found: Vec<_> = merged.findings.iter().map(|it| (it.verdict, it.count)).collect();
        assert_eq!(found, expected, "{recordings:?}");
        assert_eq!((merged.hosts, merged.recordings), (1, 2));
        assert!(merged.findings.iter().all(|it| it.hosts.count == 1 && it.earlier_hosts == earlier));
        assert!(merged.undecided.is_empty());
    }
    let merged = merged([host("web1", &[(1, undecided)])]);
    assert_eq!((merged.findings.len(), merged.undecided.len(), merged.healthy), (0, 1, 0));
}

#[test]
fn hosts_are_named_and_the_rest_is_counted() {
    let hosts = [("c", 5), ("a", 5), ("b", 7), ("d", 1)];
    let merged = merged(hosts.map(|(name, count)| host(name, &[(1, leak(count))])));
    let hosts = &merged.findings[0].hosts;
    let named: Vec<_> = hosts.named.iter().map(|it| (&*it.host, it.count)).collect();
    assert_eq!((hosts.count, named), (4, vec![("b", 7), ("a", 5)]));
    let layout = crate::text::Layout { width: 80, is_whole: false, style: crate::style::Style::Plain };
    assert_eq!(text::names(hosts, layout, str::to_owned), "b (7), a (5) and 2 more");
}

#[test]
fn figures_are_summed_over_hosts() {
    let grows = |per_hour, full, doubt: bool| {
        let mut finding = finding("/bin/leak", Verdict::ClientLeak, 3);
        (finding.growth_per_hour, finding.seconds_until_full) = (per_hour, full);
        finding.uncertain = if doubt { vec!["Events were lost".to_owned()] } else { Vec::new() };
        vec![finding]
    };
    let merged = merged([
        host("a", &[(1, grows(Some(1.25), Some(600), true))]),
        host("b", &[(1, grows(None, None, false))]),
        host("c", &[(1, grows(Some(2.5), Some(30), false))]),
        host("d", &[(1, vec![finding("/bin/leak", Verdict::Healthy, 0)])]),
    ]);
    let [leak] = merged.findings.as_slice() else { panic!("{merged:?}") };
    assert_eq!((leak.hosts.count, leak.of_hosts, leak.opened, leak.closed), (3, 4, 24, 15));
    assert_eq!((leak.growth_per_hour, leak.uncertain_hosts), (Some(3.75), 1));
    assert_eq!(leak.first_full, Some(FirstFull { host: "c".to_owned(), seconds: 30 }));
}

#[test]
fn what_is_missing_is_counted_by_host() {
    let because = ["the accept hook is not attached".to_owned()];
    let losses = [Loss { hook: Cow::Borrowed("release"), what: Cow::Borrowed("events"), count: 3 }];
    let mut hosts = Vec::new();
    for name in ["a", "b", "c"] {
        let mut answer = HostAnswer::new(name);
        let whole = recorded(name, 1, &[]);
        answer.add(&whole);
        if name != "a" {
            answer.add(&Recorded {
                incomplete_because: &because,
                losses: &losses,
                is_ended: false,
                ..recorded(name, 2, &[])
            });
        }
        hosts.push(answer);
    }
    let mut fleet = Fleet::new(By::Program, 2);
    hosts.into_iter().for_each(|host| fleet.add(host));
    fleet.note_outside();
    let merged = fleet.merged();
    assert_eq!((merged.hosts, merged.recordings, merged.unfinished, merged.outside), (3, 5, 2, 1));
    assert_eq!((merged.complete, merged.incomplete.count), (false, 2));
    assert_eq!((merged.losses[0].loss.count, merged.losses[0].hosts), (6, 2));
    assert_eq!(
        (&*merged.incomplete_because[0].because, merged.incomplete_because[0].hosts.count),
        (&*because[0], 2)
    );
}

#[test]
fn a_file_that_cannot_be_read_makes_the_answer_incomplete() {
    let mut fleet = Fleet::new(By::Program, 2);
    fleet.add(host("a", &[(1, leak(4))]));
    // A host of which nothing could be read is none.
    fleet.add(HostAnswer::new("b"));
    fleet.cannot_read(Unreadable { file: "b.db".to_owned(), because: "b.db is damaged".to_owned() });
    let merged = fleet.merged();
    assert_eq!((merged.hosts, merged.complete, merged.findings.len()), (1, false, 1));
    assert_eq!(merged.unreadable[0].file, "b.db");
}

#[test]
fn a_build_is_that_of_the_programs_own_file() {
    let frame = |module: &str, id: &str| Frame {
        module: Some(module.into()),
        build_id: Some(id.into()),
        ..Frame::default()
    };
    let frames = vec![frame("/usr/lib/libc.so.6", "aa"), frame("/bin/lea", "cc"), frame("/bin/leak", "bb")];
    let stacks = [StackReport { id: 3, frames }];
    let mut leaking = leak(4);
    leaking[0].opened_at = vec![sockleak_core::assess::stacks::OpenedAt { stack: 3, count: 4 }];
    let mut fleet = Fleet::new(By::Program, 2);
    for name in ["x", "y"] {
        let mut answer = HostAnswer::new(name);
        answer.add(&Recorded { stacks: &stacks, ..recorded(name, 1, &leaking) });
        fleet.add(answer);
    }
    fleet.add(host("z", &[(1, leak(1))]));
    let merged = fleet.merged();
    let builds: Vec<_> = merged.findings[0].builds.iter().map(|it| (&*it.build_id, it.hosts.count)).collect();
    assert_eq!(builds, [("bb", 2)]);
}

fn any_recording() -> impl Strategy<Value = (u8, Vec<FindingReport>)> {
    let any_finding = (0..3_usize, 0..Verdict::ALL.len(), 0..40_u64, proptest::option::of(0.0..90.0_f64));
    let findings = proptest::collection::vec(any_finding, 0..5).prop_map(|findings| {
        let each = findings.into_iter().map(|(program, verdict, count, growth)| FindingReport {
            growth_per_hour: growth,
            seconds_until_full: growth.map(|it| it as u64),
            ..finding(["/bin/a", "/bin/b", "/bin/c"][program], Verdict::ALL[verdict], count)
        });
        each.collect::<Vec<_>>()
    });
    (0..4_u8, findings)
}

proptest! {
    #[test]
    fn no_order_matters(
        (given, shuffled) in proptest::collection::vec(any_recording(), 0..12)
            .prop_map(|all| all.into_iter().enumerate().collect::<Vec<_>>())
            .prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle()))
    ) {
        let all_hosts = |recordings: &[(usize, (u8, Vec<FindingReport>))], reversed: bool| {
            let mut fleet = Fleet::new(By::Program, 2);
            let mut names: Vec<u8> = (0..4).collect();
            if reversed {
                names.reverse();
            }
            for name in names {
                let of_host = recordings.iter().filter(|(_, (host, _))| *host == name);
                let of_host: Vec<_> =
                    of_host.map(|(began, (_, findings))| (*began as i128, findings.clone())).collect();
                fleet.add(host(&name.to_string(), &of_host));
            }
            fleet.merged()
        };
        let merged = all_hosts(&given, false);
        prop_assert_eq!(&merged, &all_hosts(&shuffled, true));
        // Nothing is counted twice, and no list is longer than it may be.
        for it in merged.findings.iter().chain(&merged.undecided) {
            prop_assert!(it.hosts.count <= it.of_hosts && it.of_hosts <= merged.hosts.max(1));
            prop_assert!(it.hosts.named.len() <= 2 && it.earlier_hosts <= it.hosts.count);
        }
    }
}
