//! The tables that `cargo xtask lint` judges by: which crate and which module may use which, and what crates may depend on.
//!
//! Whoever adds a crate or a module gives it a place here.

/// Crates of the workspace, lowest first. No crate depends on one in its own row or a higher one. Names that the workspace does not have
/// yet are planned. Crates below `tests/` are left out.
pub(crate) const CRATES: &[&[&str]] = &[
    &["probe-build", "sockleak-abi", "sockleak-btf"],
    &["probe-ebpf", "sockleak-core"],
    &["sockleak-recording", "sockleak-report"],
    &["sockleak"],
    &["scenes"],
    &["manual", "xtask", "xtask-lint"],
];

/// Top-level modules of a crate, lowest first: a module uses those in lower rows alone, none above it and none beside it. In crates that
/// are not in this table, any use is allowed that makes no circle.
pub(crate) const MODULES: &[(&str, &[&[&str]])] = &[
    (
        "sockleak-core",
        &[
            &["choice", "recent", "time"],
            &["event"],
            &["decode", "text"],
            &["attribution"],
            &["lifecycle", "verdict"],
            &["session"],
            &["assess"],
        ],
    ),
    (
        "sockleak",
        &[
            &["confinement", "namespaces", "runtime", "signals"],
            &["clock"],
            &["failure", "proc", "view"],
            &["probe"],
            &["cgroups", "console", "containers", "diag", "privilege"],
            &["child"],
            &["stacks"],
            &["tracer"],
            &["service"],
            &["client", "replay"],
            &["top"],
            &["cli"],
            &["cmd"],
        ],
    ),
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
        "memmap2",
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
        "std::os::fd",
        "std::os::unix::fs",
        "std::os::unix::net",
        "std::os::unix::process",
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
    ("crypto-common", "crc-fast and md-5, both of object_store, have another digest each"),
    ("digest", "crc-fast and md-5, both of object_store, have another one each"),
    ("getrandom", "ring, ahash (of parquet) and tempfile each have another one"),
    ("itertools", "object_store has another one than ratatui and prost-derive"),
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
