//! Everything together: keys, answers, signals and time, one after another.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use crossterm::event::{Event, EventStream};
use futures_util::StreamExt as _;
use nix::{
    sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal as Number, killpg, sigaction},
    unistd::getpgrp,
};
use tokio::{
    signal::unix::SignalKind,
    sync::{mpsc, oneshot, watch},
    time::{Instant, MissedTickBehavior, interval},
};

use super::{
    poll::Poller,
    source::Local,
    state::{Effect, Heard, Message, State, Wants},
    terminal::{self, Screen},
    view::Drawn,
};
use crate::{
    client::{self, Service, Source},
    console::{self, Diverted},
    failure::Failure,
    service::{link::Question, model::Health},
    signals::{self, SignalSet},
};

/// The shortest time between two pictures.
const FRAME: Duration = Duration::from_millis(50);
/// Answers that wait to be taken in.
const WAITING: usize = 64;

/// What is watched.
pub enum Watched {
    /// What a service knows.
    Service(Box<Service>),
    /// What a thread of this process does.
    Local(Local),
}

/// How it is shown.
#[derive(Clone, Debug)]
pub struct Show {
    /// What is watched, in words.
    pub name: String,
    /// Nothing but ASCII.
    pub ascii: bool,
    /// The mouse chooses as well. The terminal selects text only with Shift then.
    pub mouse: bool,
    /// How often is asked.
    pub every: Duration,
}

/// Refuses what cannot be drawn on.
///
/// # Errors
/// If standard output is no terminal, or one of those that cannot.
pub fn check() -> Result<(), Failure> {
    terminal::lacks().map_or(Ok(()), |sentence| Err(Failure::Usage(sentence.to_owned())))
}

/// Shows it until the user has seen enough, or a signal ends it.
///
/// # Errors
/// If nobody answers at the start, or the terminal cannot be used.
pub fn run(watched: Watched, show: &Show) -> Result<(), Failure> {
    check()?;
    let runtime = crate::runtime::start();
    let runtime = runtime.context("the runtime cannot be started")?;
    let outcome = runtime.block_on(async {
        let (source, ended) = connect(watched).await?;
        let mut signals = Signals::listen()?;
        let mut said = console::divert();
        let outcome = show_all(source, ended, show, &mut signals, &mut said).await;
        // What nobody could read is printed now that the terminal is as it was.
        drop(said);
        outcome
    });
    // A name that is still looked up is not waited for.
    runtime.shutdown_background();
    outcome
}

/// Who is asked, and how his thread ends if he has one of his own.
type Connected = (Arc<dyn Source>, Option<oneshot::Receiver<Result<(), Failure>>>);

/// A service has to answer before anything is shown: a mistyped address is told in a sentence.
async fn connect(watched: Watched) -> Result<Connected, Failure> {
    match watched {
        Watched::Local(local) => {
            let (asker, ended) = local.connect().context("the link cannot be used")?;
            Ok((Arc::new(asker), Some(ended)))
        }
        Watched::Service(service) => {
            let health: Result<Health, _> = client::ask(&*service, Question::Health).await;
            health.map_err(|trouble| {
                Failure::Other(anyhow::anyhow!(
                    "no service answers: {trouble}; start `sockleak serve`, name it with --service, or name a TARGET to trace"
                ))
            })?;
            Ok((Arc::from(service as Box<dyn Source>), None))
        }
    }
}

async fn show_all(
    source: Arc<dyn Source>,
    ended: Option<oneshot::Receiver<Result<(), Failure>>>,
    show: &Show,
    signals: &mut Signals,
    said: &mut Diverted,
) -> Result<(), Failure> {
    let mut screen = Screen::take(show.mouse).map_err(Failure::Output)?;
    let state = State::new(show.name.clone(), terminal::theme(show.ascii), terminal::size(), &Drawn);
    let (want, wants) = watch::channel(Wants::default());
    let (heard, mut hear) = mpsc::channel(WAITING);
    let _tasks = Poller { source, wants, heard, every: show.every }.start();
    let mut window = Window { screen: &mut screen, state, want, begun: Instant::now(), is_stale: true };
    let mut keys = EventStream::new();
    let mut frame = interval(FRAME);
    frame.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut second = interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut ended = std::pin::pin!(until_ended(ended));
    window.follow_wants();
    loop {
        let effect = tokio::select! {
            biased;
            request = signals.next() => match request {
                Request::Stop => return Ok(()),
                Request::Suspend => Effect::Suspend,
                Request::Resume => Effect::Redraw,
            },
            outcome = &mut ended => return outcome,
            key = keys.next() => match key {
                Some(Ok(event)) => window.take(&event)?,
                // The terminal has gone.
                Some(Err(error)) => return Err(Failure::Output(error)),
                None => return Ok(()),
            },
            Some(heard) = hear.recv() => window.update(Message::Heard(heard)),
            _ = second.tick() => {
                for sentence in said.take() {
                    window.update(Message::Heard(Heard::Note(sentence)));
                }
                let now = window.begun.elapsed();
                window.update(Message::Tick(now))
            }
            _ = frame.tick(), if window.is_stale => {
                window.draw()?;
                Effect::None
            }
        };
        match effect {
            Effect::None => {}
            Effect::Quit => return Ok(()),
            Effect::Suspend => window.suspend()?,
            Effect::Redraw => window.redraw()?,
        }
    }
}

/// The screen, and what is shown on it.
struct Window<'s> {
    screen: &'s mut Screen,
    state: State,
    want: watch::Sender<Wants>,
    begun: Instant,
    /// Something has happened since it was drawn.
    is_stale: bool,
}

impl Window<'_> {
    fn update(&mut self, message: Message) -> Effect {
        let is_shown = self.state.is_shown(&message);
        let effect = self.state.update(message);
        if is_shown {
            self.is_stale = true;
            self.follow_wants();
        }
        effect
    }

    fn follow_wants(&mut self) {
        let wants = self.state.wants();
        self.want.send_if_modified(|known| {
            let is_new = *known != wants;
            *known = wants;
            is_new
        });
    }

    fn take(&mut self, event: &Event) -> Result<Effect, Failure> {
        if let Event::Resize(columns, rows) = *event {
            let effect = self.update(Message::Resized(columns, rows));
            self.screen.redraw(&self.state).map_err(Failure::Output)?;
            return Ok(effect);
        }
        match terminal::input(event) {
            Some(input) => {
                let effect = self.update(Message::Input(input));
                // An answer to a key is seen at once.
                self.draw()?;
                Ok(effect)
            }
            None => Ok(Effect::None),
        }
    }

    fn draw(&mut self) -> Result<(), Failure> {
        self.is_stale = false;
        self.screen.draw(&self.state).map_err(Failure::Output)
    }

    /// The terminal is the shell's until the process is told to go on.
    fn suspend(&mut self) -> Result<(), Failure> {
        terminal::give_back();
        stop().context("the process cannot be stopped")?;
        self.redraw()
    }

    /// While it was stopped the size may have changed, and others may have written there.
    fn redraw(&mut self) -> Result<(), Failure> {
        self.screen.retake().map_err(Failure::Output)?;
        let (columns, rows) = terminal::size();
        self.state.update(Message::Resized(columns, rows));
        self.screen.redraw(&self.state).map_err(Failure::Output)
    }
}

/// Stops this process as Ctrl-Z would, with whoever was started with it, until it is told to go on. Where no shell is there to do
/// that, the kernel passes over it: a SIGSTOP would be for ever.
fn stop() -> nix::Result<()> {
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    // SAFETY: there is no handler to be called.
    let heeded = unsafe { sigaction(Number::SIGTSTP, &default) }?;
    let stopped = killpg(getpgrp(), Number::SIGTSTP);
    // SAFETY: it was set like that before.
    unsafe { sigaction(Number::SIGTSTP, &heeded) }?;
    stopped
}

/// How the thread that answers ended; never, if there is none.
async fn until_ended(ended: Option<oneshot::Receiver<Result<(), Failure>>>) -> Result<(), Failure> {
    match ended {
        // Without a word it ends by a panic alone, which has been told.
        Some(ended) => {
            ended.await.unwrap_or_else(|_| Err(anyhow::anyhow!("the thread that answers panicked").into()))
        }
        None => std::future::pending().await,
    }
}

/// The signals that it heeds, by what they ask for.
struct Signals {
    stop: SignalSet,
    suspend: SignalSet,
    resume: SignalSet,
}

/// What a signal asks for.
enum Request {
    Stop,
    Suspend,
    Resume,
}

impl Signals {
    fn listen() -> anyhow::Result<Self> {
        let others = [
            SignalKind::hangup(),
            // Those would end it too, and leave the terminal as it is.
            SignalKind::quit(),
            SignalKind::alarm(),
            SignalKind::user_defined1(),
            SignalKind::user_defined2(),
        ];
        Ok(Self {
            stop: SignalSet::listen(&[&signals::STOP[..], &others].concat())?,
            suspend: SignalSet::listen(&[SignalKind::from_raw(libc::SIGTSTP)])?,
            resume: SignalSet::listen(&[SignalKind::from_raw(libc::SIGCONT)])?,
        })
    }

    async fn next(&mut self) -> Request {
        tokio::select! {
            () = self.stop.any() => Request::Stop,
            () = self.suspend.any() => Request::Suspend,
            () = self.resume.any() => Request::Resume,
        }
    }
}
