//! Serves the page as the service does, by its real process, from what is made up: for the browser's test and the bench.
//!
//! `serve-scene SOCKLEAK TOKEN` serves an hour in which everything happened, at the moment of its end;
//! `serve-scene SOCKLEAK TOKEN demo` serves one as it might be, for pictures;
//! `serve-scene SOCKLEAK TOKEN OPEN RATE` serves OPEN connections, and RATE events a second from now on.
//! `serve-scene record FILE` records that hour.
//! It prints the address when it serves, and ends with its standard input.

use std::{fs, io::Read as _, os::unix::fs::PermissionsExt as _, path::Path, thread, time::Duration};

use anyhow::{Context as _, Result, bail};
use scenes::{
    fake::Fake,
    scene::{self, Scene},
};
use sockleak::{
    probe::{
        plan::{Hook, Kind},
        status::{HookStatus, Outcome},
    },
    service::{
        link::{Settings, respond},
        web::{
            listen::{Address, Listener},
            process::Web,
        },
    },
};
use sockleak_core::event::{End, Reason, What};
use tokio::{sync::oneshot, time};

/// How often events are told.
const TICK: Duration = Duration::from_millis(20);
const MILLISECOND: u64 = 1_000_000;
/// Clients of the made-up load, and the first one's process.
const CLIENTS: u64 = 40;
const FIRST: u32 = 5000;
const SERVER: u32 = 107;
const SOCKET: &str = "/run/service/control.sock";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (program, token, scene, load) = match words.as_slice() {
        ["record", file] => {
            scene::busy().record(Path::new(file), "db1");
            return Ok(());
        }
        [program, token] => (program, token, scene::busy(), None),
        [program, token, "demo"] => (program, token, demo(), None),
        [program, token, open, rate] => {
            let open = open.parse()?;
            let load = Load { next: open + 1, rate: rate.parse()?, owed: 0.0, steps: Vec::new() };
            (program, token, crowd(open), Some(load))
        }
        _ => bail!("serve-scene SOCKLEAK TOKEN [OPEN RATE], demo or OPEN RATE"),
    };
    let runtime = sockleak::runtime::start()?;
    runtime.block_on(serve(Path::new(program), token, &scene, load, words.last() == Some(&"demo")))
}

async fn serve(
    program: &Path,
    token: &str,
    scene: &Scene,
    mut load: Option<Load>,
    is_demo: bool,
) -> Result<()> {
    let scratch = tempfile::tempdir()?;
    // The process runs as another user, who may not read the build's folder.
    let copy = scratch.path().join("sockleak");
    fs::copy(program, &copy).context("sockleak is not there")?;
    for path in [scratch.path(), &copy] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    }
    let listening = Address::Tcp(([127, 0, 0, 1], 0).into()).bind()?;
    let Listener::Tcp(known) = Listener::new(listening.try_clone()?)? else { bail!("it is no TCP") };
    let settings = Settings { token: Some(token.to_owned()), ..Settings::default() };
    let mut web = Web::new(copy, vec![listening], settings)?;
    let mut fake = Fake::present(scene);
    if is_demo {
        fake.hooks = Hook::ALL.map(attached).to_vec();
    }
    println!("http://{}/", known.local_addr()?);
    let mut ended = input_ends();
    let mut tick = time::interval(TICK);
    let begin = (time::Instant::now(), fake.frame.now);
    loop {
        tokio::select! {
            asked = web.next() => {
                let answer = respond(&mut fake, &asked.question);
                web.answer(asked.id, &answer);
            }
            _ = tick.tick() => if let Some(load) = &mut load {
                fake.frame.now = begin.1 + begin.0.elapsed().as_nanos() as u64;
                load.tell(&mut fake, &mut web);
            },
            _ = &mut ended => return Ok(()),
        }
    }
}

/// Resolves when whoever started it has gone.
fn input_ends() -> oneshot::Receiver<()> {
    let (tell, ended) = oneshot::channel();
    thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        let _ = tell.send(());
    });
    ended
}

/// Half an hour, within which so many connections were opened that nobody closed.
fn crowd(open: u64) -> Scene {
    let mut scene = Scene::default();
    scene.seconds = 1800;
    scene.listener(1, SOCKET);
    scene.process(SERVER, &["/usr/sbin/server"], (0, Some("root")), Some("/system.slice/server.service"));
    for nth in 0..CLIENTS {
        let program = format!("/usr/bin/client-{nth}");
        scene.process(FIRST + nth as u32, &[&program, "--secret"], (1000, Some("web")), None);
    }
    for nth in 0..open {
        scene.open(1_000 + nth * 1_700_000 / open.max(1), FIRST + (nth % CLIENTS) as u32, 1);
    }
    scene
}

fn attached(hook: Hook) -> HookStatus {
    let kind = match hook {
        Hook::Iterate => Kind::Iter,
        Hook::Release => Kind::Kprobe,
        Hook::Connect | Hook::Attempt | Hook::Lookup | Hook::Send | Hook::SendPage | Hook::SendPacket => {
            Kind::Fexit
        }
        Hook::Accept => Kind::Fentry,
    };
    HookStatus {
        hook,
        function: hook.function().into(),
        kind: Some(kind),
        status: Outcome::Attached,
        reason: None,
    }
}

/// An hour in which a program fills a socket, and others do what they should.
fn demo() -> Scene {
    const MINUTE: u64 = 60_000;
    const RENEWER: u32 = 2203;
    const EXPORTER: u32 = 1871;
    const GATEWAY: u32 = 1490;
    const DEPLOY: u32 = 9120;
    let mut scene = Scene::default();
    scene.seconds = 3600;
    scene.note_use();
    for (id, path) in
        [(1, "/run/haproxy/ma.sock"), (2, "/run/gateway/control.sock"), (3, "/run/metrics.sock")]
    {
        scene.listener(id, path);
    }
    let unit = |name: &str| format!("/system.slice/{name}.service");
    for (pid, argv, user) in [
        (SERVER, &["/usr/sbin/haproxy", "-W", "-S", "/run/haproxy/ma.sock"][..], (99, Some("haproxy"))),
        (RENEWER, &["/opt/certificates/bin/cert-renewer", "--watch"], (0, Some("root"))),
        (EXPORTER, &["/usr/bin/haproxy-exporter"], (998, Some("prometheus"))),
        (GATEWAY, &["/usr/bin/api-gateway"], (1001, Some("gateway"))),
        (DEPLOY, &["/usr/local/bin/deploy"], (1000, Some("ci"))),
    ] {
        let name = argv.first().and_then(|program| program.rsplit('/').next()).unwrap_or_default();
        scene.process(pid, argv, user, Some(&unit(name)));
    }
    for round in 0..240 {
        scene.pass(3_000 + round * 15_000, EXPORTER, 1, [4, 11, 28, 650][round as usize % 4]);
        scene.pass(5_000 + round * 15_000, EXPORTER, 3, 9);
    }
    for nth in 0..7 {
        let at = 4 * MINUTE + nth * 8 * MINUTE;
        let kept = scene.open_at(at, RENEWER, 1, "renewer::haproxy::update_certificate");
        scene.used(RENEWER, 1, kept, 2, [at + 12, at + 40]);
    }
    for nth in 0..4 {
        let pooled = scene.open(2 * MINUTE + nth * 200, GATEWAY, 2);
        let last = 60 * MINUTE - 2_000 - nth * 9_000;
        scene.used(GATEWAY, 2, pooled, 310, [last, last + 3]);
    }
    for nth in 0..12 {
        scene.pass(MINUTE + nth * 290_000, DEPLOY, 1, 14_000);
    }
    scene
}

/// Connections that come and go.
struct Load {
    next: u64,
    rate: u64,
    /// Events that are due.
    owed: f64,
    /// What is going to happen.
    steps: Vec<(u32, What)>,
}

impl Load {
    fn tell(&mut self, fake: &mut Fake, web: &mut Web) {
        self.owed += self.rate as f64 * TICK.as_secs_f64();
        let due = self.owed as u64;
        self.owed -= due as f64;
        for nth in 0..due {
            if self.steps.is_empty() {
                self.plan();
            }
            let Some((pid, what)) = self.steps.pop() else { return };
            let at = fake.frame.now - (due - nth) * MILLISECOND / 1000;
            if let Some(event) = fake.feed(scene::happening(at, pid, what))
                && web.wants_events()
            {
                web.event(&event);
            }
        }
    }

    /// Eight connections, in which opening, accepting and releasing are mixed.
    fn plan(&mut self) {
        const AT_A_TIME: u64 = 8;
        let numbers: Vec<u64> = (self.next..self.next + AT_A_TIME).collect();
        self.next += AT_A_TIME;
        let client = |connection: u64| FIRST + (connection % CLIENTS) as u32;
        let of = |end| move |connection: &u64| release(*connection, end);
        let connects = numbers.iter().map(|&it| (client(it), scene::connecting(it, 1)));
        let accepts = numbers
            .iter()
            .map(|&it| (SERVER, What::Accept { connection: it, listener: 1, server_inode: 20_000 + it }));
        let clients = numbers.iter().map(|it| (client(*it), of(End::Client)(it)));
        let servers = numbers.iter().map(|it| (SERVER, of(End::Server)(it)));
        self.steps = connects.chain(accepts).chain(clients).chain(servers).collect();
        self.steps.reverse();
    }
}

fn release(connection: u64, end: End) -> What {
    What::Release { connection, listener: 1, end, reason: Reason::Close }
}
