//! `sockleak run`: a command under observation. It fails if the command's processes leave connections open.

mod ends;
mod group;
mod launcher;
mod outcome;
mod signals;
mod tree;
mod user;
mod watcher;

use std::{
    env,
    ffi::OsString,
    io,
    process::{ExitCode, ExitStatus},
    time::Duration,
};

use anyhow::Context as _;
use nix::sys::prctl;
use sockleak_core::{
    assess::Report,
    attribution::{by::By, selection::Selection, targets::Target},
    session::{Session, Settings},
    time::nanoseconds,
};
use tokio::time::{MissedTickBehavior, interval};

use self::{
    group::Group,
    launcher::{Job, Launcher},
    outcome::Outcome,
    signals::Signals,
    user::Account,
    watcher::Watcher,
};
use super::capture::parse_targets;
use crate::{
    cli, clock,
    console::say,
    failure::Failure,
    privilege,
    probe::{facts::Machine, options::UsePolicy, sizes::Sizes},
    tracer::{self, Tracer},
    view::View,
};

/// How often the ring is read: the process that has connected may end at once, and its stack can be read only while it lives.
const DRAIN_EVERY: Duration = Duration::from_millis(1);
/// How often losses are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often processes without a parent are waited for.
const REAP_EVERY: Duration = Duration::from_millis(100);

/// What stands for all sockets that have a name.
const ALL: [&str; 2] = ["*", "@*"];

/// The statuses of a command that could not be started, as shells and env(1) have them.
const NOT_FOUND: u8 = 127;
const NOT_STARTED: u8 = 126;
/// More than a signal's number.
const SIGNALLED: i32 = 128;

/// Runs it. The status is the command's own, unless that is 0 and something was found.
///
/// # Errors
/// If nothing can be traced, or something is found that `--fail-on` names.
pub fn run(arguments: &cli::Run) -> Result<ExitCode, Failure> {
    let targets = targets(&arguments.sockets)?;
    let user = arguments.user.as_deref().map(Account::find).transpose()?;
    let machine = Machine::inspect();
    // Before there is another thread.
    let signals = Signals::listen().context("signals cannot be passed on")?;
    let runtime = crate::runtime::start();
    let runtime = runtime.context("the runtime cannot be started")?;
    runtime.block_on(async {
        let (tracer, launcher) = start(arguments, targets, user, signals.clone(), &machine)?;
        if let Some(signal) = signals.came() {
            return Ok(ExitCode::from(u8::try_from(SIGNALLED + signal as i32).unwrap_or(u8::MAX)));
        }
        watch(arguments, tracer, launcher).await
    })
}

fn targets(sockets: &[OsString]) -> Result<Vec<Target>, Failure> {
    if sockets.is_empty() {
        // Whatever the working directory is, no file has this name.
        let all = ALL.map(|all| Target::parse(all, std::path::Path::new("/proc/self/fdinfo")));
        return Ok(all.into_iter().collect::<Result<_, _>>()?);
    }
    let directory = env::current_dir().context("the working directory cannot be read")?;
    parse_targets(sockets, &directory)
}

/// Attaches everything, and gets ready to start the command while the privileges are there that it is to have.
fn start(
    arguments: &cli::Run,
    targets: Vec<Target>,
    user: Option<Account>,
    signals: Signals,
    machine: &Machine,
) -> Result<(Tracer<Watcher>, Launcher), Failure> {
    let sizes = Sizes::new(arguments.probe.ring_size, arguments.probe.max_connections);
    // Tracing may raise a limit that the command inherits.
    let locked = launcher::locked_memory().context("limits cannot be read")?;
    let usage = UsePolicy::Off;
    let probe = tracer::attach(machine, arguments.probe.hooks, sizes, usage).map_err(Failure::or_list)?;
    // What the command leaves without a parent stays below this process.
    prctl::set_child_subreaper(true).context("orphans cannot be taken in")?;
    let group =
        Group::new().inspect_err(|error| tracing::info!("no control group for the command: {error}")).ok();
    let linger = nanoseconds(arguments.leak_age);
    let times = [linger, arguments.late.map_or(0, nanoseconds)];
    let watcher = Watcher::new(group.as_ref().map(|group| group.id), arguments.allow, times);
    let job = Job { command: arguments.command.clone(), user, group, signals, locked };
    let launcher = Launcher::new(job).context("the command cannot be got ready")?;
    let files = View::own(machine.mount_namespace);
    let selection = Selection::new(targets, &files);
    let settings = Settings { started: clock::now(), leak_age: linger, limits: Vec::new(), by: By::Program };
    let session = Session::new(selection, settings);
    let mut tracer = Tracer::new(probe, session, files, (arguments.stacks, usage), watcher)?;
    privilege::drop_after_attach();
    tracer.switch_on()?.into_iter().for_each(say);
    Ok((tracer, launcher))
}

async fn watch(
    arguments: &cli::Run,
    mut tracer: Tracer<Watcher>,
    mut launcher: Launcher,
) -> Result<ExitCode, Failure> {
    launcher.go();
    let pid = match (&mut launcher.started).await.context("the thread that starts the command ended")? {
        Ok(pid) => pid,
        Err(error) => return Ok(not_started(&arguments.command, &error)),
    };
    let ended = match follow(&mut tracer, &mut launcher, pid).await {
        Ok(ended) => ended,
        Err(failure) => {
            // The command goes on to its end.
            let ended = wait(&mut launcher).await?;
            return if ended.success() { Err(failure) } else { Ok(launcher::status(ended).into()) };
        }
    };
    tracer.drain()?;
    if tracer.audience.holds_any(&tracer.session) {
        tracer.last_look().await?;
    }
    let mut frame = tracer.stop(None)?;
    // What was there before the command is of no concern, nor who holds what outside of it.
    let unseen = tracer.probe.namespaces.unseen_processes();
    frame.gaps.retain(|gap| Some(gap.as_str()) != unseen);
    let Tracer { session, audience, .. } = &mut tracer;
    let seized = audience.conclude(session);
    let outcome = Outcome::new(seized, Report::new(session, frame), session);
    outcome.tell(&arguments.fail_on);
    let found = outcome.found(&arguments.fail_on);
    if found.is_empty() || !ended.success() {
        return Ok(launcher::status(ended).into());
    }
    let names: Vec<&str> = found.into_iter().map(cli::FailOnRun::name).collect();
    Err(Failure::Found(format!("found, as --fail-on asks: {}", names.join(", "))))
}

/// Takes in events until the command has ended.
async fn follow(
    tracer: &mut Tracer<Watcher>,
    launcher: &mut Launcher,
    pid: u32,
) -> Result<ExitStatus, Failure> {
    let [mut drain, mut look, mut reap] = [DRAIN_EVERY, LOOK_EVERY, REAP_EVERY].map(|every| {
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks
    });
    loop {
        tokio::select! {
            biased;
            ended = wait(launcher) => return ended,
            _ = look.tick() => tracer.look()?.into_iter().for_each(say),
            _ = reap.tick() => launcher::reap(pid),
            ready = tracer.filling() => {
                ready?;
                tracer.drain()?;
            }
            _ = drain.tick() => {
                tracer.drain()?;
            }
        }
    }
}

async fn wait(launcher: &mut Launcher) -> Result<ExitStatus, Failure> {
    let ended = (&mut launcher.ended).await.context("the thread that waits for the command ended")?;
    Ok(ended.context("the command cannot be waited for")?)
}

fn not_started(command: &[OsString], error: &io::Error) -> ExitCode {
    let name = command.first().map(|name| name.to_string_lossy()).unwrap_or_default();
    say(format_args!("{name} cannot be started: {error}"));
    ExitCode::from(if error.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { NOT_STARTED })
}
