//! The report of a service: what `sockleak report --service` writes is what it writes of a recording of the same.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Stdio},
};

use sockleak::service::link::Settings;
use sockleak_core::attribution::by::By;
use tempfile::TempDir;

use crate::{
    client::{ask, get},
    scene::{self, Scene},
    server::{Fake, Server, settings},
};

const TOKEN: &str = "open-sesame";

const FORMS: [&[&str]; 9] = [
    &[],
    &["--older-than", "55m"],
    &["--format", "json"],
    &["--format", "csv"],
    &["--format", "csv", "--table", "findings"],
    &["--format", "markdown"],
    &["--format", "html"],
    &["--verdict", "client-leak,starved"],
    &["--json", "--program", "cert-*", "--user", "root", "-p", "203", "-p", "223"],
];

struct Said {
    status: i32,
    out: String,
    error: String,
}

async fn report(arguments: &[&str]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sockleak"));
    command.arg("report").args(arguments).stdin(Stdio::null()).env_remove("SOCKLEAK_LOG");
    // The service answers in this thread.
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { status: output.status.code().unwrap(), out: text(output.stdout), error: text(output.stderr) }
}

/// A token is refused where others may read it.
fn write_token(file: &Path, token: &str) {
    fs::write(file, token).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
}

/// A service of a scene, and a recording of it under the name that the service goes by.
struct Both {
    server: Server,
    scratch: TempDir,
}

impl Both {
    fn of(scene: &Scene) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        scene.record(&scratch.path().join("it.db"), "db1");
        write_token(&scratch.path().join("token"), TOKEN);
        let settings = Settings { token: Some(TOKEN.to_owned()), ..settings() };
        Self { server: Server::start(Fake::new(scene, By::Program), &settings), scratch }
    }

    fn file(&self, name: &str) -> String {
        self.scratch.path().join(name).display().to_string()
    }

    async fn asked(&self, arguments: &[&str]) -> Said {
        let (service, token) = (format!("http://{}", self.server.address), self.file("token"));
        report(&[&["--service", &service, "--token-file", &token], arguments].concat()).await
    }

    async fn recorded(&self, arguments: &[&str]) -> Said {
        report(&[&[self.file("it.db").as_str()], arguments].concat()).await
    }
}

#[tokio::test]
async fn it_is_that_of_a_recording() {
    for scene in [scene::quiet(), scene::busy(), scene::incomplete()] {
        let both = Both::of(&scene);
        for form in FORMS {
            let (asked, recorded) = (both.asked(form).await, both.recorded(form).await);
            assert_eq!((asked.status, asked.error.as_str()), (0, ""), "{form:?}");
            // The file's name stands for it in some forms.
            let recorded = recorded.out.replace(&both.file("it.db"), "sockleak serve");
            assert!(asked.out.len() > 100, "{form:?}: {}", asked.out);
            assert_eq!(asked.out, recorded, "{form:?}");
        }
    }
}

#[tokio::test]
async fn verdicts_fail_and_files_are_written() {
    let both = Both::of(&scene::busy());
    let file = both.file("report.md");
    let asked =
        both.asked(&["--format", "markdown", "-o", &file, "--fail-on", "starved,client-leak,pool"]).await;
    assert_eq!((asked.status, asked.out.as_str()), (7, ""), "{}", asked.error);
    assert!(asked.error.contains("client-leak, starved"), "{}", asked.error);
    assert!(fs::read_to_string(Path::new(&file)).unwrap().starts_with("# `db1`"));
    assert_eq!(both.asked(&["--fail-on", "exit-only"]).await.status, 0);

    let told = get(both.server.address, "/api/v1/report?format=csv").await;
    assert_eq!(told.headers["content-type"], "text/csv; charset=utf-8");
    assert!(told.headers["sockleak-verdicts"].starts_with("client-leak, "));
    assert!(!told.headers.contains_key("content-disposition"));
    let token = format!("Bearer {TOKEN}");
    let headers = [("Authorization", token.as_str())];
    let page = ask(both.server.address, "GET", "/api/v1/report?format=html", &headers).await;
    assert_eq!(page.headers["content-disposition"], "attachment; filename=\"sockleak-report.html\"");
}

#[tokio::test]
async fn what_cannot_be_asked_is_said() {
    let both = Both::of(&scene::quiet());
    let service = format!("http://{}", both.server.address);
    let wrong = both.file("wrong");
    write_token(Path::new(&wrong), "wrong");
    for (arguments, status, words) in [
        (
            &["--service", "http://127.0.0.1:1"][..],
            1,
            &["sockleak: http://127.0.0.1:1: Connection refused"][..],
        ),
        (&["--service", "unix:/missing.sock"], 1, &["unix:/missing.sock: No such file"]),
        (
            &["--service", &service, "--token-file", &wrong],
            1,
            &[": that token is not valid", &service, "401"],
        ),
        (&["--service", &service, "--token-file", "/missing"], 2, &["/missing"]),
        (&["--service", "127.0.0.1"], 2, &["http://127.0.0.1:9436"]),
        (&["--service", &service, "--by", "unit"], 2, &["--by"]),
        (&["--service", &service, "x.db"], 2, &["cannot be used with"]),
        (&["--service", &service, "--table", "open"], 2, &["--format csv"]),
        (&["--token-file", "x", "x.db"], 2, &["cannot be used with"]),
        (&["--token-file", "x"], 2, &["--service"]),
    ] {
        let said = report(arguments).await;
        assert_eq!((said.status, said.out.as_str()), (status, ""), "{arguments:?}: {}", said.error);
        for word in words {
            assert!(said.error.contains(word), "{arguments:?}: {}", said.error);
        }
    }
}
