//! What changed between two looks, for `sockleak list --watch`.

use std::collections::{HashMap, HashSet};

use super::{ListedConnection, Listing};

/// The connections of each socket in a look.
#[derive(Clone, Debug, Default)]
pub struct Connections(HashMap<String, Vec<Inodes>>);

/// Inodes of the ends of a connection; 0 if there is none. A connection keeps one of them for as long as it lives.
type Inodes = [u64; 2];

fn inodes(connection: &ListedConnection) -> Inodes {
    [connection.client_inode, connection.server_inode.unwrap_or(0)]
}

/// Was it there? Of one that was abandoned in the queue no number is known: it is taken for the same.
fn is_among(connection: Inodes, others: &HashSet<u64>) -> bool {
    let mut known = connection.into_iter().filter(|&inode| inode != 0).peekable();
    known.peek().is_none() || known.any(|inode| others.contains(&inode))
}

impl Listing {
    /// Marks what changed since the look before, if there was one. Returns what the next one is to be compared with.
    pub fn compare(&mut self, before: Option<&Connections>) -> Connections {
        let now = self.sockets.iter().map(|socket| {
            let connections = socket.connections.iter().map(inodes).collect();
            (socket.path.clone(), connections)
        });
        let now: HashMap<String, Vec<Inodes>> = now.collect();
        if let Some(Connections(before)) = before {
            for socket in &mut self.sockets {
                let was = before.get(&socket.path).map_or(&[][..], Vec::as_slice);
                let is = now.get(&socket.path).map_or(&[][..], Vec::as_slice);
                let [known, left]: [HashSet<u64>; 2] =
                    [was, is].map(|all| all.iter().flatten().copied().collect());
                for connection in &mut socket.connections {
                    connection.is_new = Some(!is_among(inodes(connection), &known));
                }
                socket.gone = Some(was.iter().filter(|&&it| !is_among(it, &left)).count() as u64);
            }
        }
        Connections(now)
    }
}
