//! What the service answers to those who ask over HTTP; see [`crate::service::link`] for why it never sees HTTP itself.

use std::{borrow::Cow, fs, io, os::fd::OwnedFd, path::Path, thread, time::Duration};

use anyhow::Context as _;
use sockleak_core::{assess::Coverage, attribution::by::By};

use super::Service;
use crate::{
    clock,
    console::say,
    failure::Failure,
    service::{
        archive::Archive,
        config::{Config, HttpSettings, Listen, TokenError, TokenFile},
        link::{
            Answers, Asked, Present, Settings, Sight,
            answer::{Health, HealthStatus, HookReport, Series, SeriesError},
            question::SeriesRange,
            respond,
        },
        metrics::{AlertCounts, Exposition, MetricDetail, Own},
        web::{listen::Address, process::Web},
    },
};

/// Listens, and gets the web process ready. None if nobody is to be answered. To be called while the privileges are there.
pub(super) fn prepare(config: &Config, host: &str) -> Result<(Option<Web>, Listening), Failure> {
    let listening = Listening::default().change(&config.http.listen, patient);
    let listening = listening.map_err(anyhow::Error::new)?;
    if config.http.listen.is_empty() {
        return Ok((None, listening));
    }
    let settings = settings(&config.http, host, config.by);
    let settings = settings.map_err(|error| Failure::Usage(error.to_string()))?;
    let listeners = listening.descriptors().context("addresses cannot be listened on")?;
    let web = Web::new("/proc/self/exe".into(), listeners, settings);
    let web = web.context("the process that answers HTTP cannot be made ready")?;
    Ok((Some(web), listening))
}

/// How to serve.
fn settings(http: &HttpSettings, host: &str, by: By) -> Result<Settings, TokenError> {
    let token = http.token.as_ref().map(TokenFile::read).transpose()?;
    Ok(Settings {
        names: vec![host.to_owned()],
        token: token.map(|token| token.secret().to_owned()),
        names_are_private: by == By::Cmdline,
        present: Present::System,
    })
}

/// The addresses that are listened on.
#[derive(Debug, Default)]
pub(super) struct Listening(Vec<(Listen, OwnedFd)>);

/// An address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("{}; change listen in [http], or free it", self.what())]
struct ListenError {
    address: Address,
    cause: io::Error,
}

impl ListenError {
    fn what(&self) -> String {
        format!("{} cannot be listened on ({})", self.address, self.cause)
    }
}

/// `[http]` cannot become what the configuration says now.
#[derive(Debug, thiserror::Error)]
enum ChangeError {
    #[error("HTTP was off, and the privileges to start it are given up; restart the service")]
    WasOff,
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error("{}: the privileges for that are given up; restart the service", .0.what())]
    NotPermitted(ListenError),
    #[error(transparent)]
    Listen(ListenError),
    #[error(transparent)]
    Descriptors(io::Error),
}

impl Listening {
    /// Listens on these addresses, of which those that are listened on already are kept.
    fn change(
        &self,
        addresses: &[Listen],
        bind: impl Fn(&Address) -> io::Result<OwnedFd>,
    ) -> Result<Self, ListenError> {
        let listen = |listen: &Listen| {
            let address = match listen {
                Listen::Tcp(address) => Address::Tcp(*address),
                Listen::Unix(path) => Address::Unix(path.clone()),
            };
            let known = self.0.iter().find(|(known, _)| known == listen);
            let listener = known.map_or_else(|| bind(&address), |(_, listener)| listener.try_clone());
            let listener = listener.map_err(|cause| ListenError { address, cause })?;
            Ok((listen.clone(), listener))
        };
        Ok(Self(addresses.iter().map(listen).collect::<Result<_, _>>()?))
    }

    fn descriptors(&self) -> io::Result<Vec<OwnedFd>> {
        self.0.iter().map(|(_, listener)| listener.try_clone()).collect()
    }
}

/// The web process of a service that was killed lets go of its addresses when it notices.
fn patient(address: &Address) -> io::Result<OwnedFd> {
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
    /// Serves as new settings say, from now on. False, with a sentence, if that cannot be: then all is as before.
    pub(super) fn change_http(&mut self, http: &HttpSettings) -> bool {
        let changed = self.try_change_http(http);
        if let Err(error) = &changed {
            say(format_args!("{error}; [http] stays as it was"));
        }
        changed.is_ok()
    }

    fn try_change_http(&mut self, http: &HttpSettings) -> Result<(), ChangeError> {
        if http.listen.is_empty() {
            (self.web, self.listening) = (None, Listening::default());
            return Ok(());
        }
        let Some(web) = &mut self.web else {
            return Err(ChangeError::WasOff);
        };
        // What is grouped by is chosen when the service starts.
        let settings = settings(http, &self.host, self.tracer.session.settings().by)?;
        let mut listeners = None;
        if http.listen != self.config.http.listen {
            let listening = self.listening.change(&http.listen, Address::bind);
            let listening = listening.map_err(|error| match error.cause.kind() {
                io::ErrorKind::PermissionDenied => ChangeError::NotPermitted(error),
                _ => ChangeError::Listen(error),
            })?;
            listeners = Some(listening.descriptors().map_err(ChangeError::Descriptors)?);
            self.listening = listening;
        }
        web.change(listeners, settings);
        Ok(())
    }

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
            archive: self.archive.as_ref().map(Archive::progress),
            web_restarts: web.map_or(0, Web::restarts),
            alerts: self.alert_counts(),
            ..Own::read()
        }
    }

    /// What became of alerts, at all sinks together.
    fn alert_counts(&self) -> AlertCounts {
        self.sinks.counts().iter().fold(AlertCounts::default(), |sum, sink| AlertCounts {
            delivered: sum.delivered + sink.delivered,
            refused: sum.refused + sink.refused,
            dropped: sum.dropped + sink.dropped,
            retried: sum.retried + sink.retried,
            waiting: sum.waiting + sink.waiting,
        })
    }

    /// Tells those who listen what has happened.
    pub(super) fn tell(&mut self) {
        let is_heard = self.web.as_ref().is_some_and(Web::wants_events);
        let events = self.tracer.audience.events.take(is_heard);
        if let Some(web) = &mut self.web {
            events.iter().for_each(|event| web.event(event));
        }
    }
}

impl Answers for Service {
    fn sight(&self) -> Sight<'_> {
        Sight::live(
            &self.tracer,
            &self.tracer.audience.closed,
            &self.clock,
            &self.host,
            &self.machine.release,
        )
    }

    fn coverage(&self) -> Coverage {
        self.frame()
    }

    fn origin(&self) -> Cow<'static, str> {
        "sockleak serve".into()
    }

    fn metrics(&mut self, detail: MetricDetail, form: Exposition) -> String {
        let (snapshot, own) = (self.snapshot(), self.own());
        self.metrics.encode_in(detail, &snapshot, &own, form)
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

    fn series(&mut self, range: &SeriesRange) -> Result<Series, SeriesError> {
        self.minutes.series(range)
    }
}

/// Bytes of the files in a directory.
fn size(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).map(|it| it.len()).sum()
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    fn tcp(port: u16) -> Listen {
        Listen::Tcp(SocketAddr::from(([127, 0, 0, 1], port)))
    }

    /// What is listened on already is not given up for a moment, and cannot be taken twice.
    #[test]
    fn addresses_that_stay_are_kept() {
        let bound = |_: &Address| Address::Tcp(([127, 0, 0, 1], 0).into()).bind();
        let first = Listening::default().change(&[tcp(1), tcp(2)], bound).expect("they are free");
        let names = |listening: &Listening| {
            let descriptors = listening.descriptors().expect("there are descriptors").into_iter();
            descriptors
                .map(|it| std::net::TcpListener::from(it).local_addr().expect("it listens"))
                .collect::<Vec<_>>()
        };
        let wanted = std::cell::RefCell::new(Vec::new());
        let asked = |address: &Address| {
            wanted.borrow_mut().push(address.clone());
            bound(address)
        };
        let second = first.change(&[tcp(2), tcp(3)], asked).expect("they are free");
        assert_eq!(wanted.into_inner(), [Address::Tcp(([127, 0, 0, 1], 3).into())]);
        assert_eq!(names(&second)[0], names(&first)[1]);

        let refused = |_: &Address| Err(io::ErrorKind::PermissionDenied.into());
        let said = second.change(&[tcp(2), tcp(80)], refused).expect_err("it is refused").to_string();
        assert_eq!(
            said,
            "127.0.0.1:80 cannot be listened on (permission denied); change listen in [http], or free it"
        );
        assert!(second.change(&[tcp(3)], refused).is_ok());
    }
}
