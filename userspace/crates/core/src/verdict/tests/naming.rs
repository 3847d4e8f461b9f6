//! Names, doubts, figures and advice.

use super::*;

#[test]
fn names_are_read_back_and_ordered_by_severity() {
    for pair in Verdict::ALL.windows(2) {
        assert!(pair[0] > pair[1], "{pair:?}");
    }
    for verdict in Verdict::ALL {
        assert_eq!(verdict.name().parse(), Ok(verdict));
        assert_eq!(serde_json::to_value(verdict).ok(), Some(verdict.name().into()));
        assert_eq!(format!("{verdict:>14}"), format!("{:>14}", verdict.name()));
    }
    let unknown = "leak".parse::<Verdict>().map_err(|error| error.to_string());
    let names = "client-leak, server-leak, stale-client, suspect, starved, saturated, inherited, exit-only, undecided, \
                 pool, healthy";
    assert_eq!(unknown, Err(format!("\"leak\" is no verdict; they are {names}")));
}

#[test]
fn the_worst_comes_first() {
    let mut desk = Desk::open_since(minutes(60)).released(5, Ending::Ended);
    desk.open.push(OpenConnection { server: End::Released { at: Some(START) }, ..open(0) });
    desk.open.push(OpenConnection { inherited: true, ..open(0) });
    desk.open.push(OpenConnection { queued: true, ..open(0) });
    desk.held.extend([HeldEnd { since: START, before_trace: false, keeper: Keeper::Itself }; 2]);
    assert_eq!(desk.verdicts(HOUR), [ClientLeak, ServerLeak, StaleClient, Starved, Inherited]);
}

#[test]
fn doubts_stand_beside_what_they_concern() {
    let mut desk = Desk::open_since(minutes(60));
    desk.open[3].opener_seen = false;
    desk.open[4].server = End::Unknown;
    desk.open.push(before());
    desk.incomplete = true;
    let doubts = [Doubt::EventsLost, Doubt::BeforeTrace(1), Doubt::OpenerUnknown(1), Doubt::UnknownEnds(1)];
    assert_eq!(desk.found(HOUR, ClientLeak).uncertain, doubts);
    let json = serde_json::to_string(&doubts).ok();
    let expected = r#"["events-lost",{"before-trace":1},{"opener-unknown":1},{"unknown-ends":1}]"#;
    assert_eq!(json.as_deref(), Some(expected));
    // Every finding rests on what was not lost.
    for desk in [Desk::new(), Desk::open_since([0]), Desk::new().released(3, Ending::Ended)] {
        let lossy = Desk { incomplete: true, ..desk };
        assert_eq!(lossy.findings(HOUR)[0].uncertain, [Doubt::EventsLost]);
    }
}

#[test]
fn figures_come_from_the_record() {
    let mut desk = Desk::new().released(99, Ending::Closed);
    let long = ClientRelease {
        opened: START,
        before_trace: false,
        at: START + HOUR,
        ending: Ending::Closed,
        process: 0,
        reception: Reception::Served,
    };
    // When these were made was not seen, or not when they ended.
    desk.record.release(&ClientRelease { before_trace: true, ..long });
    desk.record.release(&ClientRelease { ending: Ending::Unseen, ..long });
    for nth in 0..102 {
        desk.record.open();
        if nth < 99 {
            desk.record.close();
        }
    }
    desk.record.fail(START, 111, &Crowding::default());
    desk.facts = SocketFacts { limit: Some(10), used: 4, ..SocketFacts::default() };
    let figures = desk.found(2 * HOUR, Healthy).figures;
    let near = |figure: Option<u64>, exact: u64| figure.is_some_and(|it| it.abs_diff(exact) <= exact / 32);
    assert!(near(figures.p50_ns, SECOND) && near(figures.p99_ns, SECOND), "{figures:?}");
    assert_eq!((figures.opened, figures.closed), (102, 99));
    assert_eq!(figures.failed, BTreeMap::from([(111, 1)]));
    assert_eq!((figures.slots_used, figures.slots_limit, figures.seconds_until_full), (4, Some(10), None));
    desk.record.release(&long);
    desk.record.release(&long);
    assert!(near(desk.found(2 * HOUR, Healthy).figures.p99_ns, HOUR));
    let endings = Endings { closed: 102, ended: 0, by_another: 0, unseen: 1 };
    assert_eq!((desk.record.endings(), desk.record.lifetimes().count()), (endings, 101));
}

#[test]
fn a_shrinking_number_has_a_negative_growth() {
    let mut desk = Desk::open_since([0]);
    for nth in 1..60 {
        let at = START + nth * MINUTE + AGE;
        let release = ClientRelease {
            opened: START,
            before_trace: true,
            at,
            ending: Ending::Closed,
            process: 0,
            reception: Reception::Served,
        };
        desk.record.release(&release);
    }
    let figures = desk.found(HOUR, Pool).figures;
    assert!(figures.growth_per_hour.is_some_and(|growth| (growth + 60.0).abs() < 3.0), "{figures:?}");
    assert_eq!(figures.seconds_until_full, None);
}

#[test]
fn any_settings_and_times_are_judged() {
    for leak_age in [0, 1, SECOND, u64::MAX] {
        for (started, now) in [(0, 0), (0, u64::MAX), (u64::MAX, 0), (START, START + HOUR)] {
            let settings = Settings { leak_age };
            let mut record = Record::new(started, &settings);
            let lives = [(0, u64::MAX), (u64::MAX, 0), (START, START + 1)];
            for (opened, at) in lives {
                let release = ClientRelease {
                    opened,
                    before_trace: false,
                    at,
                    ending: Ending::Closed,
                    process: 0,
                    reception: Reception::Queued(Crowding::default()),
                };
                record.release(&release);
                record.release(&ClientRelease { reception: Reception::Served, ..release });
                record.fail(at, 11, &Crowding { limit: Some(0), own: u64::MAX, ..Crowding::default() });
            }
            let open: Vec<_> = (0..20).map(|nth| open(nth * MINUTE)).collect();
            let held = [HeldEnd { since: u64::MAX, before_trace: true, keeper: Keeper::Itself }; 4];
            let case = Case { program: US, record: &record, open: &open, held: &held };
            let facts = SocketFacts { limit: Some(0), used: u64::MAX, ..SocketFacts::default() };
            let observation = Observation { started, now, incomplete: true };
            assert!(!judge(&case, &facts, &observation, &settings).is_empty());
        }
    }
}

#[test]
fn there_is_advice_on_everything() {
    let finding = Desk::new().found(HOUR, Healthy);
    let advised =
        Verdict::ALL.map(|verdict| advice(&Finding { verdict, ..finding.clone() }, Parties::default()));
    assert!(advised.iter().all(|advice| advice.ends_with('.')));
    let starved = |holders: Vec<Holder>, held_by_server, goes_on| {
        let hardship = Hardship { refused: 1, goes_on, holders, held_by_server, ..Hardship::default() };
        advice(&Finding { verdict: Starved, hardship: Some(hardship), ..finding.clone() }, Parties::default())
    };
    assert!(starved(holders(&[(THEM, 10)]), 0, true).contains("others hold the slots"));
    assert!(starved(vec![], 10, true).contains("whose clients have gone"));
    assert!(starved(vec![], 0, true).contains("does not accept"));
    assert!(starved(vec![], 0, false).contains("over"));
}
