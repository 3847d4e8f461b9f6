//! `sockleak check`: can this machine be traced? Tries it, and tells hook by hook.

use std::fmt::Write as _;

use comfy_table::{Table, presets};
use serde::Serialize;
use sockleak_core::text::escape::terminal;

use super::output::Output;
use crate::{
    cgroups::ControlGroups,
    cli::Check,
    containers::{self, EngineFiles},
    failure::Failure,
    privilege,
    probe::{
        attach::Probe,
        facts::Machine,
        options::HookChoice,
        plan::{Hook, Preemption, Scope},
        sizes::Sizes,
        status::{HookStatus, Outcome},
    },
};

/// What `check` found.
#[derive(Debug, Serialize)]
struct Findings {
    kernel: String,
    btf: bool,
    btf_problem: Option<String>,
    kprobes: bool,
    preemptible: Option<bool>,
    missing_capabilities: Vec<String>,
    lockdown: Option<String>,
    locked_memory_limit: Option<u64>,
    own_namespaces: Option<Vec<&'static str>>,
    container_engines: Vec<EngineFiles>,
    hooks: Vec<HookStatus>,
    recursion_misses: Vec<(&'static str, Option<u64>)>,
    conclusion: String,
}

/// Runs it.
///
/// # Errors
/// The conclusion, if it is that nothing can be traced here.
pub fn run(arguments: &Check) -> Result<(), Failure> {
    let machine = Machine::inspect();
    let sizes = Sizes::new(arguments.probe.ring_size, arguments.probe.max_connections);
    let probe = Probe::attach(&machine, arguments.probe.hooks, sizes, Scope::of(|_| true));
    let (hooks, misses, failure) = match probe {
        Ok(probe) => match probe.require(&machine, Hook::is_required) {
            Ok(()) => (probe.hooks.clone(), probe.misses().map(|(_, name, n)| (name, n)).collect(), None),
            Err(failure) => (probe.hooks.clone(), Vec::new(), Some(failure)),
        },
        Err(failure) => (Vec::new(), Vec::new(), Some(failure)),
    };
    // As `capture` and the service read them, with what they keep of their privileges.
    privilege::drop_after_attach();
    let container_engines = containers::survey();
    let of_groups = ControlGroups::remarks(machine.namespaces);
    // Every hook is gone again: what is left to do is to print.
    privilege::keep_nothing();
    let conclusion = match &failure {
        Some(failure) => failure.to_string(),
        None => {
            // What a namespace costs is said with its remedy.
            let of_namespaces = machine.namespaces.unseen_processes().into_iter().chain(of_groups).collect();
            conclude(&hooks, of_namespaces, &container_engines, arguments.probe.hooks)
        }
    };
    let findings = Findings {
        kernel: format!("{} ({})", machine.release, machine.version),
        btf: machine.btf.is_ok(),
        btf_problem: machine.btf.as_ref().err().map(ToString::to_string),
        kprobes: machine.kprobes,
        preemptible: match machine.preemption {
            Preemption::Yes => Some(true),
            Preemption::No => Some(false),
            Preemption::Unknown => None,
        },
        missing_capabilities: machine.missing.iter().map(ToString::to_string).collect(),
        lockdown: machine.lockdown.clone(),
        locked_memory_limit: machine.locked_memory,
        container_engines,
        own_namespaces: (!machine.namespaces.is_unknown).then(|| machine.namespaces.kinds()),
        hooks,
        recursion_misses: misses,
        conclusion,
    };
    let mut out = Output::default();
    if arguments.json {
        out.json(&serde_json::to_value(&findings).map_err(anyhow::Error::from)?);
    } else {
        out.buffer.extend_from_slice(render(&findings, failure.is_none()).as_bytes());
    }
    out.flush()?;
    failure.map_or(Ok(()), Err)
}

/// What can be traced, and what to do next: one sentence.
fn conclude(
    hooks: &[HookStatus],
    of_namespaces: Vec<&'static str>,
    engines: &[EngineFiles],
    choice: HookChoice,
) -> String {
    let missing = || hooks.iter().filter(|hook| hook.status != Outcome::Attached);
    let mut gaps: Vec<_> = missing().map(|hook| hook.hook.without()).collect();
    gaps.extend(remedy(missing(), choice));
    gaps.extend(of_namespaces);
    // Several hooks may serve one thing.
    gaps.dedup();
    let unread = unread(engines);
    gaps.extend(unread.iter().map(String::as_str));
    if gaps.is_empty() {
        return "Everything can be traced on this machine: `sockleak capture TARGET` is the next step."
            .to_owned();
    }
    format!("Connections can be traced on this machine, with gaps: {}.", gaps.join("; "))
}

/// Whose containers keep their ids for names, with the remedy, in a sentence each.
fn unread(engines: &[EngineFiles]) -> Vec<String> {
    let unread = engines.iter().filter_map(|EngineFiles { engine, path, problem }| {
        let (path, problem) = (path.display(), problem.as_ref()?);
        Some(format!(
            "containers of {engine} are shown by id, because their names in {path} cannot be read ({problem}): give sockleak \
             CAP_DAC_READ_SEARCH and CAP_SYS_PTRACE"
        ))
    });
    unread.collect()
}

/// What to do so that the missing hooks can be attached; None if none is missing.
fn remedy<'h>(missing: impl Iterator<Item = &'h HookStatus>, choice: HookChoice) -> Option<&'static str> {
    let statuses: Vec<Outcome> = missing.map(|hook| hook.status).collect();
    match (choice, statuses.as_slice()) {
        (_, []) => None,
        (HookChoice::Fentry | HookChoice::Kprobe, _) => {
            Some("leave out --hooks, and the best kind is taken for each hook")
        }
        (HookChoice::Auto, statuses) if statuses.contains(&Outcome::Refused) => {
            Some("the kernel refuses these programs: run sockleak as root, without kernel lockdown")
        }
        (HookChoice::Auto, _) => {
            Some(if cfg!(target_arch = "aarch64") {
                // Of the kernels that were tried, those before do not attach fentry and fexit programs there (docs/kernels.md).
                "this kernel lacks them: boot Linux 6.12 or later as a distribution builds it"
            } else {
                "this kernel lacks them: boot Linux 6.1 or later as a distribution builds it"
            })
        }
    }
}

fn render(findings: &Findings, conclude: bool) -> String {
    let mut out = String::new();
    let yes = |value: bool| if value { "yes" } else { "no" };
    let mut fact = |name: &str, value: &str| {
        let _ = writeln!(out, "{name:<24}{}", terminal(value));
    };
    fact("kernel", &findings.kernel);
    fact("type information (BTF)", findings.btf_problem.as_deref().unwrap_or("yes"));
    fact("kprobes", yes(findings.kprobes));
    fact("preemptible", findings.preemptible.map_or("cannot be found out", yes));
    let missing = findings.missing_capabilities.join(" ");
    fact("capabilities", if missing.is_empty() { "sufficient" } else { &missing });
    fact("lockdown", findings.lockdown.as_deref().unwrap_or("cannot be found out"));
    let limit =
        findings.locked_memory_limit.map_or_else(|| "none".to_owned(), |bytes| format!("{bytes} bytes"));
    fact("locked memory limit", &limit);
    let own = match findings.own_namespaces.as_deref() {
        Some([]) => "the host's".to_owned(),
        Some(own) => format!("not the host's: {}", own.join(", ")),
        None => "cannot be found out".to_owned(),
    };
    fact("namespaces", &own);
    let engines: Vec<String> = findings.container_engines.iter().map(engine).collect();
    fact("container engines", &if engines.is_empty() { "none found".to_owned() } else { engines.join(", ") });
    if !findings.hooks.is_empty() {
        let _ = writeln!(out, "\n{}", hooks(&findings.hooks));
    }
    if !findings.recursion_misses.is_empty() {
        let misses = findings.recursion_misses.iter().map(|(program, count)| {
            let count =
                count.map_or_else(|| "not counted by this kernel".to_owned(), |count| count.to_string());
            format!("{program} {count}")
        });
        let _ = writeln!(out, "\nskipped runs            {}", misses.collect::<Vec<_>>().join(", "));
    }
    if conclude {
        let _ = writeln!(out, "\n{}", findings.conclusion);
    }
    out
}

fn engine(it: &EngineFiles) -> String {
    let unread = if it.problem.is_some() { ": cannot be read" } else { "" };
    format!("{} ({}{unread})", it.engine, it.path.display())
}

fn hooks(hooks: &[HookStatus]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(["HOOK", "FUNCTION", "KIND", "STATUS", "REMARK"]);
    for hook in hooks {
        table.add_row([
            hook.hook.name().to_owned(),
            hook.function.to_string(),
            hook.kind.map_or_else(|| "-".to_owned(), |kind| kind.to_string()),
            format!("{:?}", hook.status).to_lowercase(),
            hook.reason.as_deref().map_or_else(String::new, |reason| terminal(reason).into_owned()),
        ]);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::namespaces::OwnNamespaces;

    fn with(missing: &[(Hook, Outcome)]) -> Vec<HookStatus> {
        let status =
            |hook: Hook| missing.iter().find(|(it, _)| *it == hook).map_or(Outcome::Attached, |it| it.1);
        let hooks = Hook::ALL.into_iter().map(|hook| HookStatus {
            hook,
            function: hook.function().into(),
            kind: None,
            status: status(hook),
            reason: None,
        });
        hooks.collect()
    }

    #[test]
    fn it_ends_with_what_to_do() {
        let host = Vec::new;
        let said = conclude(&with(&[]), host(), &[], HookChoice::Auto);
        assert_eq!(
            said,
            "Everything can be traced on this machine: `sockleak capture TARGET` is the next step."
        );
        let sends = [Hook::Send, Hook::SendPage, Hook::SendPacket].map(|hook| (hook, Outcome::Unsupported));
        let said = conclude(&with(&sends), host(), &[], HookChoice::Kprobe);
        assert_eq!(
            said,
            "Connections can be traced on this machine, with gaps: it is not known when an end was last used; \
             leave out --hooks, and the best kind is taken for each hook."
        );
        let said = conclude(&with(&[(Hook::Attempt, Outcome::Refused)]), host(), &[], HookChoice::Auto);
        assert!(
            said.contains("failed connects are not seen; ") && said.contains("run sockleak as root"),
            "{said}"
        );
        let said = conclude(&with(&[(Hook::Attempt, Outcome::Unsupported)]), host(), &[], HookChoice::Auto);
        assert!(said.contains("boot Linux 6.1 or later"), "{said}");
    }

    #[test]
    fn a_namespace_has_its_own_remedy() {
        let own = OwnNamespaces { pid: true, ..OwnNamespaces::default() };
        let said = conclude(&with(&[]), own.unseen_processes().into_iter().collect(), &[], HookChoice::Auto);
        assert!(said.ends_with("(docker run --pid=host)."), "{said}");
        assert!(!said.contains("--hooks"), "{said}");
    }

    #[test]
    fn an_engine_that_cannot_be_read_has_its_remedy() {
        let engine = |problem: Option<&str>| EngineFiles {
            engine: "docker",
            path: "/var/lib/docker".into(),
            problem: problem.map(str::to_owned),
        };
        let said = |problem| conclude(&with(&[]), Vec::new(), &[engine(problem)], HookChoice::Auto);
        assert!(said(None).starts_with("Everything can be traced"), "{}", said(None));
        let refused = said(Some("Permission denied"));
        assert!(
            refused.contains("containers of docker are shown by id")
                && refused.contains("CAP_DAC_READ_SEARCH"),
            "{refused}"
        );
    }
}
