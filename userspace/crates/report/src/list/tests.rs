use super::{headline::who_listens, *};

fn holding(pid: u32, program: &str, comm: &str, argv: &[&str]) -> Holding {
    Holding {
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
