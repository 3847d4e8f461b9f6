//! Asks what is wanted, again and again, and tells what was heard. Whoever looks at the screen never waits for it.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep},
};

use super::{
    source::{self, Source, Trouble},
    state::{Detail, Heard, Wants},
};
use crate::service::{link::Question, model::Health};

/// The first and the longest time until events are listened to again.
const AGAIN: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(5)];

/// Asks.
#[derive(Clone)]
pub(super) struct Poller {
    pub(super) source: Arc<dyn Source>,
    pub(super) wants: watch::Receiver<Wants>,
    pub(super) heard: mpsc::Sender<Heard>,
    /// Time between two questions of the same.
    pub(super) every: Duration,
}

/// Nobody listens any more.
struct Left;

impl Poller {
    /// Asks until nobody listens any more.
    pub(super) fn start(self) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        let [snapshots, details, events] = [self.clone(), self.clone(), self];
        tasks.spawn(async move { drop(snapshots.ask_snapshots().await) });
        tasks.spawn(async move { drop(details.ask_details().await) });
        tasks.spawn(async move { drop(events.listen().await) });
        tasks
    }

    async fn tell(&self, heard: Heard) -> Result<(), Left> {
        self.heard.send(heard).await.map_err(|_| Left)
    }

    async fn ask_snapshots(mut self) -> Result<(), Left> {
        let mut tick = interval(self.every);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_ready = false;
        loop {
            tick.tick().await;
            self.wants.wait_for(|wants| !wants.frozen).await.map_err(|_| Left)?;
            if !is_ready {
                self.wait_until_ready().await?;
            }
            let snapshot = source::ask(&*self.source, Question::Snapshot).await;
            is_ready = snapshot.is_ok();
            let heard = match snapshot {
                Ok(snapshot) => Heard::Snapshot(Box::new(snapshot)),
                Err(trouble) => Heard::Trouble(trouble.to_string()),
            };
            self.tell(heard).await?;
        }
    }

    /// Who has just begun does not know yet what was open before.
    async fn wait_until_ready(&self) -> Result<(), Left> {
        const LOOK_EVERY: Duration = Duration::from_millis(100);
        /// Those who begin within this time need not be excused.
        const QUIET: u32 = 10;

        for times in 0_u32.. {
            match source::ask::<Health>(&*self.source, Question::Ready).await {
                Err(Trouble::Refused(503, _)) => {
                    if times % QUIET == QUIET - 1 {
                        let sentence = "It is starting: what was there before is not known yet.";
                        self.tell(Heard::Note(sentence.to_owned())).await?;
                    }
                    sleep(LOOK_EVERY).await;
                }
                // If it is trouble, it is the same for what is asked next.
                _ => break,
            }
        }
        Ok(())
    }

    /// What is looked at in detail: at once when it is another, and then again and again.
    async fn ask_details(mut self) -> Result<(), Left> {
        loop {
            let wants = self.wants.borrow_and_update().clone();
            let Some(detail) = wants.detail.clone() else {
                self.wants.changed().await.map_err(|_| Left)?;
                continue;
            };
            // What is not wanted any more is not waited for.
            tokio::select! {
                heard = self.ask(&detail) => self.tell(heard).await?,
                changed = self.becomes_another(&wants) => {
                    changed?;
                    continue;
                }
            }
            let mut wanted = self.wants.clone();
            tokio::select! {
                () = sleep(self.every) => {
                    wanted.wait_for(|now| !now.frozen || now.detail != wants.detail).await.map_err(|_| Left)?;
                }
                changed = self.becomes_another(&wants) => changed?,
            }
        }
    }

    async fn becomes_another(&self, wants: &Wants) -> Result<(), Left> {
        let mut wanted = self.wants.clone();
        let is_another = |now: &Wants| now.detail != wants.detail;
        wanted.wait_for(is_another).await.map(drop).map_err(|_| Left)
    }

    async fn ask(&self, detail: &Detail) -> Heard {
        let heard = match detail {
            Detail::Page(filter) => {
                let page = source::ask(&*self.source, Question::Connections(filter.clone())).await;
                page.map(|page| Heard::Page(filter.clone(), page))
            }
            Detail::Story(id) => {
                let question = Question::Connection { id: *id, with_argv: true };
                match source::ask(&*self.source, question).await {
                    Err(Trouble::Refused(404, _)) => Ok(Heard::Story(*id, None)),
                    story => story.map(|story| Heard::Story(*id, Some(Box::new(story)))),
                }
            }
        };
        heard.unwrap_or_else(|trouble| Heard::Trouble(trouble.to_string()))
    }

    /// Once events are wanted, as long as that is possible.
    async fn listen(mut self) -> Result<(), Left> {
        let mut wait = AGAIN[0];
        loop {
            self.wants.wait_for(|wants| wants.events).await.map_err(|_| Left)?;
            match self.source.listen().await {
                Ok(mut events) => {
                    while let Some(Ok(told)) = events.next().await {
                        wait = AGAIN[0];
                        self.tell(Heard::Told(told)).await?;
                    }
                }
                // That the source does not answer is told by others.
                Err(trouble) => tracing::debug!("events cannot be listened to: {trouble}"),
            }
            if self.heard.is_closed() {
                return Err(Left);
            }
            sleep(wait).await;
            wait = (wait * 2).min(AGAIN[1]);
        }
    }
}
