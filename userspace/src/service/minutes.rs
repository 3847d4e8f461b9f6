//! Between a snapshot and the history: what goes in, and what comes out as an answer.

use sockleak_core::attribution::by::By;

use super::{
    link::{
        answer::{Series, SeriesError},
        question::{MOST_POINTS, SeriesRange},
    },
    snapshot::{ProgramSnapshot, SocketSnapshot},
    store::history::{History, OTHERS, ProgramFacts, SocketFacts},
};

/// What the history wants to know of a socket. With `is_nameless` its programs count together: a history outlives the settings
/// by which their names are kept from others.
#[must_use]
pub fn facts(socket: &SocketSnapshot, is_nameless: bool) -> SocketFacts {
    let sum = |figure: fn(&ProgramSnapshot) -> u64| socket.programs.iter().map(figure).sum();
    SocketFacts {
        socket: socket.path.clone(),
        slots: socket.slots,
        limit: socket.limit.map(|limit| limit.slots),
        queue: socket.queue.map(|queue| queue.length.into()),
        open: socket.states.values().sum(),
        opened: sum(|it| it.opened),
        closed: sum(|it| it.closed),
        failed: sum(|it| it.failed.values().sum()),
        programs: socket.programs.iter().map(|program| program_facts(program, is_nameless)).collect(),
        is_left_out: false,
    }
}

fn program_facts(program: &ProgramSnapshot, is_nameless: bool) -> ProgramFacts {
    let ProgramSnapshot { program, open_client, open_server, opened, .. } = program;
    let name = if is_nameless || By::is_others(program) { OTHERS } else { program };
    ProgramFacts { program: name.to_owned(), open: *open_client.max(open_server), opened: *opened }
}

/// How full a socket was.
///
/// # Errors
/// If the history cannot be read.
pub fn series(history: &History, range: &SeriesRange) -> Result<Series, SeriesError> {
    let &SeriesRange { ref socket, from_ms, to_ms, points } = range;
    let length = u64::try_from(to_ms.saturating_sub(from_ms)).unwrap_or(0) / 1000;
    let step = length / u64::from(points.clamp(1, MOST_POINTS));
    let points = history.series(socket, from_ms, to_ms, step)?;
    let programs = history.programs(socket, from_ms, to_ms, step)?;
    Ok(Series { points, programs })
}
