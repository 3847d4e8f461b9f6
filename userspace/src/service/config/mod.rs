//! The service's configuration: one TOML file, every key of it known and checked before anything is done.
//!
//! [`Config::parse`] is pure; [`Config::check_files`] looks at the token files that it names. Whatever is wrong is one
//! sentence with file, line, key and remedy: a [`ConfigError`], which is for the user a wrong usage
//! ([`crate::failure::Failure::Usage`]).

mod credentials;
mod error;
mod place;
mod read;
mod schema;
mod section;
mod settings;
mod token;
mod value;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use sockleak_core::attribution::{by::By, limits::GivenLimit};
use toml::de::DeTable;

pub use credentials::{CredentialsError, CredentialsFile};
pub use error::ConfigError;
pub use place::{Place, PlaceKind};
pub use settings::{
    AlertSettings, ArchiveSettings, HttpSettings, Listen, OtlpSettings, SinkSettings, StoreSettings,
    TargetSettings,
};
pub use token::{Token, TokenError, TokenFile};

use crate::{
    probe::options::{Options, StackPolicy, UsePolicy},
    view::View,
};
use error::Source;
use schema::{ALERTS, ARCHIVE, HTTP, OTLP, PROBE, STORE, TARGET, TOP};
use section::Section;

/// Where it is unless the user says otherwise.
pub const DEFAULT_PATH: &str = "/etc/sockleak/config.toml";

/// What the service is told to do.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file that says so.
    pub path: PathBuf,
    /// Age from which a connection counts as old.
    pub leak_age: Duration,
    /// What figures and findings are grouped by.
    pub by: By,
    /// When stacks are taken.
    pub stacks: StackPolicy,
    /// When it is noted that an end sends something.
    pub usage: UsePolicy,
    /// The sockets to watch: at least one.
    pub targets: Vec<TargetSettings>,
    /// When to raise an alert, and whom to tell.
    pub alerts: AlertSettings,
    /// What is kept.
    pub store: StoreSettings,
    /// Where closed segments of that go.
    pub archive: Option<ArchiveSettings>,
    /// Where the service answers.
    pub http: HttpSettings,
    /// Whom figures are sent to.
    pub otlp: Option<OtlpSettings>,
    /// How to hook into the kernel.
    pub probe: Options,
}

impl Config {
    /// Reads the file, and looks at the files that it names.
    ///
    /// # Errors
    /// If it cannot be read, something in it is wrong, or a token file cannot be used.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let whole = |message| ConfigError { path: path.to_owned(), line: None, message };
        let text = fs::read(path).map_err(|error| {
            whole(format!(
                "the configuration cannot be read ({error}); create it, or name another with --config"
            ))
        })?;
        let text = String::from_utf8(text);
        let text = text.map_err(|_| whole("the configuration is not UTF-8; save it as that".to_owned()))?;
        let config = Self::parse(&text, path)?;
        config.check_files()?;
        Ok(config)
    }

    /// Makes settings of the text of the file at `path`.
    ///
    /// # Errors
    /// If it is no TOML, has a key that is not known, or a value that cannot be used.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let source = Source { path, text };
        let table = DeTable::parse(text).map_err(|error| {
            let message = error.message().replace('\n', ", ");
            source.error(
                error.span().map_or(0, |span| span.start),
                format!("this is not TOML: {message}; correct it"),
            )
        })?;
        let mut top = Section::new(source, &TOP, table)?;
        let leak_age = top.take("leak_age").map_or(Ok(Duration::from_mins(1)), |age| age.duration())?;
        let by = top.take("by").map_or(Ok(By::default()), |by| by.choice())?;
        let stacks = top.take("stacks").map_or(Ok(StackPolicy::default()), |stacks| stacks.choice())?;
        let usage = top.take("use").map_or(Ok(UsePolicy::default()), |usage| usage.choice())?;
        let targets = read::targets(top.sections("target", &TARGET)?)?;
        let config = Self {
            path: path.to_owned(),
            leak_age,
            by,
            stacks,
            usage,
            targets,
            alerts: read::alerts(top.section("alerts", &ALERTS)?)?,
            store: read::store(top.section("store", &STORE)?)?,
            archive: read::archive(top.section("archive", &ARCHIVE)?)?,
            http: read::http(top.section("http", &HTTP)?)?,
            otlp: read::otlp(top.section("otlp", &OTLP)?)?,
            probe: read::probe(top.section("probe", &PROBE)?)?,
        };
        // Last, so that a misspelt [[target]] is what is told.
        if config.targets.is_empty() {
            let message = "no socket is named; add a section [[target]] with for example socket = \"/run/haproxy/ma.sock\"";
            return Err(ConfigError { path: path.to_owned(), line: None, message: message.to_owned() });
        }
        Ok(config)
    }

    /// Looks at the files of secrets that it names.
    ///
    /// # Errors
    /// If one cannot be read, may be read by everybody, or holds no secret.
    pub fn check_files(&self) -> Result<(), ConfigError> {
        let sinks = self.alerts.sinks.iter().filter_map(|sink| match sink {
            SinkSettings::Webhook { token, .. } | SinkSettings::Otlp { token, .. } => token.as_ref(),
            SinkSettings::Log | SinkSettings::File { .. } => None,
        });
        let mut archive = self.archive.iter().filter_map(|archive| archive.credentials.as_ref());
        archive.try_for_each(|file| file.check(&self.path))?;
        let otlp = self.otlp.iter().filter_map(|otlp| otlp.token.as_ref());
        self.http.token.iter().chain(sinks).chain(otlp).try_for_each(|token| token.check(&self.path))
    }

    /// The limits of its targets. Looks at the file system: a path that leads over symbolic links is a limit for where it
    /// leads to as well, since a listener is called by that.
    #[must_use]
    pub fn limits(&self, view: &View) -> Vec<GivenLimit> {
        let mut limits = Vec::new();
        for TargetSettings { target, limit } in &self.targets {
            let Some(limit) = limit else { continue };
            let given = target.given();
            let mut texts = vec![format!("{given}={limit}")];
            if let Some(resolved) = resolve(view, given) {
                texts.push(format!("{}={limit}", globset::escape(&resolved)));
            }
            // What is a target is a valid pattern: its globs were parsed, and it is not empty.
            limits.extend(texts.iter().filter_map(|text| GivenLimit::parse(text).ok()));
        }
        limits
    }

    /// A configuration with every key in it, each with a comment.
    #[must_use]
    pub const fn example() -> &'static str {
        include_str!("../../../../docs/config.example.toml")
    }
}

/// Where a path to a socket, which need not exist yet, leads to, if that is elsewhere.
fn resolve(view: &View, given: &str) -> Option<String> {
    let path = Path::new(given);
    if !path.is_absolute() || globset::escape(given) != given {
        return None;
    }
    let resolved = view.resolve(path).or_else(|error| {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Err(error) };
        Ok(view.resolve(folder)?.join(name))
    });
    resolved.ok()?.into_os_string().into_string().ok().filter(|resolved| resolved != given)
}

#[cfg(test)]
mod tests;
