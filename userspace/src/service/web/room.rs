//! Who is served, and who makes room for others.
//!
//! There are so many places. When all are taken and somebody new comes, whoever has not asked for anything for longest leaves,
//! if that is longer than it takes to ask: however many begin a request and never end it, or keep a connection that they do
//! not use, others are served.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout},
};

/// Whoever asks for nothing for so long has had the time to. A request on this host takes milliseconds to come.
const LONG: Duration = Duration::from_secs(1);
/// While there is nobody like that, it is looked again so soon.
const AGAIN: Duration = Duration::from_millis(50);

/// The places.
#[derive(Clone, Debug)]
pub(super) struct Room {
    places: Arc<Semaphore>,
    guests: Arc<Guests>,
}

/// Whoever has a place, by number.
#[derive(Debug, Default)]
struct Guests {
    next: AtomicU64,
    present: Mutex<HashMap<u64, Arc<Guest>>>,
}

#[derive(Debug)]
struct Guest {
    asks: Mutex<Asks>,
    leaves: Notify,
}

/// What a guest has asked for.
#[derive(Debug)]
struct Asks {
    /// So much is being answered.
    open: u32,
    /// When it last had an answer, or came.
    since: Instant,
}

impl Guests {
    fn present(&self) -> MutexGuard<'_, HashMap<u64, Arc<Guest>>> {
        // Nothing in it is half done at any moment.
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has whoever has had nothing to ask for longest leave, if that is long.
    fn send_one_away(&self) {
        let mut present = self.present();
        let idle = present.iter().filter_map(|(&number, guest)| Some((guest.idle_since()?, number)));
        let Some((since, number)) = idle.min() else { return };
        if since.elapsed() >= LONG
            && let Some(guest) = present.remove(&number)
        {
            guest.leaves.notify_one();
        }
    }
}

impl Guest {
    fn asks(&self) -> MutexGuard<'_, Asks> {
        self.asks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Since when it has nothing to ask for. None: it is being answered.
    fn idle_since(&self) -> Option<Instant> {
        let asks = self.asks();
        (asks.open == 0).then_some(asks.since)
    }
}

impl Room {
    /// With so many places.
    pub(super) fn new(places: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(places)), guests: Arc::default() }
    }

    /// A place, as soon as there is one.
    pub(super) async fn enter(&self) -> Place {
        let permit = loop {
            if let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() {
                break permit;
            }
            self.guests.send_one_away();
            if let Ok(Ok(permit)) = timeout(AGAIN, Arc::clone(&self.places).acquire_owned()).await {
                break permit;
            }
        };
        let number = self.guests.next.fetch_add(1, Ordering::Relaxed);
        let asks = Mutex::new(Asks { open: 0, since: Instant::now() });
        let guest = Arc::new(Guest { asks, leaves: Notify::new() });
        self.guests.present().insert(number, Arc::clone(&guest));
        Place { number, guest, guests: Arc::clone(&self.guests), _permit: permit }
    }
}

/// A place in a room, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    number: u64,
    guest: Arc<Guest>,
    guests: Arc<Guests>,
    _permit: OwnedSemaphorePermit,
}

impl Place {
    /// It is being answered as long as what this returns lives: nobody is sent away meanwhile.
    pub(super) fn answering(&self) -> Answering {
        self.guest.asks().open += 1;
        Answering(Arc::clone(&self.guest))
    }

    /// Waits until somebody else needs the place.
    pub(super) async fn is_needed(&self) {
        self.guest.leaves.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.guests.present().remove(&self.number);
    }
}

/// Somebody is being answered.
#[derive(Debug)]
pub(super) struct Answering(Arc<Guest>);

impl Drop for Answering {
    fn drop(&mut self) {
        let mut asks = self.0.asks();
        *asks = Asks { open: asks.open.saturating_sub(1), since: Instant::now() };
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use tokio::time::sleep;

    use super::*;

    fn is_needed(place: &Place) -> bool {
        place.is_needed().now_or_never().is_some()
    }

    async fn enter(room: &Room) -> Place {
        let room = room.clone();
        tokio::spawn(async move { room.enter().await }).await.unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_has_asked_for_nothing_for_longest_makes_room() {
        let room = Room::new(3);
        let (first, second, third) = (enter(&room).await, enter(&room).await, enter(&room).await);
        sleep(LONG / 2).await;
        // The first had an answer meanwhile, the second is having one.
        drop(first.answering());
        let answering = second.answering();
        let gone = tokio::spawn(async move { third.is_needed().await });
        let next = enter(&room).await;
        gone.await.unwrap();
        assert!(!is_needed(&first) && !is_needed(&second) && !is_needed(&next));

        let gone = tokio::spawn(async move { first.is_needed().await });
        let last = enter(&room).await;
        gone.await.unwrap();
        assert!(!is_needed(&second) && !is_needed(&next) && !is_needed(&last));
        drop(answering);
    }

    /// Nor who has just come: the request may be under way.
    #[tokio::test(start_paused = true)]
    async fn nobody_is_sent_away_while_being_answered() {
        let room = Room::new(2);
        let (busy, young) = (enter(&room).await, enter(&room).await);
        let answering = busy.answering();
        let other = room.clone();
        let next = tokio::spawn(async move { other.enter().await });
        sleep(LONG - Duration::from_millis(1)).await;
        assert!(!is_needed(&busy) && !is_needed(&young) && !next.is_finished());
        young.is_needed().await;
        drop(young);
        let next = next.await.unwrap();
        let asks = (next.answering(), next.answering());
        drop(asks.0);
        let last = tokio::spawn(async move { room.enter().await });
        sleep(100 * LONG).await;
        assert!(!is_needed(&busy) && !is_needed(&next) && !last.is_finished());
        drop(answering);
        busy.is_needed().await;
        drop((busy, asks.1));
        last.await.unwrap();
    }

    /// A thousand who say nothing do not keep one from being served.
    #[tokio::test(start_paused = true)]
    async fn silence_is_no_way_to_keep_a_place() {
        let room = Room::new(256);
        let begun = Instant::now();
        for _ in 0..1000 {
            let place = enter(&room).await;
            tokio::spawn(async move { place.is_needed().await });
        }
        drop(enter(&room).await.answering());
        assert!(begun.elapsed() < 5 * LONG, "{:?}", begun.elapsed());
        assert_eq!(room.guests.present().len(), 256 - 1);
    }
}
