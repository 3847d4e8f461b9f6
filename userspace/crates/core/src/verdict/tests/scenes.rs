//! Leaks, and what looks like one, as programs live them.

use super::{
    super::simulate::{Life, Members, Scene, crowd, leak, life, rush, steady},
    *,
};

const DAY: u64 = 24 * HOUR;
const NEVER: [u64; 0] = [];

/// Times from `from` to `until`, one each `every`.
fn times(from: u64, every: u64, until: u64) -> impl Iterator<Item = u64> {
    (0..).map(move |nth| from + nth * every).take_while(move |&at| at <= until)
}

#[test]
fn a_slow_leak_beside_a_thousand_healthy_ones_a_minute() {
    let healthy = steady(1, MINUTE / 1000, 50_000_000, 20 * MINUTE);
    let scene = Scene::new(leak(1, MINUTE, 0, HOUR).chain(healthy));
    assert_eq!(scene.suspected(times(5 * MINUTE, 5 * MINUTE, 20 * MINUTE)).len(), 4);
    let finding = scene.findings(20 * MINUTE).remove(&1).unwrap_or_default().remove(0);
    assert_eq!((finding.verdict, finding.count, finding.figures.opened), (ClientLeak, 20, 20_021));
    assert!(finding.figures.growth_per_hour.is_some_and(|growth| (growth - 60.0).abs() < 3.0));
    // Without it.
    let scene = Scene::new(steady(1, MINUTE / 1000, 50_000_000, 20 * MINUTE));
    assert_eq!(scene.verdicts(20 * MINUTE, 1), [Healthy]);
}

#[test]
fn a_pool_is_none_once_it_is_full() {
    let froms = [0, 40 * MINUTE];
    let gaps = [0, SECOND, 20 * SECOND, MINUTE, 3 * MINUTE];
    let lastings = [5 * MINUTE, 20 * MINUTE, HOUR, 100 * HOUR];
    for (size, from) in [3, 8, 20].into_iter().flat_map(|size| froms.map(|from| (size, from))) {
        for (every, lasting) in gaps.into_iter().flat_map(|every| lastings.map(|lasting| (every, lasting))) {
            let pool = Members { size, from, every, lasting };
            let scene = Scene::new(pool.lives(4 * HOUR));
            // While it fills it cannot be told from a leak, nor soon after, to within a bucket.
            let filled = from + (size - 1) * every + AGE + (3 * every).max(2 * AGE) + 2 * MINUTE;
            assert_eq!(scene.accused(times(filled, 11 * MINUTE, 4 * HOUR)), NEVER, "{pool:?}");
            // It may be suspected for longer.
            assert!(
                lasting < HOUR || [[Pool], [Suspect]].concat().contains(&scene.verdicts(filled, 1)[0]),
                "{pool:?}"
            );
        }
    }
}

#[test]
fn a_pool_of_eight_stays_one() {
    // At once; over some minutes; with members replaced each hour.
    for (every, lasting) in [(0, 100 * HOUR), (MINUTE, 100 * HOUR), (450 * SECOND, HOUR)] {
        let scene = Scene::new(Members { size: 8, from: 0, every, lasting }.lives(DAY));
        let from = 8 * every + AGE + 9 * 7 * every + 3 * AGE;
        for at in times(from, 47 * MINUTE, DAY) {
            assert_eq!(scene.verdicts(at, 1), [Pool], "{every} {lasting} at {at}");
        }
        let finding = scene.findings(DAY).remove(&1).unwrap_or_default().remove(0);
        assert!((7..=8).contains(&finding.count), "{finding:?}");
        assert!(finding.figures.growth_per_hour.is_some_and(|growth| growth.abs() < 0.01));
    }
}

#[test]
fn who_comes_and_goes_is_hardly_ever_accused() {
    for ending in [Ending::Closed, Ending::Ended] {
        let (mut accused, mut judged) = (0, 0);
        for (number, minutes) in [(3, 5), (3, 20), (5, 60), (10, 5), (10, 20), (30, 20), (100, 5)] {
            for seed in 0..3 {
                let mut lives = crowd(number, minutes * MINUTE, 6 * HOUR, seed);
                for client in lives.iter_mut().filter_map(|life| life.client.as_mut()) {
                    client.1 = ending;
                }
                accused += Scene::new(lives).accused(times(5 * MINUTE, 15 * MINUTE, 6 * HOUR)).len();
                judged += 24;
            }
        }
        assert!(accused * 500 <= judged, "{accused} of {judged}, {ending:?}");
    }
}

#[test]
fn a_growing_load_is_no_leak() {
    for (number, minutes) in [(10, 5), (100, 2), (100, 5), (1000, 5)] {
        let scene = Scene::new(rush(number, minutes * MINUTE, 4 * HOUR, number));
        assert_eq!(scene.accused(times(30 * MINUTE, 15 * MINUTE, 4 * HOUR)), NEVER, "{number} for {minutes}");
    }
}

#[test]
fn a_leak_that_begins_after_a_week_is_seen_within_minutes() {
    let week = 7 * DAY;
    let pool = Members { size: 8, from: 0, every: 7 * MINUTE, lasting: 5 * MINUTE };
    for beside in [Vec::new(), pool.lives(week + 2 * HOUR).collect()] {
        let scene = Scene::new(leak(1, MINUTE, week, week + 2 * HOUR).chain(beside));
        assert_eq!(scene.accused(times(week - HOUR, 5 * MINUTE, week)), NEVER);
        assert_eq!(scene.suspected(times(week + 15 * MINUTE, MINUTE, week + 2 * HOUR)).len(), 106);
        let findings = scene.findings(week + HOUR);
        let growth = findings[&1][0].figures.growth_per_hour;
        assert!(growth.is_some_and(|growth| (growth - 60.0).abs() < 10.0), "{growth:?}");
    }
    // And when it has filled the server, for ever after.
    let mut full = Scene::new(leak(1, MINUTE, week, week + 10 * MINUTE));
    full.limit = Some(10);
    assert_eq!(full.accused([week + 12 * MINUTE, week + DAY, 2 * week]).len(), 3);
    // A few connections of another program on that socket are not accused with it.
    let others = Members { size: 3, from: week, every: MINUTE, lasting: week };
    full.lives.iter_mut().for_each(|life| life.program = 2);
    full.lives.extend(others.lives(week + HOUR));
    full.limit = Some(13);
    assert_eq!((full.verdicts(week + DAY, 1), full.verdicts(week + DAY, 2)), (vec![Pool], vec![ClientLeak]));
}

#[test]
fn a_few_more_late_in_a_trace_are_no_leak_yet() {
    let more = Members { size: 3, from: 2 * HOUR, every: MINUTE, lasting: DAY };
    let scene = Scene::new(more.lives(DAY).chain(Members { size: 4, from: 0, ..more }.lives(DAY)));
    assert_eq!(scene.accused(times(2 * HOUR, 10 * SECOND, 2 * HOUR + 20 * MINUTE)), NEVER);
}

#[test]
fn a_leak_that_restarts_or_comes_in_bursts_is_one() {
    // Every two hours the process ends and starts again.
    let end = |opened: u64| (opened / (2 * HOUR) + 1) * 2 * HOUR;
    let restarting = leak(1, MINUTE, 0, 10 * HOUR).map(|life| {
        let at = end(life.opened);
        Life { client: Some((at, Ending::Ended)), server: Some(at), ..life }
    });
    let scene = Scene::new(restarting);
    for start in times(0, 2 * HOUR, 8 * HOUR) {
        assert_eq!(scene.suspected(times(start + 70 * MINUTE, 10 * MINUTE, start + 119 * MINUTE)).len(), 5);
    }
    // Five at a time.
    let bursts =
        leak(1, 30 * MINUTE, 0, 12 * HOUR).flat_map(|it| (0..5).map(move |n| life(1, it.opened + n, None)));
    let scene = Scene::new(bursts);
    assert_eq!(scene.suspected(times(2 * HOUR, 10 * MINUTE, 12 * HOUR)).len(), 61);
}
