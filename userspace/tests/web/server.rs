//! The server, and a tracer for it.

use std::net::SocketAddr;

use serde_json::Value;
use sockleak::{
    attribution::by::By,
    clock::Clock,
    event::Queue,
    probe::{
        plan::Hook,
        status::{HookStatus, Outcome},
    },
    report::Frame,
    service::{
        link::{
            Answers, Link, Settings,
            answer::{Health, HealthStatus, HookReport, Series},
            connections::{Page, Story},
            question::{ConnectionFilter, SeriesRange},
            respond,
        },
        metrics::{Metrics, Own},
        snapshot::{Snapshot, Surroundings},
        store::history::{Point, ProgramPoint},
        web::{
            self,
            listen::{Address, Listener},
        },
    },
    session::Session,
};
use tokio::{net::UnixStream, sync::mpsc};

use crate::scene::Scene;

pub(crate) const TOKEN: &str = "correct horse battery staple";

/// Answers from a scene.
pub(crate) struct Fake {
    session: Session,
    frame: Frame,
    metrics: Metrics,
    pub(crate) status: HealthStatus,
}

impl Fake {
    pub(crate) fn new(scene: &Scene, by: By) -> Self {
        let (session, frame) = (scene.session(by), scene.frame());
        Self { session, frame, metrics: Metrics::default(), status: HealthStatus::Degraded }
    }
}

fn clock() -> Clock {
    Clock::booted_at(1_767_323_045_000_000_000)
}

impl Answers for Fake {
    fn metrics(&mut self) -> String {
        let mut snapshot = self.snapshot();
        for socket in &mut snapshot.sockets {
            // Scenes have no rounds that would find a queue.
            socket.queue.get_or_insert(Queue { length: 0, max: 10 });
        }
        self.metrics.encode(&snapshot, &Own { store_bytes: Some(1), ..Own::read() })
    }

    fn health(&mut self) -> Health {
        let hook = HookReport {
            hook: "attempt".into(),
            attached: false,
            reason: Some("the kernel lacks it".to_owned()),
        };
        Health {
            status: self.status,
            because: vec!["the attempt hook is not attached".to_owned()],
            hooks: vec![hook],
            uptime_seconds: 7,
            version: "0.1.0".into(),
        }
    }

    fn snapshot(&mut self) -> Snapshot {
        let hooks = [HookStatus {
            hook: Hook::Attempt,
            function: "unix_stream_connect".into(),
            kind: None,
            status: Outcome::Unsupported,
            reason: Some("the kernel lacks it".to_owned()),
        }];
        let around = Surroundings { clock: &clock(), host: "db1", kernel: "6.12.0", hooks: &hooks };
        Snapshot::new(&self.session, &self.frame, &around)
    }

    fn connections(&mut self, filter: &ConnectionFilter) -> Page<'_> {
        Page::new(&self.session, self.frame.now, filter)
    }

    fn connection(&mut self, id: u64) -> Option<Story<'_>> {
        Story::new(&self.session, self.frame.now, &clock(), id)
    }

    fn series(&mut self, range: &SeriesRange) -> Result<Series, String> {
        if range.socket == "/none" {
            return Err("there is no history; set [store] directory".to_owned());
        }
        let point = Point { at: range.from_ms, slots_limit: Some(10), slots_max: 3, ..Point::default() };
        let program =
            ProgramPoint { at: range.from_ms, program: "/bin/a".to_owned(), open_last: 3, opened: 4 };
        Ok(Series { points: vec![Point::default(), point], programs: vec![program] })
    }
}

/// A server that runs until the test ends.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// Events for those who want them.
    pub(crate) events: mpsc::UnboundedSender<Value>,
}

pub(crate) fn settings() -> Settings {
    Settings {
        names: vec!["db1.example".to_owned()],
        token: Some(TOKEN.to_owned()),
        names_are_private: false,
    }
}

impl Server {
    pub(crate) fn of(scene: &Scene) -> Self {
        Self::start(Fake::new(scene, By::Program), &settings())
    }

    pub(crate) fn start(fake: Fake, settings: &Settings) -> Self {
        let listening = Address::Tcp(([127, 0, 0, 1], 0).into()).bind().unwrap();
        let listener = Listener::new(listening).unwrap();
        let Listener::Tcp(tcp) = &listener else { unreachable!("it was bound to TCP") };
        let address = tcp.local_addr().unwrap();
        let (tracer, link) = UnixStream::pair().unwrap();
        let (events, told) = mpsc::unbounded_channel();
        tokio::spawn(trace(fake, Link::new(tracer, settings).unwrap(), told));
        tokio::spawn(web::serve(link, vec![listener]));
        Self { address, events }
    }
}

async fn trace(mut fake: Fake, mut link: Link<UnixStream>, mut events: mpsc::UnboundedReceiver<Value>) {
    loop {
        tokio::select! {
            asked = link.next() => match asked.unwrap() {
                Some(asked) => {
                    let answer = respond(&mut fake, &asked.question);
                    link.answer(asked.id, &answer).unwrap();
                }
                None => return,
            },
            Some(event) = events.recv() => link.event(&event).unwrap(),
        }
    }
}
