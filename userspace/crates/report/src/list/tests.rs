use super::{headline::who_listens, *};

fn holding(pid: u32, program: &str, comm: &str, argv: &[&str]) -> Holding {
    Holding {
        script: None,
        pid,
        pid_in_namespace: None,
        program: program.into(),
        comm: Some(comm.into()),
        argv: Some(argv.iter().map(|&it| it.to_owned()).collect()),
        uid: None,
        user: None,
        membership: Membership::default(),
        fd: 3,
    }
}

#[test]
fn a_program_goes_by_the_name_it_was_started_by_too() {
    for (program, comm, called, expected) in [
        ("/usr/bin/redis-check-rdb", "redis-server", "/usr/bin/redis-server", Some("redis-server")),
        ("/bin/busybox", "nc", "nc", Some("nc")),
        (
            "/usr/bin/multi",
            "a-name-of-more-",
            "a-name-of-more-than-fifteen",
            Some("a-name-of-more-than-fifteen"),
        ),
        // The same, or a version of it, or a shell that logs in.
        ("/usr/sbin/haproxy", "haproxy", "haproxy", None),
        ("/usr/bin/python3.11", "python3", "python3", None),
        ("/usr/bin/bash", "bash", "-bash", None),
        // What it wrote there itself is no name.
        ("/usr/sbin/nginx", "nginx", "nginx: worker process", None),
        ("/usr/lib/systemd/systemd", "systemd", "/sbin/init", None),
        ("/opt/worker", "renamed", "/opt/worker", None),
    ] {
        let it = holding(7, program, comm, &[called, "-v"]);
        assert_eq!(it.alias(), expected, "{program}");
    }
    assert_eq!(holding(7, "[unknown]", "x", &[]).alias(), None);
}

#[test]
fn several_listen() {
    let systemd = |pid| holding(pid, "/usr/lib/systemd/systemd", "systemd", &["/sbin/init"]);
    let worker = |pid| holding(pid, "/usr/sbin/php-fpm8.2", "php-fpm8.2", &["php-fpm: pool www"]);
    let database = holding(226, "/usr/sbin/mariadbd", "mariadbd", &["/usr/sbin/mariadbd"]);
    assert_eq!(who_listens(std::slice::from_ref(&database)), "/usr/sbin/mariadbd 226 listens");
    assert_eq!(
        who_listens(&[systemd(1), database]),
        "/usr/lib/systemd/systemd 1 and /usr/sbin/mariadbd 226 listen"
    );
    // One that holds it twice is one.
    assert_eq!(who_listens(&[systemd(1), systemd(1)]), "/usr/lib/systemd/systemd 1 listens");
    let many: Vec<_> = (10..=14).map(worker).collect();
    assert_eq!(who_listens(&many), "/usr/sbin/php-fpm8.2 10, 11, 12 and 2 more listen");
}

#[test]
fn a_script_goes_before_its_interpreter() {
    let python = holding(7, "/usr/bin/python3.11", "python3", &["python3", "/srv/app.py"]);
    let it = Holding { script: Some("/usr/bin/python3.11 /srv/app.py".to_owned()), ..python };
    assert_eq!(it.shown_program(), "/usr/bin/python3.11 /srv/app.py");
    assert!(it.short_program().ends_with("app.py"), "{}", it.short_program());
}

#[test]
fn who_holds_and_who_waits_is_counted_where_there_are_many() {
    let holder = holding(7, "/bin/keeper", "keeper", &["keeper"]);
    let victim = holding(9, "/bin/victim", "victim", &["victim"]);
    let connection = |client: &Holding, state| ListedConnection {
        state,
        opener_pid: Some(client.pid),
        client_inode: 1,
        server_inode: None,
        client_unread: None,
        server_unread: None,
        // Two descriptors of one process are one connection.
        client: Some(vec![client.clone(), Holding { fd: 4, ..client.clone() }]),
        server: None,
        is_new: None,
    };
    let open = std::iter::repeat_n(connection(&holder, State::Open), 10);
    let queued = std::iter::repeat_n(connection(&victim, State::Queued), 11);
    let mut socket = ListedSocket {
        path: "/run/a.sock".to_owned(),
        slots_used: 10,
        limit: None,
        queue: None,
        listeners: None,
        connections: open.clone().chain(queued).collect(),
        gone: None,
    };
    assert_eq!(
        holders(&socket),
        "/run/a.sock: held by /bin/keeper 7: 10\n/run/a.sock: waiting /bin/victim 9: 11\n"
    );
    let shown = |socket: &ListedSocket| {
        let listing = Listing { sockets: vec![socket.clone()], incomplete_because: Vec::new() };
        render(&listing, 80, Style::Plain)
    };
    // What has scrolled away is at the beginning, and what is cut at the end.
    assert!(shown(&socket).lines().last().is_some_and(|line| line.contains("waiting")));
    socket.gone = Some(0);
    assert!(shown(&socket).lines().nth(1).is_some_and(|line| line.contains("held by")));
    // A child has copies of the keeper's descriptors: the connections are as many as before.
    let child = Holding { pid: 8, ..holder.clone() };
    socket.connections = open.clone().collect();
    for connection in &mut socket.connections {
        connection.client.iter_mut().for_each(|holders| holders.push(child.clone()));
    }
    assert_eq!(
        holders(&socket),
        "/run/a.sock: held by /bin/keeper 7 and /bin/keeper 8 (the same ends): 10\n"
    );
    socket.connections = open.take(1).collect();
    assert_eq!(holders(&socket), "");
}
