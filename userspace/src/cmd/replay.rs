//! `sockleak replay`: a recording played as if it happened now, and served as the service serves what it watches.

use std::{
    convert::Infallible,
    os::fd::OwnedFd,
    sync::{Arc, atomic::AtomicU64},
};

use anyhow::Context as _;
use sockleak_core::{attribution::by::By, time::nanoseconds};
use tokio::{net::UnixStream, sync::watch};

use crate::{
    cli,
    console::{Progress, say},
    failure::Failure,
    privilege,
    replay::{self, Choices, Player, Recorded, Speed, Stage},
    service::{
        config::TokenFile,
        link::{Link, Settings},
        web::{
            self,
            listen::{Address, Listener},
        },
    },
    signals::{self, SignalSet},
    tracer::host_name,
};

/// Plays it, until a signal ends it.
///
/// # Errors
/// See [`Failure`].
pub fn run(arguments: &cli::Replay) -> Result<(), Failure> {
    let recorded = open(arguments)?;
    let settings = settings(arguments)?;
    let sockets = arguments.listen.iter().map(listen).collect::<Result<Vec<_>, _>>()?;
    // Nothing that follows takes more than what is open now.
    privilege::become_nobody().map_err(anyhow::Error::new)?;
    let runtime = crate::runtime::start();
    runtime.context("the runtime cannot be started")?.block_on(async {
        let listeners = sockets.into_iter().map(Listener::new).collect::<Result<Vec<_>, _>>();
        let listeners = listeners.context("a listener cannot be used")?;
        let (name, records) = (recorded.name.clone(), recorded.records_read());
        let player = Player::new(recorded, &choices(arguments))?;
        let present = player.present();
        announce(arguments, &name, &listeners);
        let reading = show_start(&name, records, arguments);
        serve(player, &Settings { present, ..settings }, listeners, reading).await
    })
}

/// Opens what is to be played, and says what is to be known of it.
fn open(arguments: &cli::Replay) -> Result<Recorded, Failure> {
    let recorded = match (&arguments.store, &arguments.trace) {
        (Some(directory), _) => Recorded::of_store(directory, |error| say(error))?,
        (None, Some(file)) => Recorded::open(file)?,
        (None, None) => return Err(Failure::Usage("name a RECORDING, or a --store".to_owned())),
    };
    note_end(&recorded);
    if recorded.earlier > 0 {
        let earlier = recorded.earlier;
        say(format_args!(
            "the last recording of the store is played; of {earlier} before it `sockleak report` tells"
        ));
    }
    Ok(recorded)
}

/// Says if a recording goes on, or was broken off.
pub(super) fn note_end(recorded: &Recorded) {
    if !recorded.is_ended {
        let name = &recorded.name;
        say(format_args!(
            "{name} is still being written, or was broken off: it is played up to its last moment"
        ));
    }
}

fn choices(arguments: &cli::Replay) -> Choices {
    let pace = &arguments.pace;
    Choices {
        speed: pace.speed.unwrap_or(Speed::Times(1.0)),
        from: pace.from.unwrap_or_default(),
        to: pace.to,
        by: arguments.by,
        leak_age: arguments.leak_age.map(nanoseconds),
        limits: arguments.limits.clone(),
    }
}

/// How it is served: by the rules of the service.
fn settings(arguments: &cli::Replay) -> Result<Settings, Failure> {
    let token = arguments.token_file.clone().map(|path| TokenFile::at(path).read()).transpose();
    let token = token.map_err(|error| Failure::Usage(error.to_string()))?;
    if let (Some(public), None) = (arguments.listen.iter().find(|address| address.is_public()), &token) {
        return Err(Failure::Usage(format!(
            "others than this host can reach {public}; give a --token-file, or listen on 127.0.0.1"
        )));
    }
    Ok(Settings {
        names: vec![host_name()],
        token: token.map(|token| token.secret().to_owned()),
        names_are_private: arguments.by == By::Cmdline,
        ..Settings::default()
    })
}

fn listen(address: &Address) -> Result<OwnedFd, Failure> {
    let bound = address.bind();
    let bound =
        bound.with_context(|| format!("{address} cannot be listened on; choose another with --listen"));
    Ok(bound?)
}

fn announce(arguments: &cli::Replay, name: &str, listeners: &[Listener]) {
    let speed = arguments.pace.speed.unwrap_or(Speed::Times(1.0));
    let addresses: Vec<String> = arguments
        .listen
        .iter()
        .zip(listeners)
        .map(|(address, listener)| match listener {
            // It may have asked for any port that is free.
            Listener::Tcp(tcp) => {
                tcp.local_addr().map_or_else(|_| address.to_string(), |it| format!("http://{it}/"))
            }
            Listener::Unix(_) => address.to_string(),
        })
        .collect();
    let addresses = addresses.join(", ");
    say(format_args!("playing {name} {speed}, at {addresses}; Ctrl-C ends it"));
}

/// Shows how far it is on the way to where it is played from.
fn show_start(name: &str, records: Arc<AtomicU64>, arguments: &cli::Replay) -> Option<Progress> {
    arguments.pace.from.map(|_| Progress::reading(name, records))
}

async fn serve(
    player: Player,
    settings: &Settings,
    listeners: Vec<Listener>,
    reading: Option<Progress>,
) -> Result<(), Failure> {
    let mut stop = SignalSet::listen(&signals::STOP)?;
    let (ours, theirs) = UnixStream::pair().context("no sockets can be made")?;
    let link = Link::new(ours, settings).context("the web server cannot be told how to serve")?;
    let web = tokio::spawn(web::serve(theirs, listeners));
    let (stage, stages) = watch::channel(Stage::default());
    tokio::select! {
        biased;
        () = stop.any() => Ok(()),
        played = replay::play(player, link, settings, stage) => played,
        ended = web => Err(Failure::Other(match ended {
            Ok(Ok(())) => anyhow::anyhow!("the web server ended"),
            Ok(Err(error)) => error.into(),
            Err(error) => error.into(),
        })),
        never = tell_end(stages, reading) => match never {},
    }
}

/// Says when the end is reached, and then waits for ever.
async fn tell_end(mut stages: watch::Receiver<Stage>, reading: Option<Progress>) -> Infallible {
    // It is read as fast as can be up to where it is played from.
    let _ = stages.wait_for(|stage| *stage != Stage::Starting).await;
    drop(reading);
    if stages.wait_for(|stage| *stage == Stage::Over).await.is_ok() {
        say("the end is reached: what was known then stays; Ctrl-C ends it");
    }
    std::future::pending().await
}
