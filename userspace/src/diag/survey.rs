//! Every unix stream socket of the host as it is now, for the survey of `sockleak list`.

use std::{collections::HashMap, io};

use sockleak_core::{
    decode::abstract_name,
    event::{Actor, Listener, Queue, name::shown},
};
use sockleak_report::survey;

use super::{
    dump, hidden, holders, listeners,
    message::{Socket, State},
    unasked,
};

/// What was found. Listeners come twice: as the survey counts them, and as the kernel describes them.
#[derive(Debug, Default)]
pub struct Seen {
    /// Listening sockets; without limits.
    pub listeners: Vec<(survey::Listener, Listener)>,
    /// Ends of connections.
    pub ends: Vec<survey::End>,
    /// The processes that hold a socket, by its inode number: each once.
    pub holders: HashMap<u64, Vec<Actor>>,
    /// What is missing, a sentence each.
    pub gaps: Vec<String>,
}

/// Looks at all sockets and all descriptors once. It takes time in proportion to their number.
///
/// # Errors
/// If the kernel does not list unix sockets.
pub fn look() -> io::Result<Seen> {
    let (namespaces, holders) = holders::read();
    let (sockets, refused) = dump::all(&namespaces)?;
    let mut seen = Seen::default();
    seen.gaps.extend(refused.as_ref().map(unasked));
    seen.gaps.extend(hidden(&holders));
    for socket in &sockets {
        let held = holders.of(socket.inode);
        if !held.is_empty() {
            let actors = seen.holders.entry(socket.inode).or_default();
            for holder in held {
                // A process that holds it by several descriptors is one holder.
                if !actors.iter().any(|actor| actor.id == holder.actor.id) {
                    actors.push(holder.actor);
                }
            }
        }
        match socket.state {
            State::Connected => seen.ends.push(end(socket)),
            State::Listening => {
                let Some(described) = listeners::describe(socket.inode, socket, held) else { continue };
                let Some(bound) = socket.bound() else { continue };
                let is_abstract = described.is_abstract;
                let counted = survey::Listener {
                    inode: socket.inode,
                    path: shown(&described.path),
                    bound,
                    namespace: if is_abstract { socket.network } else { described.mount_namespace },
                    queue: Queue { length: socket.queue.0, max: socket.queue.1 },
                    waiting: socket.waiting.clone(),
                    limit: None,
                };
                seen.listeners.push((counted, described));
            }
        }
    }
    Ok(seen)
}

fn end(socket: &Socket) -> survey::End {
    let name = || match socket.file {
        Some(_) => shown(&socket.name),
        None => shown(&abstract_name(&socket.name)),
    };
    let bound = socket.bound().map(|bound| (bound, name()));
    survey::End { inode: socket.inode, peer: socket.peer, bound }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::*;

    /// The real kernel: two listeners of one path, one after the other, and their connections.
    #[test]
    fn a_replaced_listener_is_another_socket() {
        let folder = tempfile::tempdir().expect("a directory can be created");
        let path = folder.path().join("a.sock");
        let old = UnixListener::bind(&path).expect("it is free");
        let _clients = [(); 3].map(|()| UnixStream::connect(&path).expect("it has room"));
        let _accepted = old.accept().expect("one waits");
        std::fs::remove_file(&path).expect("it is mine");
        let new = UnixListener::bind(&path).expect("it is free");
        let _client = UnixStream::connect(&path).expect("it has room");
        // A kernel without unix_diag has nothing to test.
        let Ok(seen) = look() else { return };
        let path = path.to_string_lossy();
        let mine: Vec<_> = seen.listeners.iter().map(|(it, _)| it).filter(|it| it.path == path).collect();
        let mut lengths: Vec<_> = mine.iter().map(|it| (it.waiting.len(), it.queue.length)).collect();
        lengths.sort_unstable();
        assert_eq!(lengths, [(1, 1), (2, 2)]);
        assert_ne!(mine[0].bound, mine[1].bound);
        let accepted = |it: &survey::Listener| {
            seen.ends
                .iter()
                .filter(|end| end.bound.as_ref().is_some_and(|(bound, _)| *bound == it.bound))
                .count()
        };
        assert_eq!(mine.iter().map(|it| accepted(it)).sum::<usize>(), 1);
        assert!(mine.iter().all(|it| seen.holders[&it.inode][0].id.pid == std::process::id()));
        drop(new);
    }
}
