use std::net::SocketAddr;

use sockleak_core::verdict::Verdict;

use super::*;
use crate::probe::options::HookChoice;

const TARGET_ONLY: &str = "[[target]]\nsocket = \"ma.sock\"\n";

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("/etc/c.toml"))
}

/// The sentence about a text that is wrong.
fn said(text: &str) -> String {
    match parse(text) {
        Ok(config) => panic!("it is accepted: {text}: {config:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_target_is_enough() {
    let config = parse(TARGET_ONLY).expect("it is right");
    assert_eq!(config.leak_age, Duration::from_secs(60));
    assert_eq!((config.by, config.stacks), (By::Program, StackPolicy::Off));
    assert_eq!((config.targets.len(), &config.alerts), (1, &AlertSettings::default()));
    assert_eq!(config.store, StoreSettings::default());
    assert_eq!(config.http, HttpSettings::default());
    assert_eq!(config.otlp, None);
    assert_eq!((config.probe.hooks, config.probe.ring_size), (HookChoice::Auto, None));
    assert!(config.limits(&View::own(0)).is_empty());
}

#[test]
fn the_example_says_what_is_set_without_it() {
    let example = parse(Config::example()).expect("the example is right");
    let bare = parse(TARGET_ONLY).expect("it is right");
    assert_eq!((example.leak_age, example.by, example.stacks), (bare.leak_age, bare.by, bare.stacks));
    assert_eq!(example.alerts, bare.alerts);
    assert_eq!((&example.store, &example.http), (&bare.store, &bare.http));
    assert_eq!(format!("{:?}", example.probe), format!("{:?}", bare.probe));
    assert_eq!(example.targets.iter().map(|it| it.limit).collect::<Vec<_>>(), [Some(10), None]);
}

/// The package's is the example with other targets.
#[test]
fn the_package_comes_with_a_configuration_that_works() {
    const PACKAGED: &str = include_str!("../../../../packaging/config.toml");
    let after_targets = |text: &'static str| text.split_once("\n[alerts]\n").map(|(_, rest)| rest);
    assert_eq!(after_targets(PACKAGED), after_targets(Config::example()));
    let (packaged, bare) = (parse(PACKAGED).expect("it is right"), parse(TARGET_ONLY).expect("it is right"));
    assert_eq!((packaged.leak_age, packaged.by, packaged.stacks), (bare.leak_age, bare.by, bare.stacks));
    let targets: Vec<_> = packaged.targets.iter().map(|it| it.target.given()).collect();
    assert_eq!(targets, ["/run/haproxy-master.sock", "/run/haproxy/admin.sock"]);
    assert!(packaged.http.listen.iter().all(Listen::is_local) && packaged.http.token.is_none());
    assert_eq!(packaged.alerts.sinks, [SinkSettings::Log]);
}

/// The lines that are commented out as keys, too.
#[test]
fn all_of_the_example_is_understood() {
    let is_key = |line: &str| {
        line.starts_with('[') || line.split_once(" = ").is_some_and(|(key, _)| !key.contains(' '))
    };
    let lines = Config::example().lines().map(|line| match line.strip_prefix("# ") {
        Some(inner) if is_key(inner) => inner,
        _ => line,
    });
    let config = parse(&lines.collect::<Vec<_>>().join("\n")).expect("every line is right");
    assert_eq!(config.alerts.sinks.len(), 4);
    assert!(config.http.token.is_some());
    let otlp = config.otlp.expect("it is configured");
    assert_eq!((otlp.endpoint.to_string().as_str(), otlp.interval.as_secs()), ("http://127.0.0.1:4318/", 30));
    assert!(otlp.token.is_some());
}

/// Each key with another value than its own.
#[test]
fn everything_can_be_set() {
    let config = parse(
        r#"
        leak_age = "5m"
        by = "unit"
        stacks = "auto"
        target = [{ socket = "@name", limit = 5 }, { socket = "/run/*.sock" }]
        [alerts]
        slots_percent = 0
        forecast = "off"
        for = "0s"
        findings = ["starved", "client-leak", "starved"]
        degraded = false
        sink = [{ kind = "webhook", url = "https://x.example:8443/in?secret=1", token_file = "/t" },
                { kind = "otlp", url = "http://c.example:4318" }]
        [store]
        directory = "/srv/s"
        keep = "1d"
        max_bytes = 20_000_000
        history_keep = "2d"
        [http]
        listen = ["[::]:80", "unix:/run/h.sock"]
        token_file = "/t"
        [otlp]
        endpoint = "https://c.example/in"
        interval = "1s"
        detail = "fleet"
        token_file = "/o"
        [probe]
        hooks = "kprobe"
        ring_size = "4KiB"
        max_connections = 0x10
        "#,
    )
    .expect("it is right");
    assert_eq!((config.leak_age.as_secs(), config.by, config.stacks), (300, By::Unit, StackPolicy::Auto));
    assert_eq!((config.alerts.slots_percent, config.alerts.forecast), (0, None));
    assert_eq!((config.alerts.quiet, config.alerts.degraded), (Duration::ZERO, false));
    assert_eq!(config.alerts.findings, [Verdict::ClientLeak, Verdict::Starved]);
    let sinks = config.alerts.sinks.as_slice();
    assert!(
        matches!(sinks, [SinkSettings::Webhook { token: Some(token), .. }, SinkSettings::Otlp { token: None, url }]
            if token.path == Path::new("/t") && url.host() == Some("c.example"))
    );
    assert_eq!(config.store.directory, Path::new("/srv/s"));
    assert_eq!((config.store.keep.as_secs(), config.store.history_keep.as_secs()), (86_400, 172_800));
    assert_eq!(config.store.max_bytes, 20_000_000);
    let any = Listen::Tcp(SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, 80)));
    assert_eq!(config.http.listen, [any, Listen::Unix("/run/h.sock".into())]);
    assert_eq!((config.probe.hooks, config.probe.ring_size), (HookChoice::Kprobe, Some(4096)));
    assert_eq!(config.probe.max_connections, Some(16));
    let otlp = config.otlp.as_ref().expect("it is configured");
    assert_eq!((otlp.endpoint.host(), otlp.interval.as_secs()), (Some("c.example"), 1));
    assert_eq!(otlp.detail, crate::service::metrics::MetricDetail::Fleet);
    assert_eq!(otlp.token.as_ref().map(|it| it.path.as_path()), Some(Path::new("/o")));
    assert_eq!(config.limits(&View::own(0)).first().map(GivenLimit::text), Some("@name=5"));
    assert!(
        parse(&format!("{TARGET_ONLY}[http]\nlisten = \"off\"")).is_ok_and(|it| it.http.listen.is_empty())
    );
}

#[test]
fn keys_that_nobody_knows_are_named() {
    for (text, line, expected) in [
        (
            "[[target]]\nsocket = \"a\"\nlimt = 3",
            3,
            "unknown key \"limt\" in [[target]]; did you mean \"limit\"?",
        ),
        (
            "leek_age = \"1s\"",
            1,
            "unknown key \"leek_age\" at the top of the file; did you mean \"leak_age\"?",
        ),
        ("[alert]", 1, "unknown key \"alert\" at the top of the file; did you mean \"alerts\"?"),
        (
            "[[target]]\nsocket = \"a\"\nleak_age = \"1s\"",
            3,
            "unknown key \"leak_age\" in [[target]]; it belongs at the top of the file, before the first section",
        ),
        ("limit = 3", 1, "unknown key \"limit\" at the top of the file; it belongs in [[target]]"),
        (
            "[probe]\nsomething = 3",
            2,
            "unknown key \"something\" in [probe]; known are hooks, ring_size, max_connections",
        ),
        (
            "[[alerts.sink]]\nkind = \"log\"\nx = 1\n",
            3,
            "unknown key \"x\" in [[alerts.sink]]; known are kind",
        ),
        // The first in the file, not in the alphabet.
        ("\nzz = 1\naa = 2", 2, "unknown key \"zz\""),
    ] {
        let said = said(&format!("{text}\n"));
        assert!(said.starts_with(&format!("/etc/c.toml, line {line}: {expected}")), "{said}");
    }
}

#[test]
fn what_is_no_toml_is_told_in_one_line() {
    for (text, line) in [
        ("x = ", 1),
        ("by = \"a\"\nby = \"b\"", 2),
        ("\n[[target]\n", 2),
        ("a = 'x", 1),
        ("# \u{7f}\n", 1),
        ("[http]\nlisten = \"off\"\n[http]\n", 3),
    ] {
        let said = said(text);
        assert!(said.starts_with(&format!("/etc/c.toml, line {line}: this is not TOML: ")), "{said}");
        assert!(!said.contains('\n'), "{said}");
    }
}

/// A text, the line of the mistake, and a part of what is said of it.
const WRONG: &[(&str, usize, &str)] = &[
    (
        "leak_age = \"soon\"",
        1,
        "leak_age at the top of the file is \"soon\": that is no time; write for example \"60s\"",
    ),
    ("leak_age = 60", 1, "is an integer; write a time in quotes, for example \"60s\""),
    ("leak_age = \"0s\"", 1, "is zero; write a longer time"),
    (
        "by = \"programm\"",
        1,
        "by at the top of the file is \"programm\": write one of \"program\", \"cmdline\"",
    ),
    ("stacks = true", 1, "is a boolean; write a text in quotes"),
    ("target = 3", 1, "target is a list of sections; write [[target]], with two brackets"),
    ("[target]\nsocket = \"a\"", 1, "write [[target]], with two brackets"),
    (
        "[[target]]\nlimit = 3",
        1,
        "this [[target]] has no socket; add for example socket = \"/run/haproxy/ma.sock\"",
    ),
    ("[[target]]\nsocket = \"\"", 2, "socket in [[target]] is \"\": a target is empty"),
    ("[[target]]\nsocket = \"run/a.sock\"", 2, "write the path from / on"),
    ("[[target]]\nsocket = \"/run/\"", 2, "names a directory"),
    ("[[target]]\nsocket = \"[\"", 2, "is no valid glob"),
    ("[[target]]\nsocket = 3", 2, "is an integer; write a text in quotes"),
    ("[[target]]\nsocket = \"a\"\nlimit = 0", 3, "limit in [[target]] is 0; write a whole number from 1 to"),
    ("[[target]]\nsocket = \"a\"\nlimit = -1", 3, "is -1; write a whole number"),
    ("[[target]]\nsocket = \"a\"\nlimit = \"10\"", 3, "is a string; write a whole number from 1 to"),
    ("[[target]]\nsocket = \"a\"\nlimit = 99999999999999999999999999", 3, "write a whole number from 1 to"),
    (
        "[[target]]\nsocket = \"/run/a\"\n[[target]]\nsocket = \"/run//a\"",
        4,
        "a second time; remove one of the two",
    ),
    ("[[alerts]]\nfor = \"1s\"", 1, "there is one section [alerts] only; write it with single brackets"),
    ("alerts = 3", 1, "alerts is a section; write [alerts] on a line of its own"),
    ("[alerts]\nslots_percent = 101", 2, "is 101; write a whole number from 0 to 100"),
    ("[alerts]\nforecast = \"never\"", 2, "forecast in [alerts] is \"never\": that is no time"),
    ("[alerts]\nfindings = \"client-leak\"", 2, "is a string; write a list of verdicts"),
    (
        "[alerts]\nfindings = [\n\"client-leak\",\n\"leak\"]",
        4,
        "\"leak\" is no verdict; they are client-leak",
    ),
    ("[alerts]\nfindings = [\"healthy\"]", 2, "of which nobody need be told; remove it"),
    ("[alerts]\ndegraded = 1", 2, "is an integer; write true or false"),
    ("[alerts.sink]\nkind = \"log\"", 1, "write [[alerts.sink]], with two brackets"),
    ("[alerts]\nsink = [3]", 2, "write [[alerts.sink]], with two brackets"),
    ("[[alerts.sink]]", 1, "this [[alerts.sink]] has no kind; add for example kind = \"log\""),
    ("[[alerts.sink]]\nkind = \"mail\"", 2, "is \"mail\"; write \"log\", \"file\", \"webhook\" or \"otlp\""),
    (
        "[[alerts.sink]]\nkind = \"file\"",
        1,
        "has no path; add for example path = \"/var/log/sockleak/alerts.jsonl\"",
    ),
    ("[[alerts.sink]]\nkind = \"file\"\npath = \"a\"", 3, "write the path from / on"),
    ("[[alerts.sink]]\nkind = \"file\"\npath = \"/\"", 3, "that names no file"),
    ("[[alerts.sink]]\nkind = \"log\"\npath = \"/a\"", 3, "is of kind = \"file\" alone; remove it"),
    ("[[alerts.sink]]\nkind = \"webhook\"", 1, "has no url"),
    ("[[alerts.sink]]\nkind = \"otlp\"", 1, "url = \"http://127.0.0.1:4318\""),
    (
        "[[alerts.sink]]\nkind = \"file\"\npath = \"/a\"\nurl = \"http://x\"",
        4,
        "kind = \"webhook\" or \"otlp\" alone",
    ),
    ("[[alerts.sink]]\nkind = \"webhook\"\nurl = \"ftp://x/\"", 3, "neither http:// nor https://"),
    ("[[alerts.sink]]\nkind = \"webhook\"\nurl = \"x/SECRET\"", 3, "write http://HOST[:PORT]/PATH"),
    ("[[alerts.sink]]\nkind = \"webhook\"\nurl = \"http://\"", 3, "write http://HOST[:PORT]/PATH"),
    ("[[alerts.sink]]\nkind = \"webhook\"\nurl = \"http://:80/\"", 3, "write http://HOST[:PORT]/PATH"),
    (
        "[[alerts.sink]]\nkind = \"webhook\"\nurl = \"http://me:SECRET@x/\"",
        3,
        "put a token into token_file instead",
    ),
    ("[store]\ndirectory = \"here\"", 2, "write the path from / on"),
    ("[store]\nkeep = \"0d\"", 2, "is zero"),
    ("[store]\nmax_bytes = \"1 pound\"", 2, "that is no size; write for example \"16MiB\" or \"1GiB\""),
    ("[store]\nmax_bytes = \"1KiB\"", 2, "that is too little; write at least \"16.0 MiB\""),
    ("[store]\nmax_bytes = \"99999999999999999TB\"", 2, "that is more than there can be; write for example"),
    ("[store]\nmax_bytes = 5", 2, "is 5; write a whole number from 16777216"),
    ("[store]\nmax_bytes = 1.5", 2, "is a float; write a size in quotes"),
    ("[http]\nlisten = \"localhost:9436\"", 2, "that is no address; write for example \"127.0.0.1:9436\""),
    ("[http]\nlisten = \"unix:x\"", 2, "write the path from / on"),
    ("[http]\nlisten = [\"off\"]", 2, "write it alone"),
    ("[http]\nlisten = 9436", 2, "is an integer; write a list of addresses"),
    ("[http]\nlisten = [\"127.0.0.1:1\", \"127.0.0.1:1\"]", 2, "has \"127.0.0.1:1\" twice"),
    (
        "[http]\nlisten = [\"127.0.0.1:1\",\n\"0.0.0.0:1\"]",
        3,
        "add token_file = \"/etc/sockleak/token\" to [http]",
    ),
    ("[http]\nlisten = \"10.0.0.1:1\"", 2, "which others than this host can reach"),
    ("[http]\ntoken_file = \"x\"", 2, "write the path from / on"),
    ("[otlp]", 1, "this [otlp] has no endpoint; add for example endpoint = \"http://127.0.0.1:4318\""),
    ("[otlp]\nendpoint = \"127.0.0.1:4318\"", 2, "write http://HOST"),
    ("[otlp]\nendpoint = \"http://me:SECRET@a/\"", 2, "put a token into token_file instead"),
    ("[otlp]\nendpoint = \"http://a/\"\ninterval = \"0s\"", 3, "is zero"),
    ("[otlp]\nendpoint = \"http://a/\"\ninterval = \"999ms\"", 3, "write at least \"1s\""),
    ("[otlp]\nendpoint = \"http://a/\"\ntoken_file = \"x\"", 3, "write the path from / on"),
    ("[probe]\nhooks = \"all\"", 2, "write one of \"auto\", \"fentry\", \"kprobe\""),
    ("[probe]\nring_size = \"3MiB\"", 2, "is 3145728 bytes; write a power of two"),
    ("[probe]\nring_size = \"2GiB\"", 2, "write a power of two"),
    ("[probe]\nring_size = \"1KiB\"", 2, "that is too little; write at least \"4.0 KiB\""),
    ("[probe]\nmax_connections = 0", 2, "write a whole number from 1 to 4194304"),
];

#[test]
fn each_mistake_has_its_sentence() {
    for (text, line, expected) in WRONG {
        // A target, unless the mistake is in one.
        let text =
            if text.contains("target") { (*text).to_owned() } else { format!("{text}\n{TARGET_ONLY}") };
        let said = said(&text);
        assert!(said.starts_with(&format!("/etc/c.toml, line {line}: ")), "{text}: {said}");
        assert!(said.contains(expected), "{text}: {said}");
        assert!(!said.contains('\n'), "{said}");
        assert!(!said.contains("SECRET"), "a secret is shown: {said}");
    }
}

#[test]
fn without_a_target_there_is_nothing_to_do() {
    for text in ["", "# nothing\n", "[http]\nlisten = \"off\"\n", "target = []\n"] {
        let said = said(text);
        assert!(said.starts_with("/etc/c.toml: no socket is named; add a section [[target]]"), "{said}");
    }
}

#[test]
fn limits_hold_where_links_lead_to() {
    let directory = tempfile::tempdir().expect("a directory can be created");
    let root = directory.path().canonicalize().expect("it exists");
    fs::create_dir(root.join("real[1]")).expect("it can be created");
    std::os::unix::fs::symlink("real[1]", root.join("link")).expect("it can be linked to");
    let text = format!("[[target]]\nsocket = \"{}/link/a.sock\"\nlimit = 7\n", root.display());
    let limits = parse(&text).expect("it is right").limits(&View::own(0));
    let means = |path: &str| limits.iter().any(|limit| limit.means(&format!("{}/{path}", root.display())));
    assert!(means("real[1]/a.sock") && means("link/a.sock"));
    assert!(!means("real1/a.sock") && !means("real[1]/b.sock"));
    // A glob is one already.
    let text = format!("[[target]]\nsocket = \"{}/link/*.sock\"\nlimit = 7\n", root.display());
    assert_eq!(parse(&text).expect("it is right").limits(&View::own(0)).len(), 1);
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let directory = tempfile::tempdir().expect("a directory can be created");
    let path = directory.path().join("c.toml");
    let said = Config::load(&path).expect_err("it does not exist").to_string();
    assert!(said.contains("c.toml: the configuration cannot be read") && said.contains("--config"), "{said}");
    fs::write(&path, b"by = \"\xff\"").expect("it is written");
    let said = Config::load(&path).expect_err("it is no text").to_string();
    assert!(said.contains("c.toml: the configuration is not UTF-8"), "{said}");
}

proptest::proptest! {
    /// Whatever is in the file, there is a sentence about it, in one line.
    #[test]
    fn nothing_breaks_the_reader(text in "(\\PC|\n|\\[|\\]|=|\"|target|socket|alerts|sink){0,60}") {
        if let Err(error) = parse(&text) {
            proptest::prop_assert!(!error.message.contains('\n'), "{}", error);
        }
    }
}
