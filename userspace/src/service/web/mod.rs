//! The process that answers HTTP. It has no privileges, knows nothing, and asks the tracer over a [link](super::link).
//!
//! What comes in is bounded in size, number and time, so that no client can keep others from being served.

mod connection;
mod events;
mod guard;
pub mod listen;
mod page;
mod parameters;
pub mod process;
mod response;
mod room;
mod routes;

use std::sync::Arc;

use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Semaphore,
    task::JoinSet,
};

pub use page::{PAGES, assets};
pub use response::VERDICTS;
pub use routes::ROUTES;

use super::link::{Asker, LinkError};
use listen::Listener;
use room::Room;

/// The OpenAPI document.
pub const OPENAPI: &str = include_str!("../../../../docs/openapi.json");

/// Connections at a time. Further ones take the place of those on which nothing is asked.
pub const MOST_CONNECTIONS: usize = 256;
/// Event streams among them.
pub const MOST_STREAMS: usize = 32;

/// Serves until the tracer closes the link.
///
/// # Errors
/// If the link fails.
pub async fn serve<IO>(link: IO, listeners: Vec<Listener>) -> Result<(), LinkError>
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (asker, half) = Asker::new(link);
    let (room, streams) = (Room::new(MOST_CONNECTIONS), Arc::new(Semaphore::new(MOST_STREAMS)));
    // Whoever listens ends with this set.
    let mut accepting = JoinSet::new();
    for listener in listeners {
        accepting.spawn(connection::accept(listener, asker.clone(), room.clone(), Arc::clone(&streams)));
    }
    drop(asker);
    half.await
}

/// The path and query of a request, for [`crate::fuzz`]; the first byte says who asks.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn fuzz(data: &[u8]) {
    let Some((&who, data)) = data.split_first() else { return };
    let Ok(uri) = hyper::Uri::try_from(data) else { return };
    let access = if who & 1 == 0 { guard::Access::Plain } else { guard::Access::Full };
    let accept = (who & 2 == 0).then_some("text/html");
    let wants = routes::Wants::of(uri.path(), accept);
    let settings =
        super::link::Settings { names_are_private: who & 4 == 0, ..super::link::Settings::default() };
    let _ = routes::route(uri.path(), uri.query().unwrap_or_default(), wants, access, &settings);
}
