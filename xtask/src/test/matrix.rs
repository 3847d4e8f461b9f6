//! Which kernels boot, with what arguments, and which hooks and scenarios run there.

use anyhow::{Result, bail};
use clap::ValueEnum;

use crate::arch::Arch;
use crate::vm::kernels::{self, ARM64};

/// The kernels that everything runs on.
const MAIN: [&str; 4] = ["5.10", "6.1", "6.12", "7.2"];

/// The kernels that stand for what is like them: the newest that there is, and a kernel with PREEMPT_RT.
const MORE: [&str; 2] = ["6.12-rt", "7.3"];

/// The group of scenarios that play with a real HAProxy.
pub(super) const HAPROXY: &str = "haproxy";

/// The cases of the command line and of the service.
const CLI: &str = "cli";

/// The cases that the package is tried with, on a whole Debian.
pub(super) const DEBIAN: &str = "debian";

/// The cases with real servers and their client libraries, on the same Debian.
pub(super) const SERVERS: &str = "servers";

/// The cases with container engines, on another Debian.
pub(super) const CONTAINERS: &str = "containers";

/// As much of the group of servers as a run takes that asks neither for it nor for everything: each kind of case once.
const SOME_SERVERS: &[&str] =
    &["postgresql-leak", "postgresql-full", "redis-full", "redis-pool", "php-fpm-saturated"];

/// And of the containers: one engine of each kind of file.
const SOME_CONTAINERS: &[&str] = &["containers-docker", "containers-cri"];

/// The kind of hooks that sockleak is told to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Hooks {
    /// sockleak chooses, hook by hook.
    Auto,
    /// fentry and fexit.
    Fentry,
    /// kprobe and kretprobe.
    Kprobe,
}

impl Hooks {
    /// As sockleak's `--hooks` takes it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Fentry => "fentry",
            Self::Kprobe => "kprobe",
        }
    }
}

/// One VM of the test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Boot {
    pub(super) arch: Arch,
    /// The kernel's series.
    pub(super) kernel: &'static str,
    pub(super) hooks: Hooks,
    /// A further argument for the kernel.
    pub(super) append: Option<&'static str>,
    /// The groups of scenarios.
    pub(super) groups: &'static [&'static str],
    /// The only scenarios of those groups, unless it is empty.
    pub(super) only: &'static [&'static str],
}

impl Boot {
    fn plain(kernel: &'static str, hooks: Hooks) -> Self {
        Self { arch: Arch::Amd64, kernel, hooks, append: None, groups: &["kernel"], only: &[] }
    }

    /// Does it boot a whole Debian?
    pub(super) fn is_on_debian(&self) -> bool {
        [DEBIAN, SERVERS, CONTAINERS].iter().any(|group| self.groups.contains(group))
    }

    /// What tells this boot from the others: `6.1 auto`, `arm64 6.1 auto`.
    pub(super) fn label(&self) -> String {
        format!("{} {}", kernels::label(self.arch, self.kernel), self.details())
    }

    /// The same for file names, without the kernel.
    pub(super) fn slug(&self) -> String {
        self.details().replace([' ', '='], "-")
    }

    /// The command line's cases take a quarter of an hour for each kernel, and hardly depend on it: the oldest and the newest kernel
    /// show what does. Of what is said of the clients of real servers, one kernel shows enough.
    fn is_left_out(&self) -> bool {
        self.groups.contains(&CLI) && !["5.10", "7.2"].contains(&self.kernel)
            || [SERVERS, CONTAINERS].iter().any(|group| self.groups.contains(group)) && self.kernel != "6.1"
    }

    /// They depend still less on the kind of hook, but for what they say of it.
    fn is_for_who_asks(&self) -> bool {
        self.groups.contains(&CLI) && self.hooks != Hooks::Auto
    }

    fn details(&self) -> String {
        let mut label = self.hooks.name().to_owned();
        for part in
            self.append.into_iter().chain(self.groups.first().copied().filter(|group| *group != "kernel"))
        {
            label.push(' ');
            label.push_str(part);
        }
        label
    }
}

/// Every boot that the given kernels, hooks and group call for. If none is given: `whole`, or all but what is left to whoever asks
/// for it.
pub(super) fn boots(
    arch: Arch,
    wanted: &[String],
    hooks: Option<Hooks>,
    group: Option<&str>,
    whole: bool,
) -> Result<Vec<Boot>> {
    for name in wanted {
        kernels::series_for(arch, name)?;
    }
    let mut boots = match arch {
        Arch::Amd64 => all(),
        Arch::Arm64 => all_arm64(),
    };
    if arch == Arch::Amd64 && !whole && wanted.is_empty() && hooks.is_none() && group.is_none() {
        boots.retain(|boot| !boot.is_left_out());
    }
    if !whole && group.is_none() {
        for boot in &mut boots {
            if boot.groups.contains(&SERVERS) {
                boot.only = SOME_SERVERS;
            } else if boot.groups.contains(&CONTAINERS) {
                boot.only = SOME_CONTAINERS;
            }
        }
    }
    boots.retain(|boot| whole || hooks.is_some() || !boot.is_for_who_asks());
    boots.retain(|boot| wanted.is_empty() || wanted.iter().any(|name| name == boot.kernel));
    boots.retain(|boot| hooks.is_none_or(|hooks| hooks == boot.hooks));
    boots.retain(|boot| group.is_none_or(|group| boot.groups.contains(&group)));
    if boots.is_empty() {
        bail!("no boot is like that; 7.2 is preemptible, and fentry on release misses there");
    }
    Ok(boots)
}

/// The command line's cases that depend on the processor: how stacks are unwound.
const STACKS: &[&str] =
    &["stacks-c", "stacks-go", "stacks-python", "stacks-hostile", "run-c", "run-go", "run-python"];

/// What depends on the processor: what is read of kernel structures, and of stacks. One boot of each kind for each kernel, with the hooks
/// that sockleak chooses there: up to 6.1 these are kprobes anyway.
fn all_arm64() -> Vec<Boot> {
    let boot = |series: &kernels::Series, groups, only| Boot {
        arch: Arch::Arm64,
        groups,
        only,
        ..Boot::plain(series.name, Hooks::Auto)
    };
    let kernel = ARM64.iter().map(|series| boot(series, &["kernel", "verdicts"], &[]));
    let stacks = ARM64.iter().map(|series| boot(series, &[CLI], STACKS));
    kernel.chain(stacks).collect()
}

fn all() -> Vec<Boot> {
    let mut boots = Vec::new();
    for kernel in MAIN {
        // What a report concludes does not depend on the kind of hook: once for each kernel is enough.
        boots.push(Boot { groups: &["kernel", "verdicts"], ..Boot::plain(kernel, Hooks::Auto) });
        boots.push(Boot::plain(kernel, Hooks::Kprobe));
        // On preemptible kernels fentry programs are skipped now and then: nothing exact can be asked of them.
        if kernel != "7.2" {
            boots.push(Boot::plain(kernel, Hooks::Fentry));
        }
    }
    for kernel in MORE {
        boots.push(Boot::plain(kernel, Hooks::Auto));
    }
    for kernel in ["6.12", "7.2"] {
        boots.push(Boot { append: Some("preempt=full"), ..Boot::plain(kernel, Hooks::Auto) });
    }
    for group in [&[HAPROXY], &[CLI]] {
        for kernel in MAIN {
            boots.push(Boot { groups: group, ..Boot::plain(kernel, Hooks::Auto) });
        }
    }
    for kernel in MAIN {
        boots.push(Boot { groups: &[CLI], ..Boot::plain(kernel, Hooks::Kprobe) });
    }
    for group in [&[DEBIAN], &[SERVERS], &[CONTAINERS]] {
        for kernel in ["6.1", "7.2"] {
            boots.push(Boot { groups: group, ..Boot::plain(kernel, Hooks::Auto) });
        }
    }
    boots
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(kernels: &[&str], hooks: Option<Hooks>) -> Vec<String> {
        let kernels: Vec<String> = kernels.iter().map(ToString::to_string).collect();
        boots(Arch::Amd64, &kernels, hooks, None, true)
            .expect("some are left")
            .iter()
            .map(Boot::label)
            .collect()
    }

    #[test]
    fn the_matrix_is_complete() {
        assert_eq!(
            labels(&[], None),
            [
                "5.10 auto",
                "5.10 kprobe",
                "5.10 fentry",
                "6.1 auto",
                "6.1 kprobe",
                "6.1 fentry",
                "6.12 auto",
                "6.12 kprobe",
                "6.12 fentry",
                "7.2 auto",
                "7.2 kprobe",
                "6.12-rt auto",
                "7.3 auto",
                "6.12 auto preempt=full",
                "7.2 auto preempt=full",
                "5.10 auto haproxy",
                "6.1 auto haproxy",
                "6.12 auto haproxy",
                "7.2 auto haproxy",
                "5.10 auto cli",
                "6.1 auto cli",
                "6.12 auto cli",
                "7.2 auto cli",
                "5.10 kprobe cli",
                "6.1 kprobe cli",
                "6.12 kprobe cli",
                "7.2 kprobe cli",
                "6.1 auto debian",
                "7.2 auto debian",
                "6.1 auto servers",
                "7.2 auto servers",
                "6.1 auto containers",
                "7.2 auto containers",
            ]
        );
    }

    #[test]
    fn the_other_processor_has_a_boot_for_each_of_its_kernels() {
        let labels = |kernel: &[&str]| {
            let kernels: Vec<String> = kernel.iter().map(ToString::to_string).collect();
            boots(Arch::Arm64, &kernels, None, None, false)
                .map(|boots| boots.iter().map(Boot::label).collect::<Vec<_>>())
        };
        let all =
            ["arm64 5.10 auto", "arm64 6.1 auto", "arm64 6.12 auto", "arm64 6.12-16k auto", "arm64 7.2 auto"];
        let stacks = all.map(|label| format!("{label} cli"));
        assert_eq!(labels(&[]).expect("there are some"), [&all.map(str::to_owned)[..], &stacks].concat());
        assert_eq!(labels(&["6.12-16k"]).expect("there are some"), [all[3], &stacks[3]]);
        assert!(boots(Arch::Amd64, &["6.12-16k".to_owned()], None, None, false).is_err());
        assert!(boots(Arch::Arm64, &[], None, Some(HAPROXY), false).is_err());
    }

    #[test]
    fn a_group_has_its_boots() {
        let group = |name| {
            boots(Arch::Amd64, &[], None, Some(name), false)
                .map(|all| all.iter().map(Boot::label).collect::<Vec<_>>())
        };
        assert_eq!(group("debian").expect("there are some"), ["6.1 auto debian", "7.2 auto debian"]);
        assert_eq!(group("servers").expect("there are some"), ["6.1 auto servers", "7.2 auto servers"]);
        assert!(group("none").is_err());
        assert_eq!(group("cli").expect("there are some").len(), MAIN.len());
    }

    #[test]
    fn some_boots_are_left_to_whoever_asks() {
        let all = boots(Arch::Amd64, &[], None, None, true).expect("there are some");
        let usual = boots(Arch::Amd64, &[], None, None, false).expect("there are some");
        let left: Vec<_> = all.iter().filter(|boot| !usual.contains(boot)).map(Boot::label).collect();
        let kprobe = ["5.10 kprobe cli", "6.1 kprobe cli", "6.12 kprobe cli", "7.2 kprobe cli"];
        // The boot with some of the servers is another one than that with all of them.
        let parts = ["6.1 auto servers", "7.2 auto servers", "6.1 auto containers", "7.2 auto containers"];
        assert_eq!(left, [&["6.1 auto cli", "6.12 auto cli"][..], &kprobe, &parts].concat());
    }

    #[test]
    fn a_part_of_the_servers_stands_for_all() {
        let only = |group, whole| {
            let boots = boots(Arch::Amd64, &[], None, group, whole).expect("there are some");
            let servers = boots.iter().filter(|boot| boot.groups.contains(&SERVERS));
            servers.map(|boot| (boot.kernel, boot.only)).collect::<Vec<_>>()
        };
        assert_eq!(only(None, false), [("6.1", SOME_SERVERS)]);
        assert_eq!(only(None, true), [("6.1", &[][..]), ("7.2", &[][..])]);
        assert_eq!(only(Some(SERVERS), false), [("6.1", &[][..]), ("7.2", &[][..])]);
    }

    #[test]
    fn it_narrows_by_kernel_and_hooks() {
        assert_eq!(labels(&["5.10"], Some(Hooks::Fentry)), ["5.10 fentry"]);
        assert_eq!(
            labels(&["6.1"], Some(Hooks::Auto)),
            [
                "6.1 auto",
                "6.1 auto haproxy",
                "6.1 auto cli",
                "6.1 auto debian",
                "6.1 auto servers",
                "6.1 auto containers"
            ]
        );
        assert!(boots(Arch::Amd64, &["7.2".into()], Some(Hooks::Fentry), None, false).is_err());
        assert!(boots(Arch::Amd64, &["4.4".into()], None, None, false).is_err());
    }
}
