use std::{fs, fs::Permissions, os::unix::fs::PermissionsExt as _};

use super::*;
use crate::service::config::Config;

const TARGET_ONLY: &str = "[[target]]\nsocket = \"ma.sock\"\n";

#[test]
fn token_files_are_looked_at() {
    let directory = tempfile::tempdir().expect("a directory can be created");
    let (config, token) = (directory.path().join("c.toml"), directory.path().join("token"));
    let text = format!("{TARGET_ONLY}[http]\ntoken_file = {token:?}\n");
    fs::write(&config, text).expect("it is written");
    let load = || Config::load(&config).map(|config| config.http.token).map_err(|error| error.to_string());
    let write = |content: &[u8], mode| {
        fs::write(&token, content).expect("it is written");
        fs::set_permissions(&token, Permissions::from_mode(mode)).expect("it is mine");
    };
    let refused = |expected: &str| {
        let said = load().expect_err(expected);
        assert!(
            said.starts_with(&format!("{}, line 4: the token file {}", config.display(), token.display())),
            "{said}"
        );
        assert!(said.contains(expected) && !said.contains("hush"), "{said}");
    };
    refused("cannot be read");
    for (content, mode, expected) in [
        (b"hush".as_slice(), 0o604, "is open to everybody; run chmod 600"),
        (b"hush", 0o602, "is open to everybody"),
        (b" \n", 0o600, "is empty"),
        (b"hush\nhush", 0o600, "more than one word"),
        (b"hush\xff", 0o600, "is not text"),
        (&[b'h'; 5000], 0o600, "more than one word"),
    ] {
        write(content, mode);
        refused(expected);
    }
    write(b"hush\n", 0o640);
    let file = load().expect("it may be used").expect("it is configured");
    let token = file.read().expect("it is readable");
    assert_eq!(token.secret(), "hush");
    assert!(!format!("{token:?}").contains("hush"));
}

#[test]
fn token_files_are_files() {
    let directory = tempfile::tempdir().expect("a directory can be created");
    let said = TokenFile::at(directory.path().to_owned()).read().expect_err("it is none").to_string();
    assert!(said.contains("is no file"), "{said}");
    let pipe = directory.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("it can be made");
    let said = TokenFile::at(pipe).read().expect_err("it is none").to_string();
    assert!(said.contains("is no file"), "{said}");
}
