//! Asks what is wanted, again and again, and tells what was heard. Whoever looks at the screen never waits for it.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep},
};

use super::state::{Detail, Heard, Wants};
use crate::{
    client::{self, Source, Trouble},
    service::{link::Question, model::Health},
};

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
            // Of what is frozen there has to be something, and an end of what went wrong.
            self.wants.wait_for(|wants| !wants.frozen || !is_ready).await.map_err(|_| Left)?;
            if !is_ready {
                self.wait_until_ready().await?;
            }
            let snapshot = client::ask(&*self.source, Question::Snapshot).await;
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
            match client::ask::<Health>(&*self.source, Question::Ready).await {
                Err(Trouble::Refused(503, _)) => {
                    if times % QUIET == QUIET - 1 {
                        self.tell(Heard::Starting).await?;
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
            let heard = tokio::select! {
                heard = self.ask(&detail) => heard,
                changed = self.becomes_another(&wants) => {
                    changed?;
                    continue;
                }
            };
            let is_answered = !matches!(heard, Heard::Trouble(_));
            self.tell(heard).await?;
            let mut wanted = self.wants.clone();
            tokio::select! {
                () = sleep(self.every) => {
                    let is_due = |now: &Wants| !now.frozen || !is_answered || now.detail != wants.detail;
                    wanted.wait_for(is_due).await.map_err(|_| Left)?;
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
                let page = client::ask(&*self.source, Question::Connections(filter.clone())).await;
                page.map(|page| Heard::Page(filter.clone(), page))
            }
            Detail::Story(id) => {
                let question = Question::Connection { id: *id, with_argv: true };
                match client::ask(&*self.source, question).await {
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
            let trouble = match self.source.listen().await {
                Ok(mut events) => {
                    self.tell(Heard::Listening).await?;
                    loop {
                        match events.next().await {
                            Some(Ok(told)) => {
                                wait = AGAIN[0];
                                self.tell(Heard::Told(told)).await?;
                            }
                            Some(Err(trouble)) => break trouble,
                            None => break Trouble::Gone,
                        }
                    }
                }
                Err(trouble) => trouble,
            };
            self.tell(Heard::Deaf(trouble.to_string())).await?;
            sleep(wait).await;
            wait = (wait * 2).min(AGAIN[1]);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

    use futures_util::stream;
    use tokio::time::timeout;

    use super::*;
    use crate::{
        client::{Asked, Events, Listened, Told},
        service::link::Answer,
    };

    /// Fails so many times, and knows of nothing after that. Who listens hears a little.
    struct Fails(AtomicU32);

    impl Source for Fails {
        fn ask(&self, _: Question) -> Asked<'_> {
            Box::pin(async {
                let fails = self.0.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok();
                let status = if fails { 500 } else { 404 };
                Ok(Answer { status, ..Answer::new("", "{}") })
            })
        }

        fn listen(&self) -> Listened<'_> {
            let heard = [Ok(Told::Missed(1)), Err(Trouble::Gone)];
            Box::pin(async { Ok(Box::pin(stream::iter(heard)) as Events) })
        }
    }

    fn poller(fails: u32, wants: Wants) -> (Poller, watch::Sender<Wants>, mpsc::Receiver<Heard>) {
        let (want, wants) = watch::channel(wants);
        let (heard, hear) = mpsc::channel(1);
        let source = Arc::new(Fails(AtomicU32::new(fails)));
        (Poller { source, wants, heard, every: Duration::from_secs(1) }, want, hear)
    }

    async fn next(hear: &mut mpsc::Receiver<Heard>) -> Option<&'static str> {
        let heard = timeout(Duration::from_secs(600), hear.recv()).await.ok()??;
        Some(match heard {
            Heard::Story(..) => "a story",
            Heard::Trouble(_) => "trouble",
            Heard::Listening => "listening",
            Heard::Told(_) => "told",
            Heard::Deaf(_) => "deaf",
            _ => "something else",
        })
    }

    #[tokio::test(start_paused = true)]
    async fn frozen_it_asks_until_there_is_an_answer() {
        let wants = Wants { detail: Some(Detail::Story(1)), frozen: true, ..Wants::default() };
        let (poller, want, mut hear) = poller(2, wants.clone());
        let asks = tokio::spawn(poller.ask_details());
        for expected in [Some("trouble"), Some("trouble"), Some("a story"), None] {
            assert_eq!(next(&mut hear).await, expected);
        }
        want.send_replace(Wants { frozen: false, ..wants });
        assert_eq!(next(&mut hear).await, Some("a story"));
        asks.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn whether_it_listens_is_told() {
        let (poller, want, mut hear) = poller(0, Wants::default());
        let listens = tokio::spawn(poller.listen());
        assert_eq!(next(&mut hear).await, None);
        want.send_replace(Wants { events: true, ..Wants::default() });
        for expected in ["listening", "told", "deaf", "listening", "told", "deaf"] {
            assert_eq!(next(&mut hear).await, Some(expected));
        }
        listens.abort();
    }
}
