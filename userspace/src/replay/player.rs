//! A recording under way: what is due goes into the session, and what is asked is answered from it.

use std::{borrow::Cow, time::Duration};

use anyhow::Context as _;
use serde_json::Value;
use sockleak_core::{
    assess::{Coverage, Report},
    attribution::{by::By, limits::GivenLimit, selection::Selection},
    event::Record,
    session::{Notice, Session, Settings},
    time::Clock,
};

use super::{
    minutes::Minutes,
    pace::{Pace, Speed},
    read_ahead::{Peek, ReadAhead},
    recorded::{Recorded, Source},
};
use crate::{
    clock,
    failure::Failure,
    probe::status::HookStatus,
    service::{
        link::{
            Answers, Played, Present, Sight,
            answer::{Health, HealthStatus, HookReport, Series, SeriesError},
            closed::Closed,
            gathered::Gathered,
            playing::{Control, PlayState, Playing},
            question::SeriesRange,
        },
        metrics::{Exposition, MetricDetail, Metrics, Own},
        snapshot::Surroundings,
    },
};

/// Steps between two moments at which questions are answered: a few milliseconds' worth.
const STEPS: usize = 2048;
/// Looks at the history are as long as many records.
const LOOK: usize = 64;

/// What the user chose.
#[derive(Clone, Debug)]
pub struct Choices {
    /// How fast.
    pub speed: Speed,
    /// So long after its beginning the recording is played from; everything before happens at once.
    pub from: Duration,
    /// So long after its beginning it stops; None: at its end.
    pub to: Option<Duration>,
    /// What figures and findings are grouped by.
    pub by: By,
    /// Age from which a connection counts as old, in nanoseconds, instead of the recorded one.
    pub leak_age: Option<u64>,
    /// Slots of sockets, besides those that were recorded.
    pub limits: Vec<GivenLimit>,
}

/// When there is something to do again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// At once: more is due.
    Now,
    /// So long after it began.
    After(Duration),
    /// When more of the recording is read.
    Read,
    /// Never: it is over.
    Never,
}

/// Where it stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// What is before the part that is played goes in.
    #[default]
    Starting,
    /// It is played.
    Playing,
    /// The end is reached, and what is known stays.
    Over,
}

/// A recording under way.
pub struct Player {
    source: Source,
    targets: Vec<String>,
    /// Nothing after this moment is read.
    until: Option<u64>,
    session: Session,
    records: ReadAhead,
    pace: Pace,
    /// How long ago the replay began.
    elapsed: Duration,
    clock: Clock,
    /// Its moment is the present one.
    frame: Coverage,
    host: String,
    kernel: String,
    hooks: Vec<HookStatus>,
    minutes: Minutes,
    closed: Closed,
    metrics: Metrics,
    stage: Stage,
    events: Gathered,
}

impl Player {
    /// Makes ready to play.
    ///
    /// # Errors
    /// If the choices do not fit the recording, or no thread can be started that reads it.
    pub fn new(recorded: Recorded, choices: &Choices) -> Result<Self, Failure> {
        let Recorded { header, progress, name, source, .. } = recorded;
        let after =
            |duration: Duration| header.started.saturating_add(sockleak_core::time::nanoseconds(duration));
        let from = after(choices.from);
        let to = choices.to.map_or(progress.now, |to| after(to).min(progress.now));
        if from > to {
            let length = sockleak_core::time::human(progress.now.saturating_sub(header.started));
            return Err(Failure::Usage(format!(
                "there is nothing to play: {name} lasts for {length}; give an earlier --from, or a --to after it"
            )));
        }
        let recorded_limits = header.limits.iter().filter_map(|limit| GivenLimit::parse(limit).ok());
        let settings = Settings {
            started: header.started,
            leak_age: choices.leak_age.unwrap_or(header.leak_age),
            // The last that fits counts.
            limits: recorded_limits.chain(choices.limits.iter().cloned()).collect(),
            by: choices.by,
        };
        let clock = clock::booted_at(header.boot_time);
        let until = choices.to.map(|_| to);
        let records = ReadAhead::start(source.clone(), until).context("the recording cannot be read")?;
        Ok(Self {
            source,
            until,
            elapsed: Duration::ZERO,
            session: Session::new(Selection::recorded(header.targets.clone()), settings),
            targets: header.targets,
            records,
            pace: Pace::new(choices.speed, from, to),
            events: Gathered::new(clock.clone()),
            clock,
            frame: Coverage { now: header.started, ..progress },
            host: header.host,
            kernel: header.kernel,
            // Of another version they may look different: then there is nothing to tell of them.
            hooks: serde_json::from_value(header.hooks).unwrap_or_default(),
            minutes: Minutes::new(header.started, to)?,
            closed: Closed::default(),
            metrics: Metrics::default(),
            stage: Stage::Starting,
        })
    }

    /// Does what is due so long after it began, or a part of it.
    ///
    /// # Errors
    /// If the recording is damaged.
    pub fn advance(&mut self, elapsed: Duration) -> Result<Next, Failure> {
        self.elapsed = self.elapsed.max(elapsed);
        let moment = self.pace.moment(elapsed);
        let mut steps = 0;
        while steps < STEPS {
            let (record, at) = match self.records.peek()? {
                Peek::Unread => return Ok(Next::Read),
                // What was recorded after the end's own moment belongs to the end.
                Peek::Record(at) => (true, at.min(self.pace.to())),
                Peek::Over => (false, self.pace.to()),
            };
            let reached = at.min(moment);
            if self.minutes.next() <= reached {
                self.minutes.look(&self.session, &self.clock)?;
                steps += LOOK;
                continue;
            }
            self.reach(reached);
            if at > moment {
                return Ok(Next::After(self.pace.due(at)));
            }
            if !record {
                self.end()?;
                return Ok(Next::Never);
            }
            if let Some(next) = self.records.take() {
                self.feed(next.record);
            }
            steps += 1;
        }
        Ok(Next::Now)
    }

    /// It is this moment, or a later one already.
    fn reach(&mut self, moment: u64) {
        self.frame.now = self.frame.now.max(moment);
        if self.stage == Stage::Starting && moment >= self.pace.from() {
            self.stage = Stage::Playing;
        }
    }

    fn feed(&mut self, record: Record) {
        let effect = self.session.feed(record);
        if let Some(Notice::Seen(seen)) = effect.notice {
            self.events.see(&seen);
        }
        if let Some(closed) = &effect.closed {
            self.closed.note(closed);
        }
    }

    fn end(&mut self) -> Result<(), Failure> {
        if self.stage != Stage::Over {
            self.stage = Stage::Over;
            self.minutes.end(self.frame.now, &self.session, &self.clock)?;
        }
        Ok(())
    }

    /// Waits until more of the recording is read.
    pub async fn read_on(&mut self) {
        self.records.read_on().await;
    }

    /// Where it stands.
    #[must_use]
    pub const fn stage(&self) -> Stage {
        self.stage
    }

    /// Events that happened since this was asked last, if somebody wanted to hear of them. `is_heard`: somebody wants to from now on.
    /// What is before the moment that was asked for is not played, so nobody hears of it.
    pub fn told(&mut self, is_heard: bool) -> Vec<Value> {
        let events = self.events.take(is_heard);
        if self.stage == Stage::Starting { Vec::new() } else { events }
    }

    /// Goes on from another moment, at another speed, or not for now.
    ///
    /// # Errors
    /// If the recording cannot be read again.
    pub fn control(&mut self, control: &Control) -> Result<(), Failure> {
        let Control { is_paused, speed, at_ms } = *control;
        let begin = self.session.settings().started;
        let asked = at_ms.map(|at_ms| {
            let after = at_ms.saturating_sub(self.milliseconds(begin));
            let after = u64::try_from(after).unwrap_or(0).saturating_mul(1_000_000);
            begin.saturating_add(after).min(self.pace.to())
        });
        let moment = asked.unwrap_or_else(|| self.pace.moment(self.elapsed));
        // All at once has no moment but its end.
        let is_at_once = self.pace.speed() == Speed::AtOnce;
        let speed = match (speed, asked) {
            (Some(millionths), _) => Speed::Times(millionths as f64 / 1e6),
            (None, Some(_)) if is_at_once => Speed::Times(1.0),
            (None, _) => self.pace.speed(),
        };
        let stays = self.pace.is_paused() || is_at_once && asked.is_some();
        self.pace = self.pace.changed(speed, moment, is_paused.unwrap_or(stays), self.elapsed);
        if moment < self.frame.now {
            self.rewind()?;
        } else if asked.is_some() && self.stage == Stage::Playing {
            self.stage = Stage::Starting;
        }
        Ok(())
    }

    /// Begins with the recording anew.
    fn rewind(&mut self) -> Result<(), Failure> {
        let settings = self.session.settings().clone();
        let begin = settings.started;
        self.records =
            ReadAhead::start(self.source.clone(), self.until).context("the recording cannot be read")?;
        self.minutes = Minutes::new(begin, self.pace.to())?;
        self.session = Session::new(Selection::recorded(self.targets.clone()), settings);
        self.closed = Closed::default();
        self.metrics = Metrics::default();
        self.events = Gathered::new(self.clock.clone());
        self.frame.now = begin;
        self.stage = Stage::Starting;
        Ok(())
    }

    /// Where it stands.
    #[must_use]
    pub fn playing(&self) -> Playing {
        Playing {
            state: match self.stage {
                Stage::Starting => PlayState::Seeking,
                Stage::Over => PlayState::Ended,
                Stage::Playing if self.pace.is_paused() => PlayState::Paused,
                Stage::Playing => PlayState::Playing,
            },
            at_ms: self.milliseconds(self.frame.now),
            begin_ms: self.milliseconds(self.session.settings().started),
            end_ms: self.milliseconds(self.pace.to()),
            speed: match self.pace.speed() {
                Speed::AtOnce => None,
                Speed::Times(times) => Some(times),
            },
        }
    }

    fn milliseconds(&self, at: u64) -> i64 {
        self.clock.timestamp(at).as_millisecond()
    }

    /// The report of this moment.
    #[must_use]
    pub fn report(&self) -> Report<'_> {
        Report::new(&self.session, self.frame.clone())
    }

    /// What time it is, for those who ask by the clock. To be asked when it begins, and after each change.
    #[must_use]
    pub fn present(&self) -> Present {
        Present::Played(Played {
            began_ms: jiff::Timestamp::now().as_millisecond(),
            begin_ms: self.milliseconds(self.session.settings().started),
            from_ms: self.milliseconds(self.pace.from()),
            to_ms: self.milliseconds(self.pace.to()),
            speed: self.pace.millionths(),
        })
    }

    /// When it is, as the recording's clock has it: local time, as `15:04:05`.
    #[must_use]
    pub fn time_of_day(&self) -> String {
        self.clock.time_of_day(self.frame.now)
    }
}

impl Answers for Player {
    fn sight(&self) -> Sight<'_> {
        let around =
            Surroundings { clock: &self.clock, host: &self.host, kernel: &self.kernel, hooks: &self.hooks };
        Sight { session: &self.session, closed: &self.closed, now: self.frame.now, around }
    }

    fn coverage(&self) -> Coverage {
        self.frame.clone()
    }

    fn origin(&self) -> Cow<'static, str> {
        format!("replay at {}", self.time_of_day()).into()
    }

    fn metrics(&mut self, detail: MetricDetail, form: Exposition) -> String {
        let snapshot = self.snapshot();
        self.metrics.encode_in(detail, &snapshot, &Own::read(), form)
    }

    fn health(&mut self) -> Health {
        let because = self.frame.missing(&self.session);
        let played = self.frame.now.saturating_sub(self.session.settings().started);
        Health {
            status: match (self.stage, because.is_empty()) {
                (Stage::Starting, _) => HealthStatus::Starting,
                (_, true) => HealthStatus::Ok,
                (_, false) => HealthStatus::Degraded,
            },
            incomplete_because: because.clone(),
            because,
            hooks: self.hooks.iter().map(HookReport::from).collect(),
            uptime_seconds: played / 1_000_000_000,
            version: Cow::Borrowed(env!("CARGO_PKG_VERSION")),
        }
    }

    fn series(&mut self, range: &SeriesRange) -> Result<Series, SeriesError> {
        self.minutes.series(range)
    }

    fn replay(&mut self, control: &Control) -> Option<Result<Playing, Failure>> {
        let changed = if control.is_change() { self.control(control) } else { Ok(()) };
        Some(changed.map(|()| self.playing()))
    }
}
