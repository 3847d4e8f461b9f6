//! Sockets that have one path in several namespaces.

use super::*;

const ID: &str = "8f3c1d2e4b5a69788f3c1d2e4b5a69788f3c1d2e4b5a69788f3c1d2e4b5a6978";

fn listener_in(namespace: u32, id: u64) -> Record {
    let Record::Listener(known) = listener(id, "/run/a.sock") else { unreachable!("it is a listener") };
    Record::Listener(Arc::new(Listener { mount_namespace: namespace, ..Arc::unwrap_or_clone(known) }))
}

fn process_in(pid: u32, cgroup: &str) -> Record {
    let Record::Process(known) = process(pid, Some("/bin/d")) else { unreachable!("it is a process") };
    Record::Process(Arc::new(Process { cgroup_path: Some(cgroup.into()), ..Arc::unwrap_or_clone(known) }))
}

fn names(session: &Session) -> Vec<&str> {
    session.sockets().iter().map(|socket| socket.name.as_str()).collect()
}

/// Two listeners, of which the second is served by a process of a group, and then the first.
fn served_by(first: &str, second: &str) -> Session {
    let mut session = session(&["a.sock"]);
    feed(&mut session, [process(7, Some("/bin/x")), process_in(8, first), process_in(9, second)]);
    feed(&mut session, [listener_in(OURS, 1)]);
    assert_eq!(names(&session), ["/run/a.sock"]);
    feed(&mut session, [listener_in(20, 2)]);
    assert_eq!(names(&session), ["/run/a.sock (mount namespace 10)", "/run/a.sock (mount namespace 20)"]);
    feed(&mut session, [event(1, 7, connect(1, 2)), event(1, 9, accept(1, 2))]);
    assert_ne!(names(&session)[0], names(&session)[1]);
    feed(&mut session, [event(2, 7, connect(2, 1)), event(2, 8, accept(2, 1))]);
    session
}

#[test]
fn what_serves_them_tells_them_apart() {
    let docker = format!("/system.slice/docker-{ID}.scope");
    let session = served_by("/system.slice/redis.service", &docker);
    assert_eq!(names(&session), ["/run/a.sock (redis.service)", "/run/a.sock (docker 8f3c1d2e4b5a)"]);
    let paths: Vec<_> = session.sockets().iter().map(|socket| socket.path.as_str()).collect();
    assert_eq!(paths, ["/run/a.sock"; 2]);
}

#[test]
fn where_that_is_the_same_the_namespace_does() {
    let unit = "/system.slice/app.service";
    let expected =
        ["/run/a.sock (app.service, mount namespace 10)", "/run/a.sock (app.service, mount namespace 20)"];
    assert_eq!(names(&served_by(unit, unit)), expected);
    // Who holds it for a service that does not run yet says nothing of where it is served.
    let expected = ["/run/a.sock (mount namespace 10)", "/run/a.sock (app.service, mount namespace 20)"];
    assert_eq!(names(&served_by("/init.scope", unit)), expected);
}

#[test]
fn one_path_in_one_namespace_goes_by_its_path_whoever_serves_it() {
    let mut session = session(&["a.sock"]);
    feed(
        &mut session,
        [process_in(8, "/system.slice/redis.service"), listener_in(OURS, 1), listener_in(OURS, 2)],
    );
    feed(&mut session, [process(7, None), event(1, 7, connect(1, 2)), event(1, 8, accept(1, 2))]);
    assert_eq!(names(&session), ["/run/a.sock"]);
}
