//! The containers of those who have connections open.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::keepers::keepers;
use crate::{
    attribution::{
        container::{Container, Membership},
        who::Who,
    },
    lifecycle::State,
    session::{Session, SocketId},
};

/// Containers that are told of a finding; a program may run in thousands.
const MOST: usize = 16;

/// How many of a finding's program's connections are held in a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InContainer {
    /// How many connections.
    pub count: u64,
    /// The container.
    #[serde(flatten)]
    pub container: Container,
}

/// By socket and group, those with the most connections first.
type Lists = BTreeMap<(SocketId, u32), Vec<InContainer>>;

/// The containers of groups.
#[derive(Debug, Default)]
pub(super) struct Containers {
    /// Of those who opened connections that are open at the client's end.
    pub(super) clients: Lists,
    /// Of those who hold server ends whose client has left.
    pub(super) servers: Lists,
}

/// The containers of all groups with open connections.
pub(super) fn containers(session: &Session) -> Containers {
    let mut known = Known::default();
    let (mut clients, mut servers) = (Counts::default(), Counts::default());
    for (socket, connection) in session.open() {
        if !connection.client.is_released()
            && let Some(container) = known.number(&connection.opener)
        {
            *clients.entry((socket, connection.opener.group.0, container)).or_default() += 1;
        }
        if let (State::ClientClosed, Some(accepted)) = (connection.state(), &connection.accepted) {
            for (who, _) in keepers(session, connection.id, accepted) {
                if let Some(container) = known.number(who) {
                    *servers.entry((socket, who.group.0, container)).or_default() += 1;
                }
            }
        }
    }
    Containers { clients: known.lists(&clients), servers: known.lists(&servers) }
}

/// Connections by socket, group and number of the container.
type Counts = BTreeMap<(SocketId, u32, usize), u64>;

/// Containers, each once. Connections share them: there may be millions.
#[derive(Default)]
struct Known<'s> {
    by_group: HashMap<(&'s str, bool), Option<usize>>,
    numbers: HashMap<Container, usize>,
    all: Vec<Container>,
}

impl<'s> Known<'s> {
    fn number(&mut self, who: &'s Who) -> Option<usize> {
        let process = who.process.as_deref()?;
        // Some processes of a container may have been described before its engine had named it.
        let key = (process.cgroup_path.as_deref()?, process.container.is_some());
        if let Some(&known) = self.by_group.get(&key) {
            return known;
        }
        let found = Membership::of_process(process).and_then(|it| it.container);
        let number = found.map(|container| self.enter(container));
        self.by_group.insert(key, number);
        number
    }

    /// A container has as many control groups as it likes.
    fn enter(&mut self, container: Container) -> usize {
        let next = self.all.len();
        let number = *self.numbers.entry(container.clone()).or_insert(next);
        if number == next {
            self.all.push(container);
        }
        number
    }

    fn lists(&self, counts: &Counts) -> Lists {
        let mut lists = Lists::new();
        for (&(socket, group, number), &count) in counts {
            let container = self.all[number].clone();
            lists.entry((socket, group)).or_default().push(InContainer { count, container });
        }
        for list in lists.values_mut() {
            list.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.container.cmp(&b.container)));
            list.truncate(MOST);
        }
        lists
    }
}
