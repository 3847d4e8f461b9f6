//! What no order, no shift and nobody else's doings may change.

use proptest::prelude::*;

use super::{simulate::*, *};

/// Lives within two hours, of three programs.
fn lives() -> impl Strategy<Value = Vec<Life>> {
    let one = (1..4_u32, 0..7200_u64, any::<bool>(), ends());
    let one = one.prop_map(|(program, opened, before_trace, (client, server))| {
        let opened = if before_trace { 0 } else { opened };
        let at = |after: u64| (opened + after) * SECOND;
        let client = client.map(|(after, ending)| (at(after), ending));
        Life { program, opened: opened * SECOND, client, server: server.map(at), before_trace }
    });
    // Leaks among them, or the interesting verdicts are rare.
    let leaks = prop::collection::vec((1..4_u32, 30..600_u64, 0..7200_u64), 0..3);
    (prop::collection::vec(one, 0..60), leaks).prop_map(|(mut lives, leaks)| {
        for (program, every, from) in leaks {
            lives.extend(leak(program, every * SECOND, from * SECOND, 7200 * SECOND));
        }
        lives
    })
}

type Client = Option<(u64, Ending)>;

/// When the ends are released, after so many seconds.
fn ends() -> impl Strategy<Value = (Client, Option<u64>)> {
    let ending = prop::sample::select(vec![Ending::Closed, Ending::Ended, Ending::ByAnother, Ending::Unseen]);
    let after = || prop_oneof![4 => 0..50_u64, 1 => 50..4000_u64];
    (prop::option::of((after(), ending)), prop::option::of(after()))
}

fn scenes() -> impl Strategy<Value = Scene> {
    let failure = (1..4_u32, 0..7200_u64, 0..12_u64, 0..12_u64);
    let failures = prop::collection::vec(failure, 0..5);
    (lives(), failures, prop::option::of(1..40_u64)).prop_map(|(lives, failures, limit)| {
        let failures = failures.into_iter().map(|(program, at, used, own)| {
            let crowding = Crowding { used, own: own.min(used), limit: Some(10), ..Crowding::default() };
            (program, at * SECOND, crowding)
        });
        Scene { limit, failures: failures.collect(), ..Scene::new(lives) }
    })
}

fn moments() -> impl Strategy<Value = u64> {
    (1..9000_u64).prop_map(|second| second * SECOND)
}

/// A scene, a moment, and what happens until then in another order.
fn shuffled() -> impl Strategy<Value = (Scene, u64, Vec<(u32, Update)>)> {
    (scenes(), moments()).prop_flat_map(|(scene, now)| {
        let updates = Just(scene.updates(now)).prop_shuffle();
        (Just(scene), Just(now), updates)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn order_does_not_matter((scene, now, updates) in shuffled()) {
        let mut records = BTreeMap::new();
        scene.feed(&mut records, &updates);
        prop_assert_eq!(scene.judge(now, &records), scene.findings(now));
    }

    /// Judging in between leaves no trace.
    #[test]
    fn a_feed_may_come_in_parts(scene in scenes(), now in moments(), part in 0.0..1.0_f64) {
        let updates = scene.updates(now);
        let (first, second) = updates.split_at((updates.len() as f64 * part) as usize);
        let mut records = BTreeMap::new();
        scene.feed(&mut records, first);
        let _ = scene.judge(now / 2, &records);
        scene.feed(&mut records, second);
        prop_assert_eq!(scene.judge(now, &records), scene.findings(now));
    }

    #[test]
    fn only_differences_of_times_matter(scene in scenes(), now in moments(), started in 0..1_u64 << 62) {
        let shifted = Scene { started, ..scene.clone() };
        prop_assert_eq!(shifted.findings(now), scene.findings(now));
    }

    #[test]
    fn a_healthy_program_changes_nothing_for_others(
        scene in scenes(),
        now in moments(),
        visits in prop::collection::vec((0..9000_u64, 0..59_u64), 1..50),
    ) {
        let mut crowded = scene.clone();
        let visits = visits.into_iter().map(|(opened, lasting)| {
            let opened = opened * SECOND;
            life(9, opened, Some(opened + lasting * SECOND))
        });
        for visit in visits.filter(|life| life.server.is_some_and(|closed| closed <= now)) {
            // A server without a free slot accepts nobody.
            if crowded.limit.is_none_or(|limit| crowded.used(visit.opened) < limit) {
                crowded.lives.push(visit);
            }
        }
        let mut findings = crowded.findings(now);
        if let Some(visitor) = findings.remove(&9) {
            prop_assert_eq!(visitor.iter().map(|it| it.verdict).collect::<Vec<_>>(), [Verdict::Healthy]);
        }
        prop_assert_eq!(findings, scene.findings(now));
    }

    /// Nobody is accused without a connection that shows it.
    #[test]
    fn accusations_have_their_connections(scene in scenes(), now in moments()) {
        for (program, findings) in scene.findings(now) {
            prop_assert!(!findings.is_empty());
            prop_assert!(findings.windows(2).all(|pair| pair[0].verdict > pair[1].verdict));
            let open = |it: &&Life| it.opened <= now && it.client.is_none_or(|(at, _)| at > now);
            let of_program = scene.lives.iter().filter(|life| life.program == program);
            let old = of_program.filter(open).filter(|life| now - life.opened >= AGE).count() as u64;
            for finding in findings {
                match finding.verdict {
                    Verdict::ClientLeak | Verdict::Suspect => prop_assert!((1..=old).contains(&finding.count)),
                    Verdict::Undecided => prop_assert!(finding.count > 0),
                    Verdict::Saturated => prop_assert!(finding.count >= 3),
                    Verdict::Pool | Verdict::StaleClient => prop_assert!((1..=old).contains(&finding.count)),
                    Verdict::ServerLeak => prop_assert!(program == SERVER && finding.count > 0),
                    Verdict::Starved => prop_assert!(finding.count > 0),
                    Verdict::Inherited => prop_assert!(false, "nobody inherits here"),
                    Verdict::ExitOnly | Verdict::Healthy => {}
                }
            }
        }
    }

    /// Ends of which nothing is known are neither open nor released.
    #[test]
    fn the_unknown_accuses_nobody(open in prop::collection::vec((0..7200_u64, any::<bool>(), any::<bool>()), 0..60)) {
        let open: Vec<_> = open.into_iter().map(|(at, client, queued)| {
            let known = End::Released { at: Some(at * SECOND) };
            let (client, server) = if client { (End::Unknown, known) } else { (known, End::Unknown) };
            let opened = at * SECOND;
            OpenConnection {
                opened, before_trace: false, opener_seen: true, client, server, queued, inherited: queued,
                process: 0, usage: None,
            }
        }).collect();
        let record = Record::new(0, &SETTINGS);
        let case = Case { program: 1, record: &record, open: &open, held: &[] };
        let observation = Observation { started: 0, now: 3 * HOUR, incomplete: false };
        let findings = judge(&case, &SocketFacts::default(), &observation, &SETTINGS);
        prop_assert_eq!(findings[0].verdict, Verdict::Healthy);
    }
}
