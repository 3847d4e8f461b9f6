//! A tracer that answers from a scene, at the moment of its end.

use std::{
    borrow::Cow,
    time::{Duration, SystemTime},
};

use serde_json::Value;
use sockleak::{
    probe::{
        plan::Hook,
        status::{HookStatus, Outcome},
    },
    service::{
        link::{
            Answers, Sight,
            answer::{Health, HealthStatus, HookReport, Series, SeriesError},
            closed::Closed,
            question::SeriesRange,
        },
        metrics::{Exposition, MetricDetail, Metrics, Own},
        minutes,
        snapshot::{Snapshot, Surroundings},
        store::history::{History, Point, ProgramPoint, Rollup},
    },
};
use sockleak_core::{
    assess::Coverage,
    attribution::by::By,
    event::{Queue, Record},
    session::{Notice, Session},
    time::Clock,
};
use sockleak_report::json;
use tempfile::TempDir;

use crate::scene::{self, Scene};

/// How often the history is added to, in nanoseconds.
const LOOK_EVERY: u64 = 10_000_000_000;

/// A tracer without a kernel: it answers the web process from a scene.
pub struct Fake {
    /// What it has read.
    pub session: Session,
    closed: Closed,
    /// The time that it takes for now, and its losses.
    pub frame: Coverage,
    clock: Clock,
    /// Minute by minute, if it is kept.
    history: Option<(History, TempDir)>,
    metrics: Metrics,
    /// What the page says of the hooks.
    pub hooks: Vec<HookStatus>,
    /// What `/healthz` says.
    pub status: HealthStatus,
}

impl Fake {
    /// In the year in which scenes are set, without a history.
    pub fn new(scene: &Scene, by: By) -> Self {
        Self::with(scene, by, sockleak::clock::booted_at(1_767_323_045_000_000_000))
    }

    /// The scene ends now, and its history is kept.
    pub fn present(scene: &Scene) -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as i64;
        let clock = sockleak::clock::booted_at(now - scene.frame().now.cast_signed());
        let mut fake = Self::with(&scene::quiet(), By::Program, clock);
        let directory = tempfile::tempdir().unwrap();
        let history = History::open(directory.path(), Duration::from_hours(24 * 400), 1 << 30).unwrap();
        fake.history = Some((history, directory));
        let mut rollup = Rollup::default();
        let mut looked = 0;
        for record in scene.records() {
            let at = match &record {
                Record::Event(event) => event.at,
                _ => 0,
            };
            if at > looked + LOOK_EVERY {
                looked = at;
                fake.look(&mut rollup, at);
            }
            fake.feed(record);
        }
        fake.frame = scene.frame();
        fake
    }

    fn with(scene: &Scene, by: By, clock: Clock) -> Self {
        // An empty one, with the same settings.
        let session = scene::quiet().session(by);
        let mut fake = Self {
            session,
            closed: Closed::default(),
            frame: scene.frame(),
            clock,
            history: None,
            metrics: Metrics::default(),
            hooks: vec![HookStatus {
                hook: Hook::Attempt,
                function: "unix_stream_connect".into(),
                kind: None,
                status: Outcome::Unsupported,
                reason: Some("the kernel lacks it".to_owned()),
            }],
            status: HealthStatus::Degraded,
        };
        scene.records().into_iter().for_each(|record| _ = fake.feed(record));
        fake
    }

    /// Takes in a record; returns the event that readers are told of.
    pub fn feed(&mut self, record: Record) -> Option<Value> {
        let effect = self.session.feed(record);
        let told = match effect.notice {
            Some(Notice::Seen(seen)) => Some(json::event_object(&seen, &self.clock)),
            _ => None,
        };
        if let Some(closed) = &effect.closed {
            self.closed.note(closed);
        }
        told
    }

    /// Puts a moment into the history, as the service does.
    fn look(&mut self, rollup: &mut Rollup, now: u64) {
        self.frame.now = now;
        let Snapshot { at_ms, sockets, .. } = self.snapshot();
        let facts: Vec<_> = sockets.iter().map(|socket| minutes::facts(socket, false)).collect();
        if let (Some(minute), Some((history, _))) = (rollup.observe(at_ms, &facts), &mut self.history) {
            history.add(&minute).unwrap();
        }
    }
}

impl Answers for Fake {
    fn sight(&self) -> Sight<'_> {
        let around = Surroundings { clock: &self.clock, host: "db1", kernel: "6.12.0", hooks: &self.hooks };
        Sight { session: &self.session, closed: &self.closed, now: self.frame.now, around }
    }

    fn coverage(&self) -> Coverage {
        self.frame.clone()
    }

    fn origin(&self) -> Cow<'static, str> {
        "sockleak serve".into()
    }

    fn metrics(&mut self, detail: MetricDetail, form: Exposition) -> String {
        let mut snapshot = self.snapshot();
        for socket in &mut snapshot.sockets {
            // Scenes have no rounds that would find a queue.
            socket.queue.get_or_insert(Queue { length: 0, max: 10 });
        }
        let own = Own { store_bytes: Some(1), ..Own::read() };
        self.metrics.encode_in(detail, &snapshot, &own, form)
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
            incomplete_because: vec!["events of the accept hook lost at least once".to_owned()],
            hooks: vec![hook],
            uptime_seconds: 7,
            version: "0.1.0".into(),
        }
    }

    fn series(&mut self, range: &SeriesRange) -> Result<Series, SeriesError> {
        if range.socket == "/none" {
            return Err(SeriesError::NoHistory("there is no history; set [store] directory"));
        }
        if let Some((history, _)) = &self.history {
            return minutes::series(history, range);
        }
        let point = Point { at: range.from_ms, slots_limit: Some(10), slots_max: 3, ..Point::default() };
        let program =
            ProgramPoint { at: range.from_ms, program: "/bin/a".to_owned(), open_last: 3, opened: 4 };
        Ok(Series { points: vec![Point::default(), point], programs: vec![program] })
    }
}
