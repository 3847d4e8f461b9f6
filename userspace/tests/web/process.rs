//! The real process, started as the service starts it.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf, process::Command};

use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, geteuid},
};
use sockleak::service::{
    link::{Settings, respond},
    web::{
        listen::{Address, Listener},
        process::Web,
    },
};
use sockleak_core::attribution::by::By;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
};

use crate::{
    client::{Answer, get, get_all, request},
    scene::{self, Scratch},
    server::{Fake, settings},
};

/// The program where any user may run it.
fn program(scratch: &Scratch) -> PathBuf {
    let path = scratch.file("sockleak");
    // By a process of its own: a child that another thread forks meanwhile would have the copy open for writing, and a file that is
    // written is not executed.
    let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_sockleak")).arg(&path).status();
    assert!(copied.unwrap().success());
    for path in [path.as_path(), path.parent().unwrap()] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    path
}

/// Serves until something is done.
async fn while_serving<T>(web: &mut Web, fake: &mut Fake, done: impl Future<Output = T>) -> T {
    tokio::pin!(done);
    loop {
        tokio::select! {
            it = &mut done => return it,
            asked = web.next() => {
                let answer = respond(fake, &asked.question);
                web.answer(asked.id, &answer);
            }
        }
    }
}

fn status(pid: u32, field: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.trim_start_matches(':').trim().to_owned()
}

#[tokio::test]
async fn it_has_no_privileges_and_is_started_again() {
    let scratch = Scratch::new();
    let tcp = Address::Tcp(([127, 0, 0, 1], 0).into()).bind().unwrap();
    let Listener::Tcp(known) = Listener::new(tcp.try_clone().unwrap()).unwrap() else { unreachable!("TCP") };
    let address = known.local_addr().unwrap();
    let path = scratch.file("http.sock");
    let unix = Address::Unix(path.clone()).bind().unwrap();
    let mut web = Web::new(program(&scratch), vec![tcp, unix], settings()).unwrap();
    let mut fake = Fake::new(&scene::busy(), By::Program);

    let answer = while_serving(&mut web, &mut fake, get(address, "/metrics")).await;
    assert_eq!(answer.status, 200);
    let over_unix = async {
        let mut stream = UnixStream::connect(&path).await.unwrap();
        stream.write_all(request("GET", "/api/v1/connections", &[]).as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        Answer::parse(&answer)
    };
    let answer = while_serving(&mut web, &mut fake, over_unix).await;
    assert_eq!((answer.status, answer.json()["total"].as_u64()), (200, Some(15)));

    let first = web.pid().unwrap();
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(status(first, set), "0000000000000000", "{set}");
    }
    assert_eq!(status(first, "NoNewPrivs"), "1");
    if geteuid().is_root() {
        assert!(status(first, "Uid").split_whitespace().all(|uid| uid != "0"));
        assert!(status(first, "Gid").split_whitespace().all(|gid| gid != "0"));
        assert_eq!(status(first, "Groups"), "");
        assert_eq!(status(first, "CapBnd"), "0000000000000000");
    }

    kill(Pid::from_raw(first.cast_signed()), Signal::SIGKILL).unwrap();
    while !status(first, "State").starts_with('Z') {
        std::thread::yield_now();
    }
    let answer = while_serving(&mut web, &mut fake, get(address, "/healthz")).await;
    assert_eq!(answer.status, 200);
    assert_ne!(web.pid(), Some(first));
    assert_eq!(web.restarts(), 1);

    // With new settings the token is another.
    web.change(None, Settings { token: None, ..settings() });
    while while_serving(&mut web, &mut fake, get_all(address, "/healthz")).await.status != 401 {}
}
