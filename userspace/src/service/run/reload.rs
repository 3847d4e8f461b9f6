//! A new configuration while the service runs.

use std::time::Duration;

use super::{Service, begin};
use crate::{
    console::say,
    failure::Failure,
    service::{
        alerts::{Alerts, Moment, Saved, Sinks},
        config::Config,
    },
};

impl Service {
    /// Reads the configuration again. A bad one is refused with a sentence, and the old one stays. What is tracked stays tracked:
    /// sockets that are looked for no more are followed until their connections are closed.
    pub(super) async fn reload(&mut self) -> Result<(), Failure> {
        let config = match Config::load(&self.config.path) {
            Ok(config) => config,
            Err(error) => {
                say(format_args!("{error}; the configuration stays as it was"));
                return Ok(());
            }
        };
        self.tell_what_needs_a_restart(&config);
        self.renew_alerts(&config);
        let selection = begin::selection(&config, &self.machine);
        self.tracer.session.reconfigure(selection, config.limits());
        self.tracer.probe.reconsider()?;
        self.tracer.probe.control.look_for(self.tracer.session.selection.wanted())?;
        self.config = config;
        self.tracer.seed().await?;
        say("the configuration was read again");
        Ok(())
    }

    fn tell_what_needs_a_restart(&self, config: &Config) {
        let old = &self.config;
        let changed = [
            ("[store]", old.store != config.store),
            ("[probe]", format!("{:?}", old.probe) != format!("{:?}", config.probe)),
            ("[http]", old.http != config.http),
            ("[otlp]", old.otlp != config.otlp),
            ("stacks", old.stacks != config.stacks),
            ("leak_age", old.leak_age != config.leak_age),
            ("by", old.by != config.by),
        ];
        for (what, _) in changed.into_iter().filter(|(_, changed)| *changed) {
            say(format_args!(
                "{what} of the configuration changed: that takes effect when the service is restarted"
            ));
        }
    }

    /// What was told stays told.
    fn renew_alerts(&mut self, config: &Config) {
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
            Err(error) => say(format_args!("{error}; alerts stay as they were")),
        }
    }
}
