//! What figures and findings are grouped by.

use serde::Serialize;

use super::{
    container::{Container, Membership},
    script,
};
use crate::{
    choice::Choice as _,
    choices,
    event::{Actor, Process},
};

/// Characters of a command line that a group's name keeps.
const CMDLINE: usize = 120;

choices! {
    /// What figures and findings are grouped by.
    #[derive(Debug, Default, Serialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum By {
        /// Path of the executable; of an interpreter, with the script that it runs.
        #[default]
        Program = "program",
        /// Command line, its first 120 characters.
        Cmdline = "cmdline",
        /// Systemd unit.
        Unit = "unit",
        /// Container.
        Container = "container",
        /// Kubernetes pod.
        Pod = "pod",
        /// Image of the container.
        Image = "image",
        /// User.
        User = "user",
        /// Process.
        Pid = "pid",
        /// Program, and with --stacks the function of its own that connects.
        Stack = "stack",
    }
}

impl By {
    /// Heads a column of names.
    #[must_use]
    pub const fn heading(self) -> &'static str {
        match self {
            Self::Program => "PROGRAM",
            Self::Cmdline => "COMMAND LINE",
            Self::Unit => "UNIT",
            Self::Container => "CONTAINER",
            Self::Pod => "POD",
            Self::Image => "IMAGE",
            Self::User => "USER",
            Self::Pid => "PROCESS",
            Self::Stack => "PROGRAM: PLACE",
        }
    }

    /// Within a sentence: no `noun` connected.
    #[must_use]
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Program => "program",
            Self::Cmdline => "command line",
            Self::Unit => "unit",
            Self::Container => "container",
            Self::Pod => "pod",
            Self::Image => "image",
            Self::User => "user",
            Self::Pid => "process",
            Self::Stack => "place in a program",
        }
    }

    /// Name of the group of all that came when there were too many groups, and of those that are long over.
    pub const fn others(self) -> &'static str {
        match self {
            Self::Program => "[other programs]",
            Self::Cmdline => "[other command lines]",
            Self::Unit => "[other units]",
            Self::Container => "[other containers]",
            Self::Pod => "[other pods]",
            Self::Image => "[other images]",
            Self::User => "[other users]",
            Self::Pid => "[other processes]",
            Self::Stack => "[other places]",
        }
    }

    /// Is this the name of the group of all that have none of their own, whatever is grouped by?
    #[must_use]
    pub fn is_others(name: &str) -> bool {
        Self::ALL.iter().any(|by| by.others() == name)
    }

    /// Name of the group that somebody belongs to. Who has none, or whose group cannot be told, counts with others of the program
    /// alone: together, all of them would be judged as one.
    pub(super) fn group(self, member: &Member<'_>) -> String {
        let process = member.process;
        match self {
            // Where it connects is known with a connection alone: see `Processes::place`.
            Self::Stack => member.program.to_owned(),
            Self::Program => {
                let script = process.and_then(|process| script::name(member.program, process));
                script.unwrap_or_else(|| member.program.to_owned())
            }
            Self::Cmdline => process
                .and_then(command_line)
                .unwrap_or_else(|| format!("[unknown command line] {}", member.program)),
            Self::Unit => match membership(process) {
                Some(Membership { unit: Some(unit), manager: Some(uid), .. }) => {
                    format!("{unit} (of user {uid})")
                }
                Some(Membership { unit: Some(unit), .. }) => unit,
                Some(Membership { container: Some(container), .. }) => container.short(),
                Some(_) => format!("[no unit] {}", member.program),
                None => format!("[unknown unit] {}", member.program),
            },
            Self::Container => match membership(process).map(|it| it.container) {
                Some(Some(container)) => container.short(),
                Some(None) => format!("[no container] {}", member.program),
                None => format!("[unknown container] {}", member.program),
            },
            Self::Pod => match membership(process).map(|it| it.container) {
                Some(container) => {
                    let pod =
                        container.and_then(|it| it.pod_path().or_else(|| Some(format!("pod {}", it.pod?))));
                    pod.unwrap_or_else(|| format!("[no pod] {}", member.program))
                }
                None => format!("[unknown pod] {}", member.program),
            },
            Self::Image => match membership(process).map(|it| it.container) {
                Some(Some(Container { image: Some(image), .. })) => image,
                Some(None) => format!("[no image] {}", member.program),
                Some(Some(_)) | None => format!("[unknown image] {}", member.program),
            },
            Self::User => match (member.user, member.uid()) {
                (Some(name), _) => name.to_owned(),
                (None, Some(uid)) => format!("uid {uid}"),
                (None, None) => "[unknown user]".to_owned(),
            },
            Self::Pid => match member.actor.id.pid {
                0 => "[unknown process]".to_owned(),
                pid => format!("{} (pid {pid})", member.program),
            },
        }
    }
}

/// Somebody whose group is asked for.
pub(super) struct Member<'a> {
    /// The thread.
    pub(super) actor: &'a Actor,
    /// Its process, where known.
    pub(super) process: Option<&'a Process>,
    /// Name of its program.
    pub(super) program: &'a str,
    /// Name of its user, where known.
    pub(super) user: Option<&'a str>,
}

impl Member<'_> {
    /// As whom it acted.
    fn uid(&self) -> Option<u32> {
        self.actor.uid.or_else(|| self.process.map(|process| process.uid))
    }
}

fn membership(process: Option<&Process>) -> Option<Membership> {
    Membership::of_process(process?)
}

/// The arguments in a line, cut to a length. None if they could not be read, or the process has wiped them.
fn command_line(process: &Process) -> Option<String> {
    let line = process.argv.join(" ");
    if line.is_empty() {
        return None;
    }
    let is_long = line.chars().nth(CMDLINE).is_some();
    if is_long || process.argv_truncated {
        let kept: String = line.chars().take(CMDLINE - 1).collect();
        return Some(format!("{kept}…"));
    }
    Some(line)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        event::{ContainerNames, Record, Runtime},
        testing::{event, process, release},
    };

    fn actor(pid: u32) -> Actor {
        match event(1, pid, release(1, 1, crate::event::End::Client)) {
            Record::Event(event) => event.actor,
            _ => panic!("no event"),
        }
    }

    fn sample(change: impl FnOnce(&mut Process)) -> Process {
        let Record::Process(sample) = process(7, Some("/usr/bin/x")) else { panic!("no process") };
        let mut sample = Arc::unwrap_or_clone(sample);
        change(&mut sample);
        sample
    }

    fn group(by: By, process: Option<&Process>, user: Option<&str>) -> String {
        by.group(&Member { actor: &actor(7), process, program: "/usr/bin/x", user })
    }

    #[test]
    fn everybody_has_a_group() {
        let id = "8f3c1d2e4b5a69788f3c1d2e4b5a69788f3c1d2e4b5a69788f3c1d2e4b5a6978";
        let within = |path: &str| sample(|it| it.cgroup_path = Some(path.into()));
        let service = within("/system.slice/a.service");
        let docker = within(&format!("/system.slice/docker-{id}.scope"));
        let of_user = within("/user.slice/user-1000.slice/user@1000.service/app.slice/a.service");
        let root = within("/");
        let pod = format!("/kubepods/besteffort/pod0a1b2c3d-1111-2222-3333-444455556666/{id}");
        let names = ContainerNames {
            runtime: Runtime::Containerd,
            id: id.to_owned(),
            image: Some("nginx:1.25".to_owned()),
            namespace: Some("shop".to_owned()),
            pod: Some("web-0".to_owned()),
            pod_container: Some("app".to_owned()),
            ..ContainerNames::default()
        };
        let unnamed = within(&pod);
        let named =
            sample(|it| (it.cgroup_path, it.container) = (Some(pod.as_str().into()), Some(Arc::new(names))));
        let bare = sample(|_| {});
        for (by, process, user, expected) in [
            (By::Program, Some(&bare), None, "/usr/bin/x"),
            (By::Cmdline, Some(&bare), None, "/usr/bin/x -v"),
            (By::Cmdline, None, None, "[unknown command line] /usr/bin/x"),
            (By::Unit, Some(&service), None, "a.service"),
            (By::Unit, Some(&of_user), None, "a.service (of user 1000)"),
            (By::Unit, Some(&docker), None, "docker 8f3c1d2e4b5a"),
            (By::Unit, Some(&root), None, "[no unit] /usr/bin/x"),
            (By::Unit, Some(&bare), None, "[unknown unit] /usr/bin/x"),
            (By::Unit, None, None, "[unknown unit] /usr/bin/x"),
            (By::Container, Some(&docker), None, "docker 8f3c1d2e4b5a"),
            (By::Container, Some(&service), None, "[no container] /usr/bin/x"),
            (By::Container, Some(&bare), None, "[unknown container] /usr/bin/x"),
            (By::Container, Some(&named), None, "containerd shop/web-0/app"),
            (By::Pod, Some(&named), None, "shop/web-0"),
            (By::Pod, Some(&unnamed), None, "pod 0a1b2c3d-1111-2222-3333-444455556666"),
            (By::Pod, Some(&docker), None, "[no pod] /usr/bin/x"),
            (By::Pod, Some(&bare), None, "[unknown pod] /usr/bin/x"),
            (By::Image, Some(&named), None, "nginx:1.25"),
            (By::Image, Some(&docker), None, "[unknown image] /usr/bin/x"),
            (By::Image, Some(&service), None, "[no image] /usr/bin/x"),
            (By::Image, Some(&bare), None, "[unknown image] /usr/bin/x"),
            (By::User, Some(&bare), Some("web"), "web"),
            (By::User, Some(&bare), None, "uid 0"),
            (By::Pid, Some(&bare), None, "/usr/bin/x (pid 7)"),
        ] {
            assert_eq!(group(by, process, user), expected, "{by:?}");
        }
    }

    #[test]
    fn nobody_in_particular_is_said_to_be_unknown() {
        let mut nobody = actor(0);
        nobody.uid = None;
        for (by, expected) in [(By::User, "[unknown user]"), (By::Pid, "[unknown process]")] {
            let member = Member { actor: &nobody, process: None, program: "[unknown]", user: None };
            assert_eq!(by.group(&member), expected);
        }
    }

    #[test]
    fn command_lines_are_cut() {
        let with = |argv: &[&str], argv_truncated| {
            let argv = argv.iter().map(|it| (*it).to_owned()).collect();
            let sample = sample(|it| (it.argv, it.argv_truncated) = (argv, argv_truncated));
            group(By::Cmdline, Some(&sample), None)
        };
        let long = "ä".repeat(200);
        assert_eq!(with(&["x", &long], false), format!("x {}…", "ä".repeat(117)));
        assert_eq!(with(&[&"x".repeat(120)], false), "x".repeat(120));
        assert_eq!(with(&["x", "y"], true), "x y…");
        // Unreadable, or wiped.
        assert_eq!(with(&[], true), "[unknown command line] /usr/bin/x");
        assert_eq!(with(&[""], false), "[unknown command line] /usr/bin/x");
    }
}
