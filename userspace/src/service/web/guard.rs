//! Who may ask, under which name, and how.

use std::net::IpAddr;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hyper::{
    Method, Request, StatusCode,
    body::Body,
    header::{self, HeaderMap, HeaderName},
    http::uri::Authority,
};
use subtle::ConstantTimeEq as _;

use super::{listen::Local, response::Refusal};
use crate::service::link::Settings;

/// Bytes of a request's body at most. None is needed: what is sent is not even read.
const MOST_BODY: u64 = 4 << 10;

/// Where a replay is controlled.
pub(super) const REPLAY: &str = "/api/v1/replay";
/// With each request that changes something.
const CONTROL: HeaderName = HeaderName::from_static("sockleak-control");
/// Browsers say with it from what kind of page a request comes.
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What a client may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Everything but command lines.
    Plain,
    /// Everything.
    Full,
}

/// Checks all that does not depend on what is asked for.
pub(super) fn check<B: Body>(
    request: &Request<B>,
    local: Local,
    settings: &Settings,
) -> Result<Access, Refusal> {
    check_host(request, local, settings)?;
    check_method(request)?;
    if request.body().size_hint().upper().is_none_or(|most| most > MOST_BODY) {
        return Err(refusal(StatusCode::PAYLOAD_TOO_LARGE, "a request needs no body"));
    }
    check_token(request.headers(), local, settings)
}

/// Nothing can be changed but a replay, and that not by pages of other sites: they cannot send this header without asking first
/// whether they may (CORS), and nobody says that they may.
fn check_method<B>(request: &Request<B>) -> Result<(), Refusal> {
    match *request.method() {
        Method::GET | Method::HEAD => Ok(()),
        Method::POST if request.uri().path() == REPLAY => {
            let headers = request.headers();
            let is_foreign =
                single(headers, &SITE)?.is_some_and(|site| !matches!(site, "same-origin" | "none"));
            if is_foreign || single(headers, &CONTROL)?.is_none() {
                let sentence =
                    "a replay is controlled by its own page, or with the header sockleak-control: 1";
                return Err(refusal(StatusCode::FORBIDDEN, sentence));
            }
            Ok(())
        }
        _ => {
            let sentence = format!("only these methods are served here: {}", methods(request.uri().path()));
            Err(refusal(StatusCode::METHOD_NOT_ALLOWED, &sentence))
        }
    }
}

/// The methods that a path takes, as the header `Allow` lists them.
pub(super) fn methods(path: &str) -> &'static str {
    if path == REPLAY { "GET, HEAD, POST" } else { "GET, HEAD" }
}

/// Another site's page may have its own name lead to this host's address: the name in the request gives it away.
fn check_host<B>(request: &Request<B>, local: Local, settings: &Settings) -> Result<(), Refusal> {
    let Local::Tcp { ip, .. } = local else { return Ok(()) };
    let host = single(request.headers(), &header::HOST)?
        .ok_or_else(|| refusal(StatusCode::BAD_REQUEST, "the request has no Host header"))?;
    let named = [Some(host), request.uri().authority().map(Authority::as_str)];
    if named.into_iter().flatten().all(|host| is_ours(host, ip, settings)) {
        return Ok(());
    }
    Err(refusal(
        StatusCode::MISDIRECTED_REQUEST,
        "this host is not served under that name; ask for localhost or 127.0.0.1",
    ))
}

fn is_ours(host: &str, ip: IpAddr, settings: &Settings) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    if authority.as_str().contains('@') {
        return false;
    }
    let name = authority.host();
    let literal = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    match literal.parse::<IpAddr>() {
        // An address is no name that somebody could make lead here.
        Ok(literal) => literal.to_canonical() == ip || literal.is_loopback(),
        Err(_) => {
            name.eq_ignore_ascii_case("localhost")
                || settings.names.iter().any(|known| name.eq_ignore_ascii_case(known))
        }
    }
}

fn check_token(headers: &HeaderMap, local: Local, settings: &Settings) -> Result<Access, Refusal> {
    let unauthorized = |sentence| Err(refusal(StatusCode::UNAUTHORIZED, sentence));
    let given = single(headers, &header::AUTHORIZATION)?;
    match (given, &settings.token) {
        (Some(given), Some(token)) if has_token(given, token) => Ok(Access::Full),
        (Some(_), _) => unauthorized("that token is not valid here"),
        (None, _) if matches!(local, Local::Tcp { is_public: true, .. }) => unauthorized(
            "from here everything needs a token: send Authorization: Bearer TOKEN, or in a browser the token as the password",
        ),
        (None, _) => Ok(Access::Plain),
    }
}

/// The token as it is, or, from browsers, as the password of somebody of any name.
fn has_token(given: &str, token: &str) -> bool {
    let Some((scheme, given)) = given.split_once(' ') else { return false };
    let given = given.trim();
    // The time that it takes tells the token's length at most.
    let is_it = |given: &[u8]| !token.is_empty() && bool::from(given.ct_eq(token.as_bytes()));
    if scheme.eq_ignore_ascii_case("bearer") {
        return is_it(given.as_bytes());
    }
    let Some(decoded) = scheme.eq_ignore_ascii_case("basic").then(|| STANDARD.decode(given)) else {
        return false;
    };
    let decoded = decoded.unwrap_or_default();
    let colon = decoded.iter().position(|&byte| byte == b':');
    colon.and_then(|colon| decoded.get(colon + 1..)).is_some_and(is_it)
}

/// A header that may be there once.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let (first, second) = (values.next(), values.next());
    let bad =
        || refusal(StatusCode::BAD_REQUEST, &format!("the header {name} must be there once, and be text"));
    if second.is_some() {
        return Err(bad());
    }
    first.map(|value| value.to_str().map_err(|_| bad())).transpose()
}

fn refusal(status: StatusCode, sentence: &str) -> Refusal {
    Refusal(status, sentence.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOPBACK: Local = Local::Tcp { ip: IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), is_public: false };
    const PUBLIC: Local =
        Local::Tcp { ip: IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 5)), is_public: true };

    fn settings() -> Settings {
        Settings {
            names: vec!["db1.example".to_owned()],
            token: Some("s3cret".to_owned()),
            ..Settings::default()
        }
    }

    fn checked(
        local: Local,
        headers: &[(&str, &str)],
        uri: &str,
        settings: &Settings,
    ) -> Result<Access, u16> {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(http_body_util::Empty::<bytes::Bytes>::new()).unwrap();
        check(&request, local, settings).map_err(|Refusal(status, _)| status.as_u16())
    }

    #[test]
    fn the_host_must_be_ours() {
        for (host, loopback, public) in [
            ("localhost", true, true),
            ("LocalHost:9436", true, true),
            ("127.0.0.1:9436", true, true),
            ("[::1]:9436", true, true),
            ("db1.example:80", true, true),
            ("10.0.0.5:9436", false, true),
            ("10.0.0.6", false, false),
            ("evil.example", false, false),
            ("localhost.evil.example", false, false),
            ("evil@localhost", false, false),
            ("127.0.0.1.evil.example", false, false),
            ("", false, false),
            ("local host", false, false),
            ("[::1", false, false),
        ] {
            let token = ("authorization", "Bearer s3cret");
            for (local, fits) in [(LOOPBACK, loopback), (PUBLIC, public)] {
                let expected = if fits { Ok(Access::Full) } else { Err(421) };
                assert_eq!(
                    checked(local, &[("host", host), token], "/metrics", &settings()),
                    expected,
                    "{host:?}"
                );
            }
            assert_eq!(
                checked(Local::Unix, &[("host", host)], "/", &settings()),
                Ok(Access::Plain),
                "{host:?}"
            );
        }
        let local = ("host", "localhost");
        assert_eq!(checked(LOOPBACK, &[], "/", &settings()), Err(400));
        assert_eq!(checked(LOOPBACK, &[local, local], "/", &settings()), Err(400));
        assert_eq!(checked(LOOPBACK, &[local], "http://evil.example/metrics", &settings()), Err(421));
        assert_eq!(checked(LOOPBACK, &[local], "http://localhost/metrics", &settings()), Ok(Access::Plain));
    }

    /// Pages of other sites can send a POST, but neither this header nor another Host.
    #[test]
    fn only_a_replay_can_be_changed_and_not_by_other_sites() {
        let posted = |path: &str, headers: &[(&str, &str)]| {
            let mut request = Request::builder().method(Method::POST).uri(path).header("host", "localhost");
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let request = request.body(http_body_util::Empty::<bytes::Bytes>::new()).unwrap();
            check(&request, LOOPBACK, &settings()).map_err(|Refusal(status, _)| status.as_u16())
        };
        let control = ("sockleak-control", "1");
        let site = |site| ("sec-fetch-site", site);
        for (headers, expected) in [
            (&[control][..], Ok(Access::Plain)),
            (&[control, site("same-origin")], Ok(Access::Plain)),
            (&[control, site("cross-site")], Err(403)),
            (&[control, site("same-site")], Err(403)),
            (&[site("same-origin")], Err(403)),
            (&[("content-type", "application/x-www-form-urlencoded")], Err(403)),
            (&[], Err(403)),
        ] {
            assert_eq!(posted(REPLAY, headers), expected, "{headers:?}");
        }
        assert_eq!(posted("/api/v1/snapshot", &[control]), Err(405));
        assert_eq!(posted("/", &[control]), Err(405));
    }

    #[test]
    fn the_token_decides_what_is_seen() {
        let without = Settings { token: None, ..settings() };
        let empty = Settings { token: Some(String::new()), ..settings() };
        for (given, expected) in [
            ("Bearer s3cret", Ok(Access::Full)),
            ("bearer  s3cret", Ok(Access::Full)),
            ("Bearer s3cre", Err(401)),
            ("Bearer s3crets", Err(401)),
            ("Bearer ", Err(401)),
            ("Bearer", Err(401)),
            ("Basic s3cret", Err(401)),
            // Of any name, "x:s3cret"; with ":s3cret" for none.
            ("Basic eDpzM2NyZXQ=", Ok(Access::Full)),
            ("basic OnMzY3JldA==", Ok(Access::Full)),
            // "s3cret:", "x:s3cre", "x:y:s3cret", ":", and what is no base64.
            ("Basic czNjcmV0Og==", Err(401)),
            ("Basic eDpzM2NyZQ==", Err(401)),
            ("Basic eDp5OnMzY3JldA==", Err(401)),
            ("Basic Og==", Err(401)),
            ("Basic eDpzM2NyZXQ", Err(401)),
            ("Basic", Err(401)),
            ("Digest eDpzM2NyZXQ=", Err(401)),
        ] {
            for local in [LOOPBACK, PUBLIC] {
                let headers = [("host", "localhost"), ("authorization", given)];
                assert_eq!(checked(local, &headers, "/", &settings()), expected, "{given:?}");
                assert_eq!(checked(local, &headers, "/", &without), Err(401), "{given:?}");
                assert_eq!(checked(local, &headers, "/", &empty), Err(401), "{given:?}");
            }
        }
        let twice =
            [("host", "localhost"), ("authorization", "Bearer s3cret"), ("authorization", "Bearer s3cret")];
        assert_eq!(checked(LOOPBACK, &twice, "/", &settings()), Err(400));
        for settings in [settings(), without] {
            assert_eq!(checked(LOOPBACK, &[("host", "localhost")], "/", &settings), Ok(Access::Plain));
            assert_eq!(checked(PUBLIC, &[("host", "localhost")], "/", &settings), Err(401));
        }
    }
}
