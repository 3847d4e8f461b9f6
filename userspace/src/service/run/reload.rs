//! A new configuration while the service runs.

use std::time::Duration;

use super::{Service, begin, otlp::Sending};
use crate::{
    console::say,
    failure::Failure,
    service::{
        alerts::{Alerts, Moment, Saved, Sinks},
        config::{Config, StoreSettings},
    },
};

impl Service {
    /// Reads the configuration again. A bad one is refused with a sentence, and the old one stays. What is tracked stays tracked:
    /// sockets that are looked for no more are followed until their connections are closed.
    pub(super) async fn reload(&mut self) -> Result<(), Failure> {
        let mut config = match Config::load(&self.config.path) {
            Ok(config) => config,
            Err(error) => {
                say(format_args!("{error}; the configuration stays as it was"));
                return Ok(());
            }
        };
        self.postpone(&mut config);
        self.renew_alerts(&mut config);
        self.renew_store(&config.store);
        self.renew_sending(&mut config);
        if !self.change_http(&config.http) {
            config.http = self.config.http.clone();
        }
        if config.stacks != self.config.stacks {
            self.tracer.change_stacks(config.stacks)?;
        }
        let selection = begin::selection(&config, &self.view);
        self.tracer.session.reconfigure(selection, config.limits(&self.view));
        self.tracer.probe.reconsider()?;
        self.tracer.probe.control.look_for(self.tracer.session.selection.wanted())?;
        self.config = config;
        self.tracer.seed().await?;
        say("the configuration was read again");
        Ok(())
    }

    /// What takes effect when the service is restarted stays as it is until then.
    fn postpone(&self, config: &mut Config) {
        let old = &self.config;
        let changed = [
            ("leak_age", old.leak_age != config.leak_age),
            ("by", old.by != config.by),
            ("directory in [store]", old.store.directory != config.store.directory),
            ("[probe]", format!("{:?}", old.probe) != format!("{:?}", config.probe)),
        ];
        for (what, _) in changed.into_iter().filter(|(_, changed)| *changed) {
            say(format_args!(
                "{what} of the configuration changed: that takes effect when the service is restarted"
            ));
        }
        (config.leak_age, config.by, config.probe) = (old.leak_age, old.by, old.probe);
        config.store.directory.clone_from(&old.store.directory);
    }

    fn renew_store(&mut self, settings: &StoreSettings) {
        let old = &self.config.store;
        if (old.max_bytes, old.keep) != (settings.max_bytes, settings.keep) {
            self.tracer.audience.store.keep(settings.max_bytes, settings.keep);
        }
        if (old.max_bytes, old.history_keep) != (settings.max_bytes, settings.history_keep) {
            self.minutes.keep(settings);
        }
    }

    fn renew_sending(&mut self, config: &mut Config) {
        if self.config.otlp == config.otlp {
            return;
        }
        match Sending::begin(config.otlp.as_ref()) {
            Ok(sending) => self.sending = sending,
            Err(error) => {
                say(format_args!("{error}; [otlp] stays as it was"));
                config.otlp.clone_from(&self.config.otlp);
            }
        }
    }

    /// What was told stays told.
    fn renew_alerts(&mut self, config: &mut Config) {
        if self.config.alerts == config.alerts {
            return;
        }
        let saved = Saved::of(&self.alerts, &self.sinks);
        match Sinks::open(&config.alerts.sinks) {
            Ok((sinks, deliveries)) => {
                self.alerts = Alerts::new(&config.alerts, self.host.clone());
                self.alerts.restore(&saved, &Moment::now(), Duration::ZERO);
                sinks.restore(&saved);
                self.sinks = sinks;
                self.deliveries.abort_all();
                for delivery in deliveries {
                    self.deliveries.spawn(delivery.run());
                }
            }
            Err(error) => {
                say(format_args!("{error}; alerts stay as they were"));
                config.alerts.clone_from(&self.config.alerts);
            }
        }
    }
}
