//! The tables that `cargo xtask lint` judges by: which crate and which module may use which, and what crates may depend on.
//!
//! Whoever adds a crate or a module gives it a place here. Whoever removes a fault strikes it from [`KNOWN`].

/// Crates of the workspace, lowest first. No crate depends on one in its own row or a higher one. Names that the workspace does not have
/// yet are planned. Crates below `tests/` are left out.
pub(crate) const CRATES: &[&[&str]] = &[
    &["probe-build", "sockleak-abi", "sockleak-btf"],
    &["probe-ebpf", "sockleak-core"],
    &["sockleak-recording", "sockleak-report"],
    &["sockleak"],
    &["manual", "xtask", "xtask-lint"],
];

/// Top-level modules of a crate, lowest first: a module uses those in lower rows alone, none above it and none beside it. In crates that
/// are not in this table, any use is allowed that makes no circle.
pub(crate) const MODULES: &[(&str, &[&[&str]])] = &[(
    "sockleak",
    &[
        &["elide", "event", "namespaces", "output_path", "recent", "runtime"],
        &["clock", "decode"],
        &["attribution", "proc"],
        &["failure", "lifecycle", "verdict"],
        &["session"],
        &["probe", "report", "trace_file"],
        &["console", "diag", "export", "privilege"],
        &["child"],
        &["stacks"],
        &["tracer"],
        &["service"],
        &["replay"],
        &["top"],
        &["cli"],
        &["cmd"],
    ],
)];

/// A use that breaks a rule and is known: from one module, or any in it, to another.
pub(crate) struct Known {
    pub(crate) from: &'static str,
    pub(crate) to: &'static str,
    /// What is used there, and where it belongs.
    pub(crate) reason: &'static str,
}

/// Uses upwards, and one use of each circle. None is added; each that is gone is struck out.
pub(crate) const KNOWN: &[Known] = &[
    Known {
        from: "failure",
        to: "service::config",
        reason: "the error of all programs names those of single modules: each module has an error of its own, and one place chooses exit statuses",
    },
    Known { from: "failure", to: "service::store", reason: "as for `service::config`" },
    Known { from: "failure", to: "trace_file", reason: "as for `service::config`" },
    Known {
        from: "probe::gauges",
        to: "report",
        reason: "`Loss` is what the probe counts: it belongs to assessment, below both",
    },
    Known {
        from: "report::html",
        to: "service::model",
        reason: "the page of a report is drawn from the API's wire model: it should be drawn from plain figures",
    },
    Known {
        from: "service::config",
        to: "cli",
        reason: "the options of the probe are defined by the command line: they belong to the probe",
    },
    Known { from: "service::run::begin", to: "cli", reason: "`StackPolicy` belongs to the tracer" },
    Known { from: "top::source::trace", to: "cli", reason: "`StackPolicy` belongs to the tracer" },
    Known { from: "tracer", to: "cli", reason: "`StackPolicy` belongs to the tracer" },
    Known {
        from: "trace_file",
        to: "report",
        reason: "`Frame` and the names of errors belong to what is recorded",
    },
    Known {
        from: "diag::dump",
        to: "diag::holders",
        reason: "`number` parses what both read: it belongs to a file below both",
    },
    Known {
        from: "lifecycle::table",
        to: "lifecycle::found",
        reason: "`Found` is what the table is told: it belongs to the table",
    },
    Known {
        from: "probe::rounds",
        to: "probe::attach",
        reason: "an implementation block of `Probe` in another file: rounds should borrow what they need of it",
    },
    Known { from: "probe::verify", to: "probe::attach", reason: "as for `probe::rounds`" },
    Known {
        from: "report::csv",
        to: "report::document",
        reason: "`Section` is what each form is given: it belongs below the forms",
    },
    Known { from: "report::html", to: "report::document", reason: "as for `report::csv`" },
    Known { from: "report::markdown", to: "report::document", reason: "as for `report::csv`" },
    Known { from: "report::text", to: "report::document", reason: "as for `report::csv`" },
    Known {
        from: "report::stacks",
        to: "report::findings",
        reason: "stacks are collected from findings: they should be given their numbers",
    },
    Known {
        from: "service::alerts::state",
        to: "service::alerts::sinks",
        reason: "the state is made from the sinks: it should be given what they have not delivered",
    },
    Known {
        from: "service::config::value",
        to: "service::config::section",
        reason: "`Schema` belongs to a file below both",
    },
    Known {
        from: "service::link::connections",
        to: "service::link::answer",
        reason: "`is_asked_for` belongs to a file below both",
    },
    Known {
        from: "service::web::events",
        to: "service::web::connection",
        reason: "`Streaming` belongs to the events",
    },
    Known {
        from: "service::web::page::tables",
        to: "service::web::page::overview",
        reason: "`slots` belongs to the tables",
    },
    Known {
        from: "top::state",
        to: "top::view",
        reason: "the state asks the view for the number of rows: the view should be told",
    },
    Known {
        from: "top::state::sorting",
        to: "top::state::listing",
        reason: "`Item` belongs to a file below both",
    },
    Known {
        from: "verdict::lasting",
        to: "verdict::evidence",
        reason: "`Ending` belongs to a file below both",
    },
    Known {
        from: "verdict::starvation",
        to: "verdict::evidence",
        reason: "`Case` belongs to a file below both",
    },
    Known { from: "emit", to: "kernel", reason: "`injected` reads a global: it belongs below both" },
];

/// A crate that does no input or output.
pub(crate) struct Pure {
    pub(crate) name: &'static str,
    /// Packages that it is not linked with, directly or through others.
    pub(crate) dependencies: &'static [&'static str],
    /// What its sources do not name, but for those of tests.
    pub(crate) names: &'static [&'static str],
}

/// The crates that do no input or output.
pub(crate) const PURE: &[Pure] = &[Pure {
    name: "sockleak-core",
    dependencies: &[
        "aya",
        "aya-obj",
        "clap",
        "crossterm",
        "hyper",
        "libc",
        "memmap2",
        "nix",
        "ratatui",
        "rusqlite",
        "rustls",
        "tempfile",
        "tokio",
        "tracing",
        "tracing-subscriber",
    ],
    names: &[
        "eprint",
        "eprintln",
        "print",
        "println",
        "std::env",
        "std::fs",
        "std::net",
        "std::os",
        "std::process",
        "std::thread",
        "std::time::Instant",
        "std::time::SystemTime",
    ],
}];

/// Licences of libraries that are linked into sockleak.
pub(crate) const LICENCES: &[&str] =
    &["Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "Unicode-3.0", "Zlib"];

/// Further licences of libraries that only build or test it.
pub(crate) const LICENCES_OF_TOOLS: &[&str] = &["CC0-1.0", "MPL-2.0"];

/// Libraries that are linked in two versions, and why.
pub(crate) const TWICE: &[(&str, &str)] = &[
    ("getrandom", "ring, ahash (of parquet) and tempfile each have another one"),
    ("gimli", "framehop, which unwinds, has another one than blazesym, which names functions"),
];

/// Dependencies that no source names: crate, dependency, and what it is for.
pub(crate) const UNNAMED: &[(&str, &str, &str)] = &[];

/// Words that are right, though the dictionary knows them as mistakes.
pub(crate) const WORDS: &[&str] = &[
    // Names of libraries and of what they have.
    "flate", "inh", "ratatui", "ser",
    // Parts of words, and mistakes that tests and documents make on purpose.
    "accep", "froms", "limt", "nd", "programm", "wors",
];

/// Files whose words are not ours, or are cut off: parts of their paths.
pub(crate) const NOT_READ: &[&str] = &["Cargo.lock", "LICENSE", "fuzz/corpus/", "top/goldens/", ".svg"];
