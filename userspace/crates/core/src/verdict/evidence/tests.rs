use super::{super::simulate::*, *};

/// How many a record counts as having been old, and in which minute the first one began to be.
fn old(release: &ClientRelease) -> (u64, Option<u64>) {
    let mut record = Record::new(0, &SETTINGS);
    record.release(release);
    let points = record.history.points(0, HOUR);
    let first = points.iter().find(|point| point.joined > 0).map(|point| point.at / MINUTE);
    assert!(points.iter().all(|point| point.left <= point.joined));
    (points.last().map_or(0, |last| last.joined), first)
}

#[test]
fn only_the_old_and_accepted_have_a_history() {
    let opened = 5 * MINUTE;
    let (at, ending) = (opened + AGE, Ending::Closed);
    let release =
        ClientRelease { opened, before_trace: false, at, ending, process: 0, reception: Reception::Served };
    assert_eq!(old(&release), (1, Some(6)));
    assert_eq!(old(&ClientRelease { at: at - 1, ..release }), (0, None));
    assert_eq!(
        old(&ClientRelease { reception: Reception::Queued(Crowding::default()), ..release }),
        (0, None)
    );
    for ending in [Ending::Ended, Ending::ByAnother, Ending::Unseen] {
        assert_eq!(old(&ClientRelease { ending, ..release }), (1, Some(6)));
    }
    // First seen five minutes later, but it was there all the time.
    assert_eq!(old(&ClientRelease { before_trace: true, ..release }), (1, Some(1)));
}
