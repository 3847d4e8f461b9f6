//! What the service answers to those who ask over HTTP; see [`crate::service::link`] for why it never sees HTTP itself.

use std::{borrow::Cow, fs, io, os::fd::OwnedFd, path::Path, thread, time::Duration};

use anyhow::Context as _;

use super::Service;
use crate::{
    attribution::by::By,
    clock,
    failure::Failure,
    service::{
        config::{Config, Listen, TokenFile},
        link::{
            Answers, Asked, Settings,
            answer::{Health, HealthStatus, HookReport, Series},
            connections::Page,
            question::{ConnectionFilter, SeriesRange},
            respond,
            story::Story,
        },
        metrics::Own,
        snapshot::Snapshot,
        web::{listen::Address, process::Web},
    },
};

/// Listens, and gets the web process ready. None if nobody is to be answered. To be called while the privileges are there.
pub(super) fn prepare(config: &Config, host: &str) -> Result<Option<Web>, Failure> {
    let addresses = config.http.listen.iter().map(|listen| match listen {
        Listen::Tcp(address) => Address::Tcp(*address),
        Listen::Unix(path) => Address::Unix(path.clone()),
    });
    let listeners = addresses.map(|address| {
        let bound = bind(&address);
        bound.with_context(|| format!("{address} cannot be listened on; change listen in [http], or free it"))
    });
    let listeners: Vec<OwnedFd> = listeners.collect::<Result<_, _>>()?;
    if listeners.is_empty() {
        return Ok(None);
    }
    let token = config.http.token.as_ref().map(TokenFile::read).transpose().map_err(Failure::Usage)?;
    let settings = Settings {
        names: vec![host.to_owned()],
        token: token.map(|token| token.secret().to_owned()),
        names_are_private: config.by == By::Cmdline,
    };
    let web = Web::new("/proc/self/exe".into(), listeners, settings);
    Ok(Some(web.context("the process that answers HTTP cannot be made ready")?))
}

/// The web process of a service that was killed lets go of its addresses when it notices.
fn bind(address: &Address) -> io::Result<OwnedFd> {
    const TIMES: u32 = 20;
    const PAUSE: Duration = Duration::from_millis(100);
    let mut bound = address.bind();
    for _ in 0..TIMES {
        if !bound.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse) {
            break;
        }
        thread::sleep(PAUSE);
        bound = address.bind();
    }
    bound
}

/// The next question; never, if nobody can ask.
pub(super) async fn next(web: &mut Option<Web>) -> Asked {
    match web {
        Some(web) => web.next().await,
        None => std::future::pending().await,
    }
}

impl Service {
    pub(super) fn answer(&mut self, asked: &Asked) {
        let answer = respond(self, &asked.question);
        if let Some(web) = &mut self.web {
            web.answer(asked.id, &answer);
        }
    }

    /// What the service costs.
    pub(super) fn own(&self) -> Own {
        let web = self.web.as_ref();
        Own {
            started_ms: self.clock.timestamp(self.began).as_millisecond(),
            store_bytes: Some(size(&self.config.store.directory)),
            events_dropped: web.map_or(0, Web::events_dropped),
            web_restarts: web.map_or(0, Web::restarts),
            ..Own::read()
        }
    }

    /// Tells those who listen what has happened.
    pub(super) fn tell(&mut self) {
        let keeper = &mut self.tracer.audience;
        if let Some(web) = &mut self.web {
            keeper.is_heard = web.wants_events();
            for event in keeper.events.drain(..) {
                web.event(&event);
            }
        }
    }
}

impl Answers for Service {
    fn metrics(&mut self) -> String {
        let (snapshot, own) = (self.snapshot(), self.own());
        self.metrics.encode(&snapshot, &own)
    }

    fn health(&mut self) -> Health {
        let because = self.trouble.clone();
        let age = clock::now().saturating_sub(self.began);
        Health {
            status: if because.is_empty() { HealthStatus::Ok } else { HealthStatus::Degraded },
            because,
            incomplete_because: self.frame().missing(&self.tracer.session),
            hooks: self.tracer.probe.hooks.iter().map(HookReport::from).collect(),
            uptime_seconds: age / 1_000_000_000,
            version: Cow::Borrowed(env!("CARGO_PKG_VERSION")),
        }
    }

    fn snapshot(&mut self) -> Snapshot {
        Self::snapshot(self)
    }

    fn connections(&mut self, filter: &ConnectionFilter) -> Page<'_> {
        Page::new(&self.tracer.session, &self.tracer.audience.closed, clock::now(), filter)
    }

    fn connection(&mut self, id: u64) -> Option<Story<'_>> {
        Story::new(&self.tracer.session, &self.tracer.audience.closed, clock::now(), &self.clock, id)
    }

    fn series(&mut self, range: &SeriesRange) -> Result<Series, String> {
        self.minutes.series(range)
    }
}

/// Bytes of the files in a directory.
fn size(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).map(|it| it.len()).sum()
}
