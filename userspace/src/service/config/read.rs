//! From sections to settings.

use std::{net::SocketAddr, path::Path, time::Duration};

use hyper::Uri;
use sockleak_core::{attribution::targets::Target, verdict::Verdict};

use super::{
    credentials::CredentialsFile,
    error::ConfigError,
    place::Place,
    schema::SINK,
    section::Section,
    settings::{
        AlertSettings, ArchiveSettings, HttpSettings, Listen, OtlpSettings, SinkSettings, StoreSettings,
        TargetSettings,
    },
    token::TokenFile,
    value::{Value, absolute},
};
use crate::probe::options::{HookChoice, Options};

/// Reads `[[target]]`.
pub(super) fn targets(sections: Vec<Section<'_>>) -> Result<Vec<TargetSettings>, ConfigError> {
    let mut targets: Vec<TargetSettings> = Vec::new();
    for mut section in sections {
        let socket = section.require("socket", "/run/haproxy/ma.sock")?;
        if targets.len() >= MOST_TARGETS {
            return Err(socket.error(format!(
                "is one target too many; write at most {MOST_TARGETS}, for example by globs that stand for several"
            )));
        }
        let target = socket.read(|text| {
            if text.contains('/') && !text.starts_with(['/', '@']) {
                return Err("a service has no directory of its own; write the path from / on".to_owned());
            }
            Target::parse(text, Path::new("/")).map_err(|error| error.to_string())
        })?;
        // As paths, so that one slash more makes no difference.
        let same = |other: &&TargetSettings| Path::new(other.target.given()) == Path::new(target.given());
        if targets.iter().any(|other| same(&other)) {
            return Err(socket.error(format!("is {:?} a second time; remove one of the two", target.given())));
        }
        let limit = section.take("limit").map(|limit| limit.number(1..=MOST_SLOTS)).transpose()?;
        targets.push(TargetSettings { target, limit });
    }
    Ok(targets)
}

/// The kernel side looks for so many names.
const MOST_TARGETS: usize = 1024;
/// More slots than any server has.
const MOST_SLOTS: u64 = 1_000_000_000;

/// Reads `[alerts]`.
pub(super) fn alerts(section: Option<Section<'_>>) -> Result<AlertSettings, ConfigError> {
    let mut settings = AlertSettings::default();
    let Some(mut section) = section else { return Ok(settings) };
    if let Some(percent) = section.take("slots_percent") {
        // The bounds fit.
        settings.slots_percent = percent.number(0..=100)? as u8;
    }
    if let Some(forecast) = section.take("forecast") {
        let off = forecast.value.as_str() == Some("off");
        settings.forecast = if off { None } else { Some(forecast.duration()?) };
    }
    if let Some(quiet) = section.take("for") {
        settings.quiet = quiet.duration_or_zero()?;
    }
    if let Some(findings) = section.take("findings") {
        settings.findings = verdicts(findings)?;
    }
    if let Some(degraded) = section.take("degraded") {
        settings.degraded = degraded.flag()?;
    }
    let sinks = section.sections("sink", &SINK)?;
    if !sinks.is_empty() {
        settings.sinks = sinks.into_iter().map(sink).collect::<Result<_, _>>()?;
    }
    Ok(settings)
}

fn verdicts(list: Value<'_>) -> Result<Vec<Verdict>, ConfigError> {
    let mut verdicts = Vec::new();
    for name in list.list("verdicts")? {
        let verdict = name.read(str::parse::<Verdict>)?;
        if verdict == Verdict::Healthy {
            return Err(name.error("has \"healthy\", of which nobody need be told; remove it"));
        }
        verdicts.push(verdict);
    }
    verdicts.sort_unstable_by(|a, b| b.cmp(a));
    verdicts.dedup();
    Ok(verdicts)
}

fn sink(mut section: Section<'_>) -> Result<SinkSettings, ConfigError> {
    let kind = section.require("kind", "log")?;
    let (settings, own): (_, &[&str]) = match kind.text()? {
        "log" => (SinkSettings::Log, &[]),
        "file" => {
            let path = section.require("path", "/var/log/sockleak/alerts.jsonl")?.path()?;
            (SinkSettings::File { path }, &["path"])
        }
        kind @ ("webhook" | "otlp") => {
            let example =
                if kind == "otlp" { "http://127.0.0.1:4318" } else { "https://alerts.example/sockleak" };
            let url = url(&section.require("url", example)?)?;
            let token = section.take("token_file").map(|token| token_file(&token)).transpose()?;
            let settings = match kind {
                "otlp" => SinkSettings::Otlp { url, token },
                _ => SinkSettings::Webhook { url, token },
            };
            (settings, &["url", "token_file"])
        }
        other => {
            return Err(kind.error(format!("is {other:?}; write \"log\", \"file\", \"webhook\" or \"otlp\"")));
        }
    };
    for (key, home) in
        [("url", "webhook\" or \"otlp"), ("token_file", "webhook\" or \"otlp"), ("path", "file")]
    {
        if let Some(stray) = section.take(key).filter(|_| !own.contains(&key)) {
            return Err(stray.error(format!("is of kind = \"{home}\" alone; remove it, or change the kind")));
        }
    }
    Ok(settings)
}

/// Reads an address of the web. It is not repeated in messages: it may hold a secret.
fn url(value: &Value<'_>) -> Result<Uri, ConfigError> {
    let wrong = |what: &str| value.error(format!("{what}; write http://HOST[:PORT]/PATH or https://…"));
    let uri: Uri = value.text()?.parse().map_err(|_| wrong("is no address of the web"))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(wrong("begins with neither http:// nor https://"));
    }
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    if authority.contains('@') {
        return Err(value.error("has a user name or password in it; put a token into token_file instead"));
    }
    if uri.host().is_none_or(str::is_empty) {
        return Err(wrong("names no host"));
    }
    Ok(uri)
}

fn token_file(value: &Value<'_>) -> Result<TokenFile, ConfigError> {
    Ok(TokenFile { path: value.path()?, line: value.line() })
}

/// Reads `[store]`.
pub(super) fn store(section: Option<Section<'_>>) -> Result<StoreSettings, ConfigError> {
    const LEAST: u64 = 16 << 20;

    let mut settings = StoreSettings::default();
    let Some(mut section) = section else { return Ok(settings) };
    if let Some(directory) = section.take("directory") {
        settings.directory = directory.path()?;
    }
    if let Some(keep) = section.take("keep") {
        settings.keep = keep.duration()?;
    }
    if let Some(size) = section.take("max_bytes") {
        settings.max_bytes = size.size(LEAST)?;
    }
    if let Some(keep) = section.take("history_keep") {
        settings.history_keep = keep.duration()?;
    }
    Ok(settings)
}

/// Reads `[archive]`.
pub(super) fn archive(section: Option<Section<'_>>) -> Result<Option<ArchiveSettings>, ConfigError> {
    const USUAL: u64 = 8 << 20;
    const LEAST: u64 = 64 << 10;

    let Some(mut section) = section else { return Ok(None) };
    let place = section.require("url", "s3://bucket/sockleak")?.read(Place::parse)?;
    let credentials = section.take("credentials_file").map(|file| {
        let path = file.path()?;
        Ok(CredentialsFile::new(path, file.line()))
    });
    let command_lines = section.take("command_lines").map_or(Ok(false), |wanted| wanted.flag())?;
    let bandwidth = section.take("bandwidth").map_or(Ok(USUAL), |size| size.size(LEAST))?;
    Ok(Some(ArchiveSettings { place, credentials: credentials.transpose()?, command_lines, bandwidth }))
}

/// Reads `[http]`.
pub(super) fn http(section: Option<Section<'_>>) -> Result<HttpSettings, ConfigError> {
    let mut settings = HttpSettings::default();
    let Some(mut section) = section else { return Ok(settings) };
    let token = section.take("token_file");
    settings.token = token.as_ref().map(token_file).transpose()?;
    let Some(addresses) = section.take("listen") else { return Ok(settings) };
    if addresses.value.as_str() == Some("off") {
        settings.listen.clear();
        return Ok(settings);
    }
    settings.listen.clear();
    for value in addresses.one_or_more("addresses")? {
        let address = value.read(listen)?;
        if settings.listen.contains(&address) {
            return Err(value.error(format!("has {:?} twice; remove one", value.text()?)));
        }
        if !address.is_local() && settings.token.is_none() {
            let given = value.text()?;
            return Err(value.error(format!(
                "is {given:?}, which others than this host can reach; add token_file = \"/etc/sockleak/token\" to [http], \
                 or listen on 127.0.0.1"
            )));
        }
        settings.listen.push(address);
    }
    Ok(settings)
}

fn listen(text: &str) -> Result<Listen, &'static str> {
    if let Some(path) = text.strip_prefix("unix:") {
        return absolute(path).map(Listen::Unix);
    }
    if text == "off" {
        return Err("that switches everything off; write it alone, without a list");
    }
    let address: Result<SocketAddr, _> = text.parse();
    address.map(Listen::Tcp).map_err(|_| {
        "that is no address; write for example \"127.0.0.1:9436\", \"[::1]:9436\", \"unix:/run/sockleak/http.sock\" or \"off\""
    })
}

/// Reads `[otlp]`.
pub(super) fn otlp(section: Option<Section<'_>>) -> Result<Option<OtlpSettings>, ConfigError> {
    const EVERY: Duration = Duration::from_secs(30);
    const LEAST: Duration = Duration::from_secs(1);

    let Some(mut section) = section else { return Ok(None) };
    let endpoint = url(&section.require("endpoint", "http://127.0.0.1:4318")?)?;
    let mut interval = EVERY;
    if let Some(given) = section.take("interval") {
        interval = given.duration()?;
        if interval < LEAST {
            return Err(given.error("is shorter than a second; write at least \"1s\""));
        }
    }
    let detail = section.take("detail").map(|detail| detail.choice()).transpose()?.unwrap_or_default();
    let token = section.take("token_file").map(|token| token_file(&token)).transpose()?;
    Ok(Some(OtlpSettings { endpoint, interval, detail, token }))
}

/// Reads `[probe]`.
pub(super) fn probe(section: Option<Section<'_>>) -> Result<Options, ConfigError> {
    const LARGEST_RING: u64 = 1 << 30;

    let mut settings = Options { hooks: HookChoice::Auto, ring_size: None, max_connections: None };
    let Some(mut section) = section else { return Ok(settings) };
    if let Some(hooks) = section.take("hooks") {
        settings.hooks = hooks.choice()?;
    }
    if let Some(size) = section.take("ring_size") {
        let bytes = size.size(4096)?;
        if !bytes.is_power_of_two() || bytes > LARGEST_RING {
            return Err(size.error(format!(
                "is {bytes} bytes; write a power of two from \"4KiB\" to \"1GiB\", for example \"16MiB\""
            )));
        }
        // At most 2^30.
        settings.ring_size = Some(bytes as u32);
    }
    if let Some(most) = section.take("max_connections") {
        // The bounds fit, and are those of the command line.
        settings.max_connections = Some(most.number(1..=4_194_304)? as u32);
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::config::Config;

    #[test]
    fn there_are_no_more_targets_than_the_kernel_has_room_for() {
        let targets = |count: usize| {
            let text: String =
                (0..count).map(|nth| format!("[[target]]\nsocket = \"/run/{nth}.sock\"\n")).collect();
            Config::parse(&text, Path::new("/etc/c.toml"))
        };
        assert_eq!(targets(1024).map(|config| config.targets.len()).ok(), Some(1024));
        let said = targets(1025).map(drop).expect_err("there is no room").to_string();
        assert_eq!(
            said,
            "/etc/c.toml, line 2050: socket in [[target]] is one target too many; write at most 1024, for example by globs \
             that stand for several"
        );
    }

    #[test]
    fn an_archive_is_read_and_refused_in_a_sentence() {
        let parse = |archive: &str| {
            let text = format!("[[target]]\nsocket = \"/a.sock\"\n[archive]\n{archive}");
            Config::parse(&text, Path::new("/c.toml")).map(|config| config.archive.expect("it is there"))
        };
        let archive = parse("url = \"s3://bucket/x\"").expect("it is right");
        assert_eq!((archive.place.url(), archive.bandwidth), ("s3://bucket/x", 8 << 20));
        assert!(!archive.command_lines && archive.credentials.is_none());
        let all =
            "url = \"file:///srv/a\"\ncredentials_file = \"/c\"\ncommand_lines = true\nbandwidth = \"1MiB\"";
        let archive = parse(all).expect("it is right");
        assert!(archive.command_lines && archive.credentials.is_some() && archive.bandwidth == 1 << 20);
        for (given, said) in [
            (
                "bandwidth = \"1MiB\"",
                "line 3: this [archive] has no url; add for example url = \"s3://bucket/sockleak\"",
            ),
            (
                "url = \"https://minio/bucket\"",
                "https:// is no store that sockleak knows; write s3://BUCKET/PREFIX",
            ),
            ("url = \"s3://b\"\nbandwidth = \"1KiB\"", "that is too little; write at least \"64.0 KiB\""),
            ("url = \"s3://b\"\ntoken_file = \"/t\"", "unknown key \"token_file\" in [archive]"),
        ] {
            let error = parse(given).map(drop).expect_err(given).to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
