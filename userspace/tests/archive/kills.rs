//! The service and the process that archives are killed, again and again, while the store is out of reach half of the time.

use std::{
    env,
    ffi::OsString,
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, sleep},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{files, life};

/// How often is killed; `cargo xtask test --group fleet` asks for more.
fn kills() -> u64 {
    env::var("SOCKLEAK_TEST_KILLS").map_or(8, |kills| kills.parse().unwrap())
}

/// The program where any user may run it.
pub(crate) fn program(directory: &Path) -> PathBuf {
    let path = directory.join("sockleak");
    // By a process of its own: a child that another thread forks meanwhile would have the copy open for writing.
    let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_sockleak")).arg(&path).status();
    assert!(copied.unwrap().success());
    open_to_all(&path);
    open_to_all(directory);
    path
}

pub(crate) fn open_to_all(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
}

/// The processes that a service has started.
fn children(service: &Child) -> Vec<Pid> {
    let tasks = fs::read_dir(format!("/proc/{}/task", service.id())).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .map(Pid::from_raw)
        .collect()
}

/// Makes a store usable or not.
type Change = Box<dyn FnMut(bool) + Send>;

/// Makes a directory unusable and usable again, as long as this lives.
struct Outages {
    is_over: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<Change>>,
}

impl Outages {
    fn begin(mut change: impl FnMut(bool) + Send + 'static) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&is_over);
        let thread = thread::spawn(move || {
            let mut is_usable = true;
            while !flag.load(Ordering::Relaxed) {
                is_usable = !is_usable;
                change(is_usable);
                sleep(Duration::from_millis(150));
            }
            change(true);
            Box::new(change) as Change
        });
        Self { is_over, thread: Some(thread) }
    }

    /// Ends them; the store is usable as long as what is returned lives.
    fn end(mut self) -> Change {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Outages {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(thread::JoinHandle::join);
    }
}

#[test]
fn each_row_is_in_one_file_whatever_is_killed() {
    let scratch = tempfile::tempdir().unwrap();
    let program = program(scratch.path());
    let (store, archive) = (scratch.path().join("store"), scratch.path().join("archive"));
    fs::create_dir(&archive).unwrap();
    let url = format!("file://{}", archive.display());
    let kills = kills();
    let records = kills * 1200;
    let outages = {
        let archive = archive.clone();
        Outages::begin(move |is_usable| {
            let mode = if is_usable { 0o777 } else { 0 };
            fs::set_permissions(&archive, fs::Permissions::from_mode(mode)).unwrap();
        })
    };
    let service = kill_often(kills, &|| life::start(&program, &store, &url, records));
    drop(outages.end());
    life::finish(service);
    // One more finds nothing to do.
    life::finish(life::start(&program, &store, &url, records));
    check(&archive, records);
}

/// Is each row there, once?
pub(crate) fn check(archive: &Path, records: u64) {
    assert_eq!(files::connections(&archive.join("connections")), life::closed(records));
    assert_eq!(files::rows(&archive.join("attempts")).len(), life::failed(records));
    // What leaks is found, and not closed.
    let open = files::connections(&archive.join("open"));
    assert!((0..records / 4).filter(|&id| life::leaks(id)).all(|id| open.contains(&id)));
    assert!(!files::rows(&archive.join("findings")).is_empty());
}

/// Kills the service and the process that archives in turn. The last service that it started goes on.
fn kill_often(kills: u64, start: &dyn Fn() -> Child) -> Child {
    let mut service = start();
    let mut killed = 0;
    while killed < kills {
        sleep(Duration::from_millis(40 + killed * 37 % 200));
        if killed % 2 == 0 {
            service.kill().unwrap();
            service.wait().unwrap();
            service = start();
            killed += 1;
        } else if let Some(&child) = children(&service).first() {
            // It may have ended just now.
            let _ = kill(child, Signal::SIGKILL);
            killed += 1;
        } else if service.try_wait().unwrap().is_some() {
            service = start();
        }
    }
    service
}

/// An S3 server of its own: s3s-fs, if the environment says where it is.
struct Server {
    program: OsString,
    root: PathBuf,
    port: u16,
    running: Option<Child>,
}

impl Server {
    fn set(&mut self, is_running: bool) {
        if !is_running {
            if let Some(mut server) = self.running.take() {
                server.kill().unwrap();
                server.wait().unwrap();
            }
        } else if self.running.is_none() {
            let mut command = Command::new(&self.program);
            command.args(["--access-key", KEY, "--secret-key", SECRET, "--host", "127.0.0.1"]);
            command
                .args(["--port", &self.port.to_string()])
                .arg(&self.root)
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            self.running = Some(command.spawn().unwrap());
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.set(false);
    }
}

const KEY: &str = "AKEXAMPLES3S";
const SECRET: &str = "SKEXAMPLES3S";

/// The same over HTTP, with a server that is killed and started again.
#[test]
fn each_row_is_in_one_object() {
    let Some(program) = env::var_os("SOCKLEAK_TEST_S3S") else { return };
    let scratch = tempfile::tempdir().unwrap();
    let root = scratch.path().join("s3");
    fs::create_dir_all(root.join("bucket")).unwrap();
    // Nobody else takes the port in between.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut server = Server { program, root: root.clone(), port, running: None };
    let endpoint = format!("http://127.0.0.1:{port}");
    let variables = [
        ("AWS_ACCESS_KEY_ID", KEY),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL", &endpoint),
        ("AWS_ALLOW_HTTP", "true"),
    ];
    let (sockleak, store) = (self::program(scratch.path()), scratch.path().join("store"));
    let kills = kills();
    let records = kills * 1200;
    let start = || life::start_with(&sockleak, &store, "s3://bucket/prefix", records, &variables);
    let outages = Outages::begin(move |is_usable| server.set(is_usable));
    let service = kill_often(kills, &start);
    let server = outages.end();
    life::finish(service);
    drop(server);
    check(&root.join("bucket/prefix"), records);
}
