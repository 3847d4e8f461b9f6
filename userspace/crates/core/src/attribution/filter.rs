//! Which processes a user wants to see: `--pid`, `--program`, `--user`, `--unit`, `--container` and
//! `--pod`.

use std::hash::{Hash, Hasher};

use globset::GlobMatcher;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{
    container::{Container, Membership},
    pattern,
};

/// What a filter can be asked about: what is known of one process. Unknown fields match no filter of their kind.
#[derive(Clone, Copy, Debug, Default)]
pub struct Subject<'a> {
    /// Process id, as sockleak sees it.
    pub pid: u32,
    /// Path of the executable, or the process's name in brackets.
    pub program: &'a str,
    /// Name of the process's first thread.
    pub comm: Option<&'a str>,
    /// User id.
    pub uid: Option<u32>,
    /// Name of the user.
    pub user: Option<&'a str>,
    /// Systemd unit, container and pod.
    pub membership: Option<&'a Membership>,
}

/// A glob as the user gave it. Two are equal if they are written alike.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Glob {
    text: String,
    matcher: GlobMatcher,
}

/// Why a glob cannot be used.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{text:?} is no glob: {reason}; write for example 'nginx*'")]
pub struct GlobError {
    text: String,
    reason: String,
}

impl Glob {
    /// Reads a glob: `*` also matches slashes, and `\` takes a wildcard literally.
    ///
    /// # Errors
    /// If it is empty or no glob.
    pub fn parse(text: &str) -> Result<Self, GlobError> {
        let wrong = |reason: String| GlobError { text: text.to_owned(), reason };
        if text.is_empty() {
            return Err(wrong("it is empty".to_owned()));
        }
        let matcher = pattern::compile(text, false).map_err(|error| wrong(error.kind().to_string()))?;
        Ok(Self { text: text.to_owned(), matcher })
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    fn matches(&self, name: &str) -> bool {
        self.text == name || self.matcher.is_match(name)
    }
}

impl PartialEq for Glob {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Glob {}

impl Hash for Glob {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl TryFrom<String> for Glob {
    type Error = GlobError;

    fn try_from(text: String) -> Result<Self, GlobError> {
        Self::parse(&text)
    }
}

impl From<Glob> for String {
    fn from(glob: Glob) -> Self {
        glob.text
    }
}

/// A choice of processes. Several values of one kind mean any of them; values of different kinds must all match.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    /// Process ids.
    pub pids: Vec<u32>,
    /// Programs: path, file name or the process's name.
    pub programs: Vec<Glob>,
    /// Users: name or number.
    pub users: Vec<String>,
    /// Systemd units: with or without `.service`.
    pub units: Vec<Glob>,
    /// Containers: a name, the beginning of an id or of a pod's uid, or a glob of `RUNTIME NAME` or `RUNTIME ID`.
    pub containers: Vec<Glob>,
    /// Kubernetes pods: `NAMESPACE/POD`, `POD`, or the beginning of a uid.
    pub pods: Vec<Glob>,
}

impl Filter {
    /// Lets every process pass.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { pids, programs, users, units, containers, pods } = self;
        pids.is_empty()
            && programs.is_empty()
            && users.is_empty()
            && units.is_empty()
            && containers.is_empty()
            && pods.is_empty()
    }

    /// Does it want this process?
    #[must_use]
    pub fn matches(&self, subject: &Subject<'_>) -> bool {
        let file = subject.program.rsplit('/').next().unwrap_or_default();
        let names = [Some(subject.program), Some(file), subject.comm];
        let is_program = |glob: &Glob| names.iter().flatten().any(|name| glob.matches(name));
        let is_user = |user: &String| {
            subject.user == Some(user) || subject.uid.is_some_and(|uid| user.parse() == Ok(uid))
        };
        let unit = subject.membership.and_then(|it| it.unit.as_deref());
        let container = subject.membership.and_then(|it| it.container.as_ref());
        let is_unit = |glob: &Glob| {
            unit.is_some_and(|unit| {
                glob.matches(unit) || unit.strip_suffix(".service").is_some_and(|bare| glob.matches(bare))
            })
        };
        let is_container = |glob: &Glob| container.is_some_and(|it| is_container(it, glob));
        let is_pod = |glob: &Glob| {
            container.is_some_and(|it| {
                is_uid_of_pod(it, glob)
                    || it.pod_name.as_deref().is_some_and(|name| glob.matches(name))
                    || it.pod_path().is_some_and(|path| glob.matches(&path))
            })
        };
        any(&self.pids, |pid| *pid == subject.pid)
            && any(&self.programs, is_program)
            && any(&self.users, is_user)
            && any(&self.units, is_unit)
            && any(&self.containers, is_container)
            && any(&self.pods, is_pod)
    }

    /// The filter as arguments: `--pid 7 --user web`.
    #[must_use]
    pub fn text(&self) -> String {
        let pids = self.pids.iter().map(|pid| format!("--pid {pid}"));
        let globs = [
            ("program", &self.programs),
            ("unit", &self.units),
            ("container", &self.containers),
            ("pod", &self.pods),
        ];
        let users = self.users.iter().map(|user| format!("--user {user}"));
        let globs = globs
            .into_iter()
            .flat_map(|(name, globs)| globs.iter().map(move |glob| format!("--{name} {}", glob.text)));
        pids.chain(users).chain(globs).collect::<Vec<_>>().join(" ")
    }
}

/// Is a container meant by its name, by its id, or by its pod's uid?
fn is_container(it: &Container, glob: &Glob) -> bool {
    let unnamed = Container { id: it.id.clone(), runtime: it.runtime, ..Container::default() };
    it.id.starts_with(&glob.text)
        || is_uid_of_pod(it, glob)
        || glob.matches(&it.id)
        || [&it.name, &it.pod_container].into_iter().flatten().any(|name| glob.matches(name))
        || [it.called(), it.short(), unnamed.short()].iter().any(|name| glob.matches(name))
}

fn is_uid_of_pod(it: &Container, glob: &Glob) -> bool {
    it.pod.as_ref().is_some_and(|uid| uid.starts_with(&glob.text))
}

/// No value of a kind is no condition.
fn any<T>(values: &[T], matches: impl Fn(&T) -> bool) -> bool {
    values.is_empty() || values.iter().any(matches)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribution::container::Runtime;

    const ID: &str = "8f3c1d2e4b5a69788f3c1d2e4b5a69788f3c1d2e4b5a69788f3c1d2e4b5a6978";

    fn globs(texts: &[&str]) -> Vec<Glob> {
        texts.iter().map(|text| Glob::parse(text).expect("a glob")).collect()
    }

    #[test]
    fn kinds_go_together_and_values_of_one_are_alternatives() {
        let service = Membership::of("/system.slice/web.service");
        let docker = Membership::of(&format!("/system.slice/docker-{ID}.scope"));
        let web = Subject {
            pid: 7,
            program: "/usr/sbin/nginx",
            comm: Some("nginx-worker"),
            uid: Some(33),
            user: Some("www-data"),
            membership: Some(&service),
        };
        let contained = Subject { membership: Some(&docker), ..web };
        let unknown = Subject { pid: 7, program: "[x]", ..Subject::default() };
        let filter = Filter::default;
        for (filter, is_web, is_contained, is_unknown) in [
            (filter(), true, true, true),
            (Filter { pids: vec![6, 7], ..filter() }, true, true, true),
            (Filter { pids: vec![6], ..filter() }, false, false, false),
            (Filter { programs: globs(&["nginx"]), ..filter() }, true, true, false),
            (Filter { programs: globs(&["/usr/*"]), ..filter() }, true, true, false),
            (Filter { programs: globs(&["*-worker"]), ..filter() }, true, true, false),
            (Filter { programs: globs(&["ngin"]), ..filter() }, false, false, false),
            (Filter { users: vec!["33".into()], ..filter() }, true, true, false),
            (Filter { users: vec!["root".into(), "www-data".into()], ..filter() }, true, true, false),
            (Filter { units: globs(&["web"]), ..filter() }, true, false, false),
            (Filter { units: globs(&["w*.service"]), ..filter() }, true, false, false),
            (Filter { containers: globs(&["8f3c"]), ..filter() }, false, true, false),
            (Filter { containers: globs(&["docker *"]), ..filter() }, false, true, false),
            (Filter { pids: vec![7], users: vec!["root".into()], ..filter() }, false, false, false),
        ] {
            let matched = [web, contained, unknown].map(|subject| filter.matches(&subject));
            assert_eq!(matched, [is_web, is_contained, is_unknown], "{}", filter.text());
        }
    }

    #[test]
    fn containers_and_pods_are_meant_by_name() {
        let text = |text: &str| Some(text.to_owned());
        let docker = Container {
            id: ID.to_owned(),
            runtime: Runtime::Docker,
            name: text("shop-web-1"),
            ..Container::default()
        };
        let pod = Container {
            id: ID.to_owned(),
            runtime: Runtime::Containerd,
            pod: text("0a1b2c3d-1111-2222-3333-444455556666"),
            namespace: text("prod"),
            pod_name: text("web-0"),
            pod_container: text("app"),
            ..Container::default()
        };
        let [docker, pod] =
            [docker, pod].map(|it| Membership { container: Some(it), ..Membership::default() });
        for (kind, value, is_docker, is_of_pod) in [
            ("container", "shop-web-1", true, false),
            ("container", "shop-*", true, false),
            ("container", "shop", false, false),
            ("container", "docker shop-web-1", true, false),
            ("container", "docker 8f3c1d2e4b5a", true, false),
            ("container", "8f3c", true, true),
            ("container", "app", false, true),
            ("container", "prod/web-0/app", false, true),
            ("container", "prod/*", false, true),
            ("container", "0a1b2c3d", false, true),
            ("pod", "prod/web-0", false, true),
            ("pod", "web-0", false, true),
            ("pod", "prod/*", false, true),
            ("pod", "web", false, false),
            ("pod", "0a1b2c3d", false, true),
            ("pod", "*", false, true),
        ] {
            let values = globs(&[value]);
            let filter = match kind {
                "pod" => Filter { pods: values, ..Filter::default() },
                _ => Filter { containers: values, ..Filter::default() },
            };
            let matched = [&docker, &pod]
                .map(|it| filter.matches(&Subject { membership: Some(it), ..Subject::default() }));
            assert_eq!(matched, [is_docker, is_of_pod], "{}", filter.text());
        }
    }

    #[test]
    fn a_filter_reads_as_it_was_given() {
        let filter =
            Filter { pids: vec![7], users: vec!["web".into()], units: globs(&["a*"]), ..Filter::default() };
        assert_eq!(filter.text(), "--pid 7 --user web --unit a*");
        assert!(!filter.is_empty() && Filter::default().is_empty());
        let wrong = Glob::parse("[").map(|_| ()).expect_err("no glob").to_string();
        assert!(wrong.starts_with("\"[\" is no glob: "), "{wrong}");
    }
}
