use std::collections::BTreeMap;

use super::{super::Notice, *};
use crate::{
    event::{End, Event, Reason, Record, What},
    testing::*,
};

/// Each from a program of its own, at a second of its own; `number` is the connection's, and its client's process.
fn visit(number: u64, listener: u64) -> Vec<Record> {
    let pid = number as u32;
    vec![
        process(pid, Some(&format!("/bin/{number}"))),
        event(number, pid, connect(number, listener)),
        event(number, 1, accept(number, listener)),
        event(number, pid, release(number, listener, End::Client)),
        event(number, 1, release(number, listener, End::Server)),
    ]
}

fn server() -> Record {
    process(1, Some("/bin/server"))
}

fn sum(session: &Session, figure: fn(&Tally) -> u64) -> u64 {
    session.tallies().map(|(_, _, tally)| figure(tally)).sum()
}

fn names(session: &Session) -> BTreeMap<String, u64> {
    session
        .tallies()
        .map(|(_, program, tally)| (session.program(program).to_owned(), tally.opened()))
        .collect()
}

/// Thousands of programs come once each, one holds on, one comes back.
#[test]
fn programs_that_are_over_are_counted_together() {
    const MANY: u64 = 3 * MOST_TALLIES as u64;
    let mut session = session(&["a.sock"]);
    feed(&mut session, [listener(1, "/run/a.sock"), server()]);
    // The first one is the leaker; of the others nothing is left open.
    feed(
        &mut session,
        [process(2, Some("/bin/leaker")), event(2, 2, connect(2, 1)), event(2, 1, accept(2, 1))],
    );
    for number in 10..MANY + 10 {
        feed(&mut session, visit(number, 1));
    }
    assert!(session.tallies().count() <= MOST_TALLIES + 1);
    assert!(session.processes.is_bounded(), "names are kept without bound");
    assert_eq!((sum(&session, Tally::opened), sum(&session, |it| it.record.closed())), (MANY + 1, MANY));
    assert_eq!(sum(&session, |it| it.record.endings().closed), MANY);
    assert_eq!(sum(&session, |it| it.record.lifetimes().count()), MANY);
    let opened = names(&session);
    assert_eq!(opened["/bin/leaker"], 1);
    assert_eq!(opened.get("/bin/10"), None);
    // All that one has long forgotten, and who was here last.
    assert_eq!(opened[&format!("/bin/{}", MANY + 9)], 1);
    assert!(opened["[other programs]"] > MOST_TALLIES as u64);
    let (_, leaked) = session.open().next().expect("it is open");
    assert_eq!(session.program(leaked.opener.program), "/bin/leaker");
    // Who comes back is somebody again.
    let again = MANY + 20;
    let come_back = [process(10, Some("/bin/10")), event(again, 10, connect(again, 1))];
    feed(&mut session, come_back);
    assert_eq!(names(&session)["/bin/10"], 1);
}

/// What programs had adds up to what their socket had, whoever they are counted with.
#[test]
fn slots_over_time_add_up_after_folding() {
    const MANY: u64 = MOST_TALLIES as u64 + 100;
    let mut session = session(&["a.sock"]);
    feed(&mut session, [listener(1, "/run/a.sock"), server()]);
    for number in 10..MANY + 10 {
        let mut records = visit(number, 1);
        // It keeps its slot for a while.
        for (later, record) in records.iter_mut().skip(3).enumerate() {
            if let Record::Event(event) = record {
                event.at += (5 + later as u64) * SECOND / 10;
            }
        }
        feed(&mut session, records);
    }
    assert!(session.tallies().count() <= MOST_TALLIES);
    let now = (MANY + 20) * SECOND;
    let socket = session.sockets()[0].timeline.stretches(now);
    let mut sums = vec![0.0; socket.len()];
    for (_, _, tally) in session.tallies() {
        let own = tally.timeline.stretches(now);
        sums.iter_mut().zip(own).for_each(|(sum, own)| *sum += own.average);
    }
    // The server lets go a tenth of a second after the client, whose slot it is no more then.
    for (sum, used) in sums.into_iter().zip(socket) {
        assert!(sum <= used.average + 1e-6, "{sum} of {used:?}");
        assert!(sum + 0.2 >= used.average, "{sum} of {used:?}");
    }
}

#[test]
fn sockets_that_nobody_listens_on_become_others() {
    const MANY: u64 = 2 * MOST_SOCKETS as u64;
    let mut session = session(&["*.sock"]);
    feed(&mut session, [server()]);
    for number in 10..MANY + 10 {
        feed(&mut session, [listener(number, &format!("/run/{number}.sock"))]);
        let mut records = visit(number, number);
        if number == 11 {
            // On this one a client stays.
            records.truncate(3);
        }
        if number != 12 {
            // And here somebody listens on.
            let what = What::ListenerClosed { listener: number, reason: Reason::Close };
            records.push(event(number, 1, what));
        }
        feed(&mut session, records);
    }
    let sockets = session.sockets();
    assert!(sockets.len() <= MOST_SOCKETS + 2, "{} sockets", sockets.len());
    let paths: Vec<_> = sockets.iter().filter(|it| !it.is_vacant).map(|it| it.path.as_str()).collect();
    for (path, is_there) in [("/run/10.sock", false), ("/run/11.sock", true), ("/run/12.sock", true)] {
        assert_eq!(paths.contains(&path), is_there, "{path}");
    }
    assert!(paths.contains(&"(other paths)") && paths.contains(&&*format!("/run/{}.sock", MANY + 9)));
    assert_eq!((sum(&session, Tally::opened), sum(&session, |it| it.record.closed())), (MANY, MANY - 1));
    assert!(session.books.listeners.len() <= 2 * MOST_CLOSED);
    // The client of the second leaves at last, and the third is met again.
    feed(&mut session, [event(MANY + 20, 11, release(11, 11, End::Client))]);
    feed(&mut session, visit(MANY + 30, 12));
    assert_eq!(session.open().count(), 1);
}

/// A server that reloads makes a new listener each time.
#[test]
fn listeners_that_are_closed_are_forgotten() {
    let mut session = session(&["a.sock"]);
    feed(&mut session, [server(), listener(1, "/run/a.sock")]);
    feed(&mut session, visit(5, 1).into_iter().take(3));
    for number in 10..10 + 5 * MOST_CLOSED as u64 {
        feed(&mut session, [listener(number, "/run/a.sock")]);
        feed(&mut session, visit(number, number));
        let what = What::ListenerClosed { listener: number, reason: Reason::Close };
        feed(&mut session, [event(number, 1, what)]);
    }
    assert!(session.books.listeners.len() <= 2 * MOST_CLOSED + 1);
    assert_eq!(session.sockets().len(), 1);
    // What is open on an old one is followed to its end.
    let what = What::ListenerClosed { listener: 1, reason: Reason::Close };
    feed(&mut session, [event(100_000, 1, what), event(100_000, 5, release(5, 1, End::Client))]);
    feed(&mut session, [event(100_000, 1, release(5, 1, End::Server))]);
    assert_eq!((session.open().count(), session.sockets()[0].slots), (0, 0));
}

/// Thousands of others came and went since: who opened and who accepted are known all the same when they let go.
#[test]
fn parties_of_a_connection_are_known_to_its_end() {
    let mut session = session(&["a.sock"]);
    feed(&mut session, [listener(1, "/run/a.sock"), server(), process(2, Some("/bin/patient"))]);
    feed(&mut session, [event(2, 2, connect(2, 1)), event(2, 1, accept(2, 1))]);
    let other = |number: u64| {
        visit(number, 1).into_iter().map(|record| match record {
            // Accepted by another server process.
            Record::Event(Event { at, actor, what }) if actor.id.pid == 1 => event(at / SECOND, 3, what),
            record => record,
        })
    };
    feed(&mut session, [process(3, Some("/bin/server"))]);
    (10..20_000).for_each(|number| feed(&mut session, other(number)));
    for (pid, end, program) in [(2, End::Client, "/bin/patient"), (1, End::Server, "/bin/server")] {
        let record = event(30_000, pid, release(2, 1, end));
        let Record::Event(Event { actor, .. }) = &record else { panic!("no event") };
        assert!(!session.knows(&actor.id), "{program} was not forgotten");
        let Some(Notice::Seen(seen)) = session.feed(record).notice else { panic!("it does not fit") };
        assert_eq!(seen.program, program);
    }
}

/// What is not recorded, since it concerns no target, makes no difference to what is forgotten.
#[test]
fn the_records_of_targets_alone_decide() {
    let mut live = session(&["a.sock"]);
    let mut replayed = session(&["a.sock"]);
    for session in [&mut live, &mut replayed] {
        feed(session, [listener(1, "/run/a.sock"), server()]);
    }
    for number in 10..2 * MOST_TALLIES as u64 {
        let elsewhere = number << 32;
        feed(&mut live, [listener(elsewhere, "/run/b.sock"), event(number, 1, accept(number, elsewhere))]);
        for session in [&mut live, &mut replayed] {
            feed(session, visit(number, 1));
        }
    }
    let known = |session: &Session| -> Vec<_> {
        let rows = session.tallies();
        rows.map(|(socket, program, tally)| (socket, session.program(program).to_owned(), tally.clone()))
            .collect()
    };
    assert_eq!(known(&live), known(&replayed));
}
