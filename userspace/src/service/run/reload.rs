//! A new configuration while the service runs.

use std::time::Duration;

use super::{Service, begin, otlp::Sending};
use crate::{
    console::say,
    service::{
        alerts::{Alerts, Moment, Saved, Sinks},
        config::{Config, StoreSettings},
    },
    tracer::Tracer,
};

impl Service {
    /// Reads the configuration again. A bad one is refused with a sentence, and the old one stays; so does a part of it that
    /// cannot be had: nothing of that ends the service. What is tracked stays tracked: sockets that are looked for no more are
    /// followed until their connections are closed.
    pub(super) async fn reload(&mut self) {
        let mut config = match Config::load(&self.config.path) {
            Ok(config) => config,
            Err(error) => {
                say(format_args!("{error}; the configuration stays as it was"));
                return;
            }
        };
        self.postpone(&mut config);
        self.renew_alerts(&mut config);
        self.renew_store(&config.store);
        self.renew_sending(&mut config);
        if !self.change_http(&config.http) {
            config.http = self.config.http.clone();
        }
        self.renew_stacks(&mut config);
        let has_renewed = self.renew_targets(&mut config);
        self.config = config;
        if has_renewed && let Err(error) = self.tracer.seed().await {
            say(format_args!("{error}; connections that were open before may be missing"));
        }
        say("the configuration was read again");
    }

    fn renew_stacks(&mut self, config: &mut Config) {
        if config.stacks == self.config.stacks {
            return;
        }
        if let Err(error) = self.tracer.change_stacks(config.stacks) {
            say(format_args!("{error}; stacks in the configuration stays as it was"));
            config.stacks = self.config.stacks;
        }
    }

    /// True if there may be others now. If the kernel side cannot be told of them, the old ones stay.
    fn renew_targets(&mut self, config: &mut Config) -> bool {
        let selection = begin::selection(config, &self.view);
        let Tracer { probe, session, .. } = &mut self.tracer;
        let told = probe.control.look_for(selection.wanted()).and_then(|()| probe.reconsider());
        let Err(error) = told else {
            session.reconfigure(selection, config.limits(&self.view));
            return true;
        };
        say(format_args!("{error:#}; [[target]] stays as it was"));
        config.targets.clone_from(&self.config.targets);
        if let Err(error) = probe.control.look_for(session.selection().wanted()) {
            say(format_args!("{error:#}; restart the service"));
        }
        false
    }

    /// What takes effect when the service is restarted stays as it is until then.
    fn postpone(&self, config: &mut Config) {
        let old = &self.config;
        let changed = [
            ("leak_age", old.leak_age != config.leak_age),
            ("by", old.by != config.by),
            ("use", old.usage != config.usage),
            ("[archive]", old.archive != config.archive),
            ("directory in [store]", old.store.directory != config.store.directory),
            ("[probe]", format!("{:?}", old.probe) != format!("{:?}", config.probe)),
        ];
        for (what, _) in changed.into_iter().filter(|(_, changed)| *changed) {
            say(format_args!(
                "{what} of the configuration changed: that takes effect when the service is restarted"
            ));
        }
        (config.leak_age, config.by, config.probe) = (old.leak_age, old.by, old.probe);
        config.usage = old.usage;
        config.archive.clone_from(&old.archive);
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
        let saved = Saved::of(&self.alerts, self.sinks.undelivered());
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
