//! Which path asks which question.

use std::time::SystemTime;

use hyper::StatusCode;
use sockleak_core::verdict::UnknownVerdict;

use super::{
    OPENAPI,
    guard::{Access, REPLAY},
    page::{self, View},
    parameters::{Parameters, bad},
    response::Refusal,
};
use crate::service::{
    link::{Answer, Question, Settings, answer::JSON, question::FindingFilter},
    metrics::Exposition,
};

const METRICS: &str = "/metrics";
const EXPLAIN: &str = "/explain/";

/// The paths that are served, as the OpenAPI document writes them.
pub const ROUTES: [&str; 15] = [
    METRICS,
    "/healthz",
    "/readyz",
    "/api/v1/snapshot",
    "/api/v1/findings",
    "/api/v1/sockets",
    "/api/v1/connections",
    "/api/v1/connections/{id}",
    "/api/v1/series",
    "/api/v1/report",
    "/api/v1/events",
    REPLAY,
    "/api/v1/openapi.json",
    "/api/v1/",
    "/",
];

const PRIVATE: &str = "programs are named by their command lines here, so this needs a token: send Authorization: Bearer \
                       TOKEN, or in a browser the token as the password";
const TEXT: &str = "text/plain; charset=utf-8";

/// What a request comes to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asks {
    /// A question to the tracer.
    Tracer(Question),
    /// Events as they happen.
    Events,
    /// What is known here.
    Known(Answer),
    /// A view for a browser.
    Page(View),
    /// Whoever asks has said who he is: to the page.
    Home,
}

/// The page about a verdict.
fn explain(path: &str) -> Result<Asks, Refusal> {
    let name = path.strip_prefix(EXPLAIN).unwrap_or_default();
    let unknown = |error: UnknownVerdict| Refusal(StatusCode::NOT_FOUND, error.to_string());
    Ok(Asks::Page(View::Explain { verdict: name.parse().map_err(unknown)? }))
}

/// Finds out what is asked for.
pub(super) fn route(
    path: &str,
    query: &str,
    wants: Wants,
    access: Access,
    settings: &Settings,
) -> Result<Asks, Refusal> {
    let parameters = |known: &[&str]| Parameters::new(query, known);
    let plain = |question| parameters(&[]).map(|_| Asks::Tracer(question));
    let with_argv = access == Access::Full;
    let asks = match path {
        // No name is in there.
        "/healthz" => return plain(Question::Health),
        "/readyz" => return plain(Question::Ready),
        "/api/v1/openapi.json" => return known(JSON, OPENAPI, query),
        "/api/v1/" => return known(TEXT, &index(), query),
        "/" if wants != Wants::Page => return known(TEXT, &index(), query),
        "/login" => {
            parameters(&[])?;
            return if with_argv { Ok(Asks::Home) } else { Err(log_in(settings)) };
        }
        // Nor in there.
        REPLAY => {
            let control = parameters(&["state", "speed", "at"])?.replay()?;
            return Ok(Asks::Tracer(Question::Replay(control)));
        }
        // What a verdict means is in the documentation.
        _ if path.starts_with(EXPLAIN) => {
            parameters(&[])?;
            return explain(path);
        }
        _ if page::is_asset(path) => {
            let (content_type, content) = page::asset(path).ok_or_else(nothing)?;
            return known(content_type, &content, query);
        }
        METRICS => {
            let detail = parameters(&["detail"])?.detail()?;
            Asks::Tracer(Question::Metrics { detail, form: wants.exposition() })
        }
        "/api/v1/snapshot" => plain(Question::Snapshot)?,
        "/api/v1/sockets" => plain(Question::Sockets)?,
        "/api/v1/findings" => {
            let filter: FindingFilter = parameters(&["socket", "verdict"])?.findings()?;
            Asks::Tracer(Question::Findings(filter))
        }
        "/api/v1/connections" => {
            let names = ["socket", "program", "state", "contains", "sort", "older_than", "limit", "offset"];
            Asks::Tracer(Question::Connections(parameters(&names)?.connections(with_argv)?))
        }
        "/api/v1/series" => {
            let range = parameters(&["socket", "from", "to", "points"])?.series(settings.present.now())?;
            Asks::Tracer(Question::Series(range))
        }
        "/api/v1/report" => {
            let filter = Parameters::of_report(query)?.report(with_argv)?;
            Asks::Tracer(Question::Report(filter))
        }
        "/api/v1/events" => {
            parameters(&[])?;
            Asks::Events
        }
        _ => match path.strip_prefix("/api/v1/connections/") {
            Some(id) => plain(Question::Connection { id: number(id)?, with_argv })?,
            None => Asks::Page(view(path, query, settings.present.now(), with_argv)?),
        },
    };
    if settings.names_are_private && access != Access::Full {
        return Err(Refusal(StatusCode::UNAUTHORIZED, PRIVATE.to_owned()));
    }
    Ok(asks)
}

/// What a browser is to show.
fn view(path: &str, query: &str, now: SystemTime, with_argv: bool) -> Result<View, Refusal> {
    let parameters = |known: &[&str]| Parameters::new(query, known);
    let socket = |known: &[&str]| parameters(known)?.socket(now, with_argv);
    match path {
        "/" => Ok(View::Overview { offset: parameters(&["offset"])?.offset()? }),
        "/socket" => Ok(View::Socket(socket(&[
            "path", "range", "from", "to", "offset", "program", "contains", "sort",
        ])?)),
        "/lanes" => Ok(View::Lanes(socket(&["path", "range", "from", "to"])?)),
        _ => {
            let id = path.strip_prefix("/connection/").ok_or_else(nothing)?;
            parameters(&[])?;
            Ok(View::Connection { id: number(id)? })
        }
    }
}

fn number(id: &str) -> Result<u64, Refusal> {
    id.parse().map_err(|_| bad("a connection's number is digits alone"))
}

/// What an answer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wants {
    /// A program, which takes metrics in this form.
    Data(Exposition),
    /// A browser.
    Page,
}

impl Wants {
    /// Pages are for browsers, which ask for HTML; at the root there is something for both.
    pub(super) fn of(path: &str, accept: Option<&str>) -> Self {
        let is_page = match path {
            "/" => accept.is_some_and(|accept| accept.contains("text/html")),
            "/socket" | "/login" => true,
            _ => path.starts_with("/connection/") || path.starts_with(EXPLAIN),
        };
        if is_page { Self::Page } else { Self::Data(Exposition::accepted(accept)) }
    }

    /// Does the answer depend on what the client accepts?
    pub(super) fn depends_on_accept(path: &str) -> bool {
        ["/", METRICS].contains(&path)
    }

    fn exposition(self) -> Exposition {
        match self {
            Self::Data(form) => form,
            Self::Page => Exposition::default(),
        }
    }
}

fn log_in(settings: &Settings) -> Refusal {
    let sentence = if settings.token.is_some() {
        "command lines are shown to those who have the token: as the password, with any name"
    } else {
        "no token is set in [http] token_file, so command lines are shown to nobody"
    };
    let status = if settings.token.is_some() { StatusCode::UNAUTHORIZED } else { StatusCode::NOT_FOUND };
    Refusal(status, sentence.to_owned())
}

fn known(content_type: &str, body: &str, query: &str) -> Result<Asks, Refusal> {
    Parameters::new(query, &[])?;
    Ok(Asks::Known(Answer::new(content_type, body.to_owned())))
}

/// What is here, for who looks.
fn index() -> String {
    let paths = ROUTES.iter().filter(|path| !path.ends_with('/'));
    let paths: String = paths.map(|path| format!("{path}\n")).collect();
    format!("sockleak {}\n\n{paths}", env!("CARGO_PKG_VERSION"))
}

fn nothing() -> Refusal {
    Refusal(
        StatusCode::NOT_FOUND,
        "there is nothing here; /api/v1/openapi.json tells what there is".to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: Wants = Wants::Data(Exposition::Prometheus);

    fn asked(path: &str, access: Access, settings: &Settings) -> Result<Asks, u16> {
        route(path, "", DATA, access, settings).map_err(|Refusal(status, _)| status.as_u16())
    }

    #[test]
    fn every_route_leads_somewhere() {
        let settings = Settings::default();
        for path in ROUTES {
            let path = path.replace("{id}", "7");
            let query = if path.ends_with("series") { "socket=/s" } else { "" };
            assert!(route(&path, query, DATA, Access::Plain, &settings).is_ok(), "{path}");
            assert!(route(&path, "x=1", DATA, Access::Plain, &settings).is_err(), "{path}");
        }
        for (path, status) in [
            ("", 404),
            ("/metrics/", 404),
            ("/metrics/../healthz", 404),
            ("/api/v1/connections/", 400),
            ("/api/v1/connections/x", 400),
            ("/api/v1/connections/1/2", 400),
            ("/api/v1/connections/99999999999999999999", 400),
            ("*", 404),
        ] {
            assert_eq!(asked(path, Access::Full, &settings), Err(status), "{path}");
        }
    }

    #[test]
    fn command_lines_need_a_token() {
        let settings = Settings::default();
        let one = |with_argv| Ok(Asks::Tracer(Question::Connection { id: 7, with_argv }));
        assert_eq!(asked("/api/v1/connections/7", Access::Plain, &settings), one(false));
        assert_eq!(asked("/api/v1/connections/7", Access::Full, &settings), one(true));
        // Where programs are told apart by command lines, names are command lines.
        let private = Settings { names_are_private: true, ..settings };
        for path in
            ROUTES.map(|path| path.replace("{id}", "7")).iter().filter(|path| !path.ends_with("series"))
        {
            let is_open = ["/healthz", "/readyz", REPLAY, "/api/v1/openapi.json", "/api/v1/", "/"]
                .contains(&path.as_str());
            let refused = asked(path, Access::Plain, &private) == Err(401);
            assert_eq!(refused, !is_open, "{path}");
            assert!(asked(path, Access::Full, &private).is_ok(), "{path}");
        }
    }
}
