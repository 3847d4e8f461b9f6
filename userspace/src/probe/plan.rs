//! From facts to a plan: which programs to attach for each hook, in order of preference. Pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use super::options::HookChoice;

mod hook;
mod no_way;

pub use hook::Hook;
pub use no_way::NoWay;

/// Kinds of program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Runs before a function, with typed arguments.
    Fentry,
    /// Runs after a function, with its arguments and result.
    Fexit,
    /// Runs before a function, on a breakpoint or ftrace call.
    Kprobe,
    /// Runs after a function; sees its result alone.
    Kretprobe,
    /// Runs for each descriptor of each process.
    Iter,
    /// A kprobe, and an fentry program beside it.
    #[serde(rename = "kprobe+fentry")]
    Twins,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Fentry => "fentry",
            Self::Fexit => "fexit",
            Self::Kprobe => "kprobe",
            Self::Kretprobe => "kretprobe",
            Self::Iter => "iter",
            Self::Twins => "kprobe+fentry",
        })
    }
}

impl Kind {
    const fn is_tracing(self) -> bool {
        matches!(self, Self::Fentry | Self::Fexit | Self::Iter)
    }
}

/// Which hooks are asked for.
#[derive(Clone, Copy)]
pub struct Scope {
    /// Is this one?
    pub includes: fn(Hook) -> bool,
    /// Those that note use are attached when they are needed, where the kernel allows that.
    pub use_waits: bool,
}

impl Scope {
    /// These, from the start.
    #[must_use]
    pub const fn of(includes: fn(Hook) -> bool) -> Self {
        Self { includes, use_waits: false }
    }
}

/// Is kernel code preempted, so that fentry and fexit programs may be skipped?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preemption {
    /// It is not: `none` or `voluntary`.
    No,
    /// It is: `full` or `lazy`.
    Yes,
    /// Chosen at boot, and not to be found out.
    Unknown,
}

/// What the plan rests on.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Number of arguments of each hooked function, by name; missing if BTF does not have the function.
    pub arguments: BTreeMap<&'static str, usize>,
    /// Functions that kprobes find although BTF does not have them.
    pub symbols: BTreeSet<&'static str>,
    /// Does the kernel have kprobes?
    pub kprobes: bool,
    /// Do its kretprobes see every return? Others run out: one that waits holds an instance, and there are few.
    pub rethook: bool,
    /// Is kernel code preempted?
    pub preemption: Preemption,
    /// Version as (major, minor).
    pub version: (u32, u32),
}

/// One way to watch a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// What it is called by.
    pub kind: Kind,
    /// The programs in the object file, with their kinds.
    pub programs: Vec<(&'static str, Kind)>,
    /// What it may miss here.
    pub warning: Option<&'static str>,
    /// Can it be attached later, by a process that has no privileges any more?
    pub may_wait: bool,
    /// Why there is no other way, should the kernel not take this one.
    pub no_other: Option<NoWay>,
}

/// What to do for a hook: the ways to try in turn, or why there is none.
pub type HookPlan = Result<Vec<Way>, NoWay>;

/// All hooks in the order of [`Hook::ALL`], but for what this kernel does without.
pub type Plan = Vec<(Hook, HookPlan)>;

/// Draws up the plan.
#[must_use]
pub fn plan(facts: &Facts, choice: HookChoice) -> Plan {
    let has = |function| facts.arguments.contains_key(function) || facts.symbols.contains(function);
    let is_there = |hook: &Hook| *hook != Hook::SendPage || has(hook.function());
    Hook::ALL.into_iter().filter(is_there).map(|hook| (hook, plan_hook(hook, facts, choice))).collect()
}

fn plan_hook(hook: Hook, facts: &Facts, choice: HookChoice) -> HookPlan {
    let function = hook.function();
    let arguments = facts.arguments.get(function).copied();
    if arguments.is_none() && !facts.symbols.contains(function) {
        return Err(NoWay::NoFunction(function));
    }
    let mut ways = ways(hook, arguments, facts);
    if ways.iter().all(|way| !way.kind.is_tracing()) && choice == HookChoice::Fentry {
        return Err(match arguments {
            Some(arguments) => NoWay::NoProgram { function, arguments },
            None => NoWay::NoTypes(function),
        });
    }
    ways.retain(|way| match choice {
        HookChoice::Auto => true,
        HookChoice::Fentry => way.kind.is_tracing(),
        // There is no other kind of iterator.
        HookChoice::Kprobe => matches!(way.kind, Kind::Kprobe | Kind::Kretprobe | Kind::Iter),
    });
    ways.retain(|way| facts.kprobes || way.kind.is_tracing());
    if ways.is_empty() {
        let runs_out = hook.is_about_use() && facts.kprobes;
        return Err(if runs_out { NoWay::KretprobesRunOut } else { NoWay::NoKprobes });
    }
    Ok(ways)
}

/// The ways to watch a hook, best first; docs/kernel.md has the observations behind the order and the warnings. A function whose
/// arguments are not known can be watched by kprobes alone.
fn ways(hook: Hook, arguments: Option<usize>, facts: &Facts) -> Vec<Way> {
    use Kind::{Fentry, Fexit, Iter, Kprobe, Kretprobe};

    let mut ways = match hook {
        Hook::Connect => vec![
            way(Fexit, &[("connect_fexit", Fexit)]),
            way(Kretprobe, &[("connect_kretprobe", Kretprobe), ("connect_kprobe", Kprobe)]),
        ],
        Hook::Release => release_ways(facts),
        Hook::Accept => {
            vec![way(Fentry, &[("accept_fentry", Fentry)]), way(Kprobe, &[("accept_kprobe", Kprobe)])]
        }
        Hook::Attempt => vec![
            way(Fexit, &[("attempt_fexit", Fexit)]),
            way(Kretprobe, &[("attempt_kretprobe", Kretprobe), ("attempt_kprobe", Kprobe)]),
        ],
        Hook::Lookup => {
            let fexit = match arguments {
                Some(4) => Some("lookup_fexit_4"),
                Some(5) => Some("lookup_fexit_5"),
                Some(6) => Some("lookup_fexit_6"),
                _ => None,
            };
            let fexit = fexit.map(|program| way(Fexit, &[(program, Fexit)]));
            fexit.into_iter().chain([way(Kretprobe, &[("lookup_kretprobe", Kretprobe)])]).collect()
        }
        Hook::Iterate => vec![way(Iter, &[("held_iter", Iter)])],
        Hook::Send => send_ways(facts, "send_fexit", ["send_kretprobe", "send_kprobe"]),
        Hook::SendPage => send_ways(facts, "page_fexit", ["page_kretprobe", "page_kprobe"]),
        Hook::SendPacket => send_ways(facts, "packet_fexit", ["packet_kretprobe", "packet_kprobe"]),
    };
    ways.retain(|way| arguments.is_some() || matches!(way.kind, Kprobe | Kretprobe));
    for way in &mut ways {
        way.warning = warning(hook, way.kind, facts);
        way.may_wait = way.kind == Fexit && facts.version >= DESCRIPTORS_SUFFICE;
    }
    ways
}

/// A way without a warning.
fn way(kind: Kind, programs: &[(&'static str, Kind)]) -> Way {
    Way { kind, programs: programs.to_vec(), warning: None, may_wait: false, no_other: None }
}

/// fentry costs less than half as much as a kprobe, and is never skipped where kernel code is not preempted. Elsewhere it loses many
/// releases, and kprobes few: what one of them misses, the other sees.
fn release_ways(facts: &Facts) -> Vec<Way> {
    let kprobe = ("release_kprobe", Kind::Kprobe);
    let fentry = ("release_fentry", Kind::Fentry);
    let alone = |program: (&'static str, Kind)| way(program.1, &[program]);
    if facts.preemption == Preemption::No {
        return vec![alone(fentry), alone(kprobe)];
    }
    vec![way(Kind::Twins, &[kprobe, fentry]), alone(kprobe), alone(fentry)]
}

/// From this version on, if not from an earlier one, whoever has the descriptor of a program may attach it. (A kprobe takes
/// perf_event_open(2), and so a capability, on every kernel.)
const DESCRIPTORS_SUFFICE: (u32, u32) = (6, 1);

/// fexit costs less, but is skipped at times on preemptible kernels, and one message that was missed makes use unknown.
fn send_ways(facts: &Facts, fexit: &'static str, [ret, call]: [&'static str; 2]) -> Vec<Way> {
    let mut ways = vec![
        way(Kind::Fexit, &[(fexit, Kind::Fexit)]),
        way(Kind::Kretprobe, &[(ret, Kind::Kretprobe), (call, Kind::Kprobe)]),
    ];
    if facts.preemption == Preemption::Yes {
        ways.reverse();
    }
    // Some returns do not come then, and nobody is told.
    if !facts.rethook {
        ways.retain(|way| way.kind != Kind::Kretprobe);
        ways.iter_mut().for_each(|way| way.no_other = Some(NoWay::KretprobesRunOut));
    }
    ways
}

fn warning(hook: Hook, kind: Kind, facts: &Facts) -> Option<&'static str> {
    match (hook, kind) {
        (Hook::Release, Kind::Fentry) if facts.preemption != Preemption::No => {
            Some("preemptible kernels skip fentry at times: releases may be missed")
        }
        (Hook::Attempt | Hook::Lookup, Kind::Fexit) if facts.preemption == Preemption::Yes => {
            Some("preemptible kernels skip fexit at times: failed connects may be missed under load")
        }
        // Before rethook, an instance is held for as long as a connect waits, and there are few.
        (Hook::Attempt | Hook::Lookup, Kind::Kretprobe) if !facts.rethook => {
            Some("kretprobes of this kernel run out under load: failed connects may be missed")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::options::UsePolicy, *};

    fn facts(find_other: usize) -> Facts {
        let arguments =
            Hook::ALL.map(|hook| (hook.function(), if hook == Hook::Lookup { find_other } else { 3 }));
        Facts {
            arguments: arguments.into(),
            symbols: BTreeSet::new(),
            kprobes: true,
            rethook: true,
            preemption: Preemption::No,
            version: (6, 1),
        }
    }

    /// The first program for a hook.
    fn first(facts: &Facts, choice: HookChoice, hook: Hook) -> Result<&'static str, NoWay> {
        let plan = plan(facts, choice).into_iter().find(|(its, _)| *its == hook);
        let (_, ways) = plan.expect("each hook of these kernels has a plan");
        ways.map(|ways| ways[0].programs[0].0)
    }

    #[test]
    fn each_hook_has_its_best_kind() {
        let facts = facts(4);
        for (hook, expected) in [
            (Hook::Connect, "connect_fexit"),
            (Hook::Release, "release_fentry"),
            (Hook::Accept, "accept_fentry"),
            (Hook::Attempt, "attempt_fexit"),
            (Hook::Lookup, "lookup_fexit_4"),
        ] {
            assert_eq!(first(&facts, HookChoice::Auto, hook), Ok(expected));
        }
        assert_eq!(first(&facts, HookChoice::Fentry, Hook::Release), Ok("release_fentry"));
        assert_eq!(first(&facts, HookChoice::Kprobe, Hook::Connect), Ok("connect_kretprobe"));
    }

    #[test]
    fn preemptible_kernels_get_twins_for_releases() {
        let kind = |preemption, choice| {
            let plan = plan(&Facts { preemption, ..facts(4) }, choice);
            let release = plan.into_iter().find(|(hook, _)| *hook == Hook::Release);
            release.and_then(|(_, ways)| ways.ok()).map(|ways| ways[0].kind)
        };
        assert_eq!(kind(Preemption::No, HookChoice::Auto), Some(Kind::Fentry));
        assert_eq!(kind(Preemption::No, HookChoice::Kprobe), Some(Kind::Kprobe));
        assert_eq!(kind(Preemption::Yes, HookChoice::Auto), Some(Kind::Twins));
        assert_eq!(kind(Preemption::Unknown, HookChoice::Auto), Some(Kind::Twins));
        assert_eq!(kind(Preemption::Yes, HookChoice::Kprobe), Some(Kind::Kprobe));
        assert_eq!(kind(Preemption::Yes, HookChoice::Fentry), Some(Kind::Fentry));
    }

    #[test]
    fn what_a_descriptor_suffices_for_may_wait() {
        let sends = |version, preemption, choice| {
            let rethook = version > (5, 10);
            let plan = plan(&Facts { version, rethook, preemption, ..facts(4) }, choice);
            let send = plan.into_iter().find(|(hook, _)| *hook == Hook::Send);
            send.and_then(|(_, ways)| ways.ok()).map(|ways| (ways[0].kind, ways[0].may_wait))
        };
        assert_eq!(sends((6, 1), Preemption::No, HookChoice::Auto), Some((Kind::Fexit, true)));
        assert_eq!(sends((5, 10), Preemption::No, HookChoice::Auto), Some((Kind::Fexit, false)));
        assert_eq!(sends((7, 2), Preemption::Yes, HookChoice::Auto), Some((Kind::Kretprobe, false)));
        assert_eq!(sends((7, 2), Preemption::Yes, HookChoice::Fentry), Some((Kind::Fexit, true)));
        assert!(UsePolicy::Auto.hooks().use_waits && !UsePolicy::On.hooks().use_waits);
    }

    #[test]
    fn the_argument_count_picks_the_program() {
        for (count, expected) in
            [(4, "lookup_fexit_4"), (5, "lookup_fexit_5"), (6, "lookup_fexit_6"), (7, "lookup_kretprobe")]
        {
            assert_eq!(first(&facts(count), HookChoice::Auto, Hook::Lookup), Ok(expected));
        }
        let function = Hook::Lookup.function();
        let refused = Err(NoWay::NoProgram { function, arguments: 7 });
        assert_eq!(first(&facts(7), HookChoice::Fentry, Hook::Lookup), refused);
    }

    #[test]
    fn without_kprobes_fentry_serves_and_warns_where_it_misses() {
        for (preemption, warns) in
            [(Preemption::No, false), (Preemption::Yes, true), (Preemption::Unknown, true)]
        {
            let facts = Facts { kprobes: false, preemption, ..facts(4) };
            assert_eq!(first(&facts, HookChoice::Auto, Hook::Release), Ok("release_fentry"));
            let plan = plan(&facts, HookChoice::Auto);
            let release = plan.iter().find(|(hook, _)| *hook == Hook::Release).map(|(_, ways)| ways);
            let warned =
                release.and_then(|ways| ways.as_ref().ok()).is_some_and(|ways| ways[0].warning.is_some());
            assert_eq!(warned, warns);
        }
        let facts = Facts { kprobes: false, ..facts(4) };
        assert_eq!(first(&facts, HookChoice::Kprobe, Hook::Release), Err(NoWay::NoKprobes));
    }

    #[test]
    fn a_refused_way_says_why_there_is_no_other() {
        for (rethook, expected) in [(true, None), (false, Some(NoWay::KretprobesRunOut))] {
            let plan = plan(&Facts { rethook, ..facts(4) }, HookChoice::Auto);
            let send = plan.into_iter().find(|(hook, _)| *hook == Hook::Send);
            let ways = send.and_then(|(_, ways)| ways.ok()).expect("there is fexit");
            assert_eq!((ways[0].kind, ways[0].no_other), (Kind::Fexit, expected));
        }
    }

    #[test]
    fn a_function_without_types_is_left_to_kprobes() {
        let mut facts = Facts { rethook: false, version: (5, 10), ..facts(6) };
        for hook in [Hook::Release, Hook::Attempt, Hook::Lookup, Hook::Send] {
            facts.arguments.remove(hook.function());
            facts.symbols.insert(hook.function());
        }
        for (hook, expected) in [
            (Hook::Connect, Ok("connect_fexit")),
            (Hook::Release, Ok("release_kprobe")),
            (Hook::Attempt, Ok("attempt_kretprobe")),
            (Hook::Lookup, Ok("lookup_kretprobe")),
            (Hook::Send, Err(NoWay::KretprobesRunOut)),
        ] {
            assert_eq!(first(&facts, HookChoice::Auto, hook), expected, "{hook:?}");
        }
        let function = Hook::Release.function();
        assert_eq!(first(&facts, HookChoice::Fentry, Hook::Release), Err(NoWay::NoTypes(function)));
        // On a kernel with preemption there would be two programs, one of them typed.
        facts.preemption = Preemption::Yes;
        assert_eq!(first(&facts, HookChoice::Auto, Hook::Release), Ok("release_kprobe"));
    }

    #[test]
    fn a_missing_function_is_named() {
        let mut facts = facts(4);
        facts.arguments.remove("security_unix_stream_connect");
        let error = first(&facts, HookChoice::Auto, Hook::Connect).unwrap_err().to_string();
        assert!(error.contains("security_unix_stream_connect"), "{error}");
    }

    #[test]
    fn everything_is_attached_before_connections_are_seen() {
        assert_eq!(Hook::ALL.last(), Some(&Hook::Connect));
    }
}
