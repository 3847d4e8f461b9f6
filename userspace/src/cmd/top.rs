//! `sockleak top`: what goes on, live in the terminal.

use std::{env, path::Path};

use anyhow::Context as _;
use sockleak_core::time::nanoseconds;
use tokio::sync::watch;

use super::{capture::parse_targets, replay::note_end, stray};
use crate::{
    cli::{self, Top},
    client::Service,
    console::{Progress, say},
    failure::Failure,
    privilege,
    replay::{Choices, Player, Recorded, Speed, Stage},
    top::{
        self, Show, Watched,
        source::{Local, Tracing},
    },
};

/// Where a service answers unless its configuration says something else.
const USUAL_SERVICE: &str = "http://127.0.0.1:9436";
/// Age from which a connection counts as old unless another is given: nanoseconds.
const USUAL_LEAK_AGE: u64 = 60 * 1_000_000_000;

/// Shows it until the user has seen enough.
///
/// # Errors
/// See [`Failure`].
pub fn run(arguments: &Top) -> Result<(), Failure> {
    // Nobody waits for a tracer, or plays a recording, to learn that.
    top::check()?;
    let (watched, name) = match &arguments.replay {
        Some(file) => play(file, arguments)?,
        None if arguments.targets.is_empty() => ask(arguments)?,
        None => trace(arguments)?,
    };
    let (ascii, mouse, every) = (arguments.ascii, !arguments.no_mouse, arguments.every);
    top::run(watched, &Show { name, ascii, mouse, every })
}

/// What is watched, and its name.
type Named = (Watched, String);

fn play(file: &Path, arguments: &Top) -> Result<Named, Failure> {
    let recorded = Recorded::open(file)?;
    note_end(&recorded);
    // Nothing that follows takes more than what is open now.
    privilege::become_nobody().map_err(anyhow::Error::new)?;
    let cli::Pace { speed, from, to } = arguments.pace;
    let speed = speed.unwrap_or(Speed::Times(1.0));
    let choices = Choices {
        speed,
        from: from.unwrap_or_default(),
        to,
        by: arguments.by.unwrap_or_default(),
        leak_age: arguments.leak_age.map(nanoseconds),
        limits: arguments.limits.clone(),
    };
    let file = file.file_name().map_or_else(|| file.display(), |name| Path::new(name).display());
    let name = format!("replay of {file} {speed}");
    let (whole_name, records) = (recorded.name.clone(), recorded.records_read());
    let (stage, stages) = watch::channel(Stage::default());
    let local = Local::play(Player::new(recorded, &choices)?, stage)?;
    if from.is_some() {
        let reading = Progress::reading(&whole_name, records);
        wait_for_start(stages)?;
        drop(reading);
    }
    Ok((Watched::Local(local), name))
}

/// Waits until it is read up to where it is played from: a screen of what was long before would only be in the way. If it ends before
/// that, whoever asks it learns why.
fn wait_for_start(mut stages: watch::Receiver<Stage>) -> Result<(), Failure> {
    let runtime = crate::runtime::start().context("the runtime cannot be started")?;
    let _ = runtime.block_on(stages.wait_for(|stage| *stage != Stage::Starting));
    Ok(())
}

fn ask(arguments: &Top) -> Result<Named, Failure> {
    let pace = arguments.pace;
    if pace.speed.is_some() || pace.from.is_some() || pace.to.is_some() {
        return Err(Failure::Usage(
            "--speed, --from and --to are for --replay; leave them out, or add that".to_owned(),
        ));
    }
    let server = match &arguments.service {
        Some(server) => server.clone(),
        None => {
            say(format_args!("no TARGET is named: asking the service at {USUAL_SERVICE}"));
            USUAL_SERVICE.parse().map_err(anyhow::Error::msg)?
        }
    };
    let name = server.to_string();
    let service = Service::new(server, arguments.token_file.clone());
    let service = service.map_err(|error| Failure::Usage(error.to_string()))?;
    Ok((Watched::Service(Box::new(service)), name))
}

fn trace(arguments: &Top) -> Result<Named, Failure> {
    stray::refuse_policy(&arguments.targets, arguments.stacks)?;
    let directory = env::current_dir().context("the working directory cannot be read")?;
    let tracing = Tracing {
        targets: parse_targets(&arguments.targets, &directory)?,
        leak_age: arguments.leak_age.map_or(USUAL_LEAK_AGE, nanoseconds),
        limits: arguments.limits.clone(),
        by: arguments.by.unwrap_or_default(),
        stacks: arguments.stacks.unwrap_or_default(),
        usage: arguments.usage.unwrap_or_default(),
        probe: arguments.probe.into(),
    };
    let local = Local::trace(tracing)?;
    // The thread that traces has what it needs; this one draws.
    privilege::drop_all().map_err(anyhow::Error::new)?;
    Ok((Watched::Local(local), "tracing".to_owned()))
}
