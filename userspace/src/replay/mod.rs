//! A recording played as if it happened now: its records go into a session at their own pace, and whatever the service answers is
//! answered from that.
//!
//! What is due at which moment is worked out without I/O ([`pace`]); a thread reads ahead (`read_ahead`); the [`Player`] puts both
//! together. Its clock is the recording's: ages, times of day and forecasts are those of the moment that is played.

mod minutes;
pub mod pace;
mod player;
mod read_ahead;
mod recorded;

use std::time::Duration;

use tokio::{
    net::UnixStream,
    sync::watch,
    time::{Instant, sleep_until},
};

use crate::{
    failure::Failure,
    service::link::{Link, Question, Settings, respond},
};

pub use pace::{Pace, Speed};
pub use player::{Choices, Next, Player, Stage};
pub use recorded::Recorded;

/// Plays, and answers what is asked over the link, until the other side closes it. `stage` is told where it stands. The other side is
/// told by `settings` what time it is whenever a viewer changes that.
///
/// # Errors
/// If the recording turns out to be damaged, or the link fails.
pub async fn play(
    mut player: Player,
    mut link: Link<UnixStream>,
    settings: &Settings,
    stage: watch::Sender<Stage>,
) -> Result<(), Failure> {
    let begun = Instant::now();
    loop {
        let next = player.advance(begun.elapsed())?;
        let heard = link.wants_events();
        for event in player.told(heard) {
            link.event(&event).map_err(|error| Failure::Other(error.into()))?;
        }
        stage.send_if_modified(|known| std::mem::replace(known, player.stage()) != player.stage());
        tokio::select! {
            biased;
            asked = link.next() => match asked.map_err(|error| Failure::Other(error.into()))? {
                None => return Ok(()),
                Some(asked) => {
                    player.advance(begun.elapsed())?;
                    let answer = respond(&mut player, &asked.question);
                    if let Question::Replay(control) = &asked.question && control.is_change() {
                        let settings = Settings { present: player.present(), ..settings.clone() };
                        link.tell(&settings).map_err(|error| Failure::Other(error.into()))?;
                    }
                    link.answer(asked.id, &answer).map_err(|error| Failure::Other(error.into()))?;
                }
            },
            () = wait(&mut player, next, begun) => {}
        }
    }
}

/// Until there is something to do.
async fn wait(player: &mut Player, next: Next, begun: Instant) {
    match next {
        Next::Now => tokio::task::yield_now().await,
        Next::After(elapsed) => match begun.checked_add(elapsed.max(Duration::from_millis(1))) {
            Some(then) => sleep_until(then).await,
            None => std::future::pending().await,
        },
        Next::Read => player.read_on().await,
        Next::Never => std::future::pending().await,
    }
}
