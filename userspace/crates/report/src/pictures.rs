//! What a page draws of a socket besides what the report says: slots over time, and how long connections lived.

use sockleak_core::{
    attribution::{limits::Limit, who::ProgramId},
    session::{Session, Settings, SocketId, Stretch, Tally},
    verdict::Lifetimes,
};

/// Groups that are told apart in a picture; the others are drawn together.
const GROUPS: usize = 6;

/// The history of a socket.
#[derive(Clone, Debug)]
pub struct Picture {
    /// The socket.
    pub path: String,
    /// Its slots.
    pub limit: Option<Limit>,
    /// Slots in use by everybody.
    pub used: Vec<Stretch>,
    /// Of those, by group: average slots in each of these stretches, the group that took the most first.
    pub groups: Vec<Share>,
    /// How long client ends lived that were released.
    pub lifetimes: Lifetimes,
    /// How old those are that are open.
    pub ages: Lifetimes,
}

/// Slots that the connections of a group take.
#[derive(Clone, Debug)]
pub struct Share {
    /// Whose.
    pub whose: Whose,
    /// The average in each stretch.
    pub slots: Vec<f64>,
}

/// Whose slots they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Of the connections of a group, their client ends are open.
    Group(String),
    /// Of all further groups.
    Others,
    /// Of connections whose client has gone: the server has not released them.
    Server,
}

/// The pictures of all sockets.
#[must_use]
pub fn pictures(session: &Session, now: u64) -> Vec<Picture> {
    let sockets = session.sockets().iter().enumerate().filter(|(_, socket)| !socket.is_vacant);
    sockets.map(|(index, _)| picture(session, SocketId(index), now)).collect()
}

fn picture(session: &Session, id: SocketId, now: u64) -> Picture {
    let &Settings { started, .. } = session.settings();
    let socket = &session.sockets()[id.0];
    let now = now.max(started);
    let used = socket.timeline.stretches(now);
    let tallies: Vec<(ProgramId, &Tally)> = session
        .tallies()
        .filter_map(|(socket, group, tally)| (socket == id).then_some((group, tally)))
        .collect();
    let mut lifetimes = Lifetimes::default();
    let mut groups = Vec::new();
    for (group, tally) in tallies {
        lifetimes.merge(tally.record.lifetimes());
        let slots: Vec<f64> = tally.timeline.stretches(now).iter().map(|it| it.average).collect();
        if slots.iter().any(|&slots| slots > 0.0) {
            groups.push(Share { whose: Whose::Group(session.program(group).to_owned()), slots });
        }
    }
    let mut ages = Lifetimes::default();
    for (_, connection) in session.open().filter(|(socket, it)| *socket == id && it.client.is_open()) {
        ages.add(connection.age(now));
    }
    let server = left(&used, &groups);
    let mut groups = together(&used, groups);
    groups.extend(server);
    Picture { path: socket.name.clone(), limit: socket.limit, used, groups, lifetimes, ages }
}

/// Slots that no group has.
fn left(used: &[Stretch], groups: &[Share]) -> Option<Share> {
    // Less than a millionth is what rounding leaves.
    const NOTHING: f64 = 1e-6;

    let of_all = |index: usize| groups.iter().filter_map(|group| group.slots.get(index)).sum::<f64>();
    let slots: Vec<f64> = used
        .iter()
        .enumerate()
        .map(|(index, it)| Some(it.average - of_all(index)).filter(|&left| left > NOTHING).unwrap_or(0.0))
        .collect();
    slots.iter().any(|&slots| slots > 0.0).then_some(Share { whose: Whose::Server, slots })
}

/// The groups by what they took, those that took the least together.
fn together(used: &[Stretch], mut groups: Vec<Share>) -> Vec<Share> {
    let lasted = |index: usize| used.get(index).map_or(0.0, |it| (it.to - it.from) as f64);
    let area = |share: &Share| -> f64 {
        share.slots.iter().enumerate().map(|(index, slots)| slots * lasted(index)).sum()
    };
    let name = |share: &Share| match &share.whose {
        Whose::Group(name) => name.clone(),
        Whose::Others | Whose::Server => String::new(),
    };
    groups.sort_by(|a, b| area(b).total_cmp(&area(a)).then_with(|| name(a).cmp(&name(b))));
    if groups.len() <= GROUPS {
        return groups;
    }
    let rest = groups.split_off(GROUPS - 1);
    let mut slots = vec![0.0; used.len()];
    for share in rest {
        slots.iter_mut().zip(share.slots).for_each(|(sum, slots)| *sum += slots);
    }
    groups.push(Share { whose: Whose::Others, slots });
    groups
}

#[cfg(test)]
mod tests {
    use sockleak_core::{
        event::End,
        testing::{SECOND, accept, connect, event, feed, listener, process, release, session},
    };

    use super::*;

    #[test]
    fn shares_add_up_to_what_is_used() {
        let mut session = session(&["a.sock"]);
        feed(&mut session, [listener(1, "/run/a.sock"), process(1, Some("/bin/server"))]);
        for pid in 10..20_u64 {
            let path = format!("/bin/{pid}");
            feed(&mut session, [process(pid as u32, Some(&path)), event(pid, pid as u32, connect(pid, 1))]);
            feed(&mut session, [event(pid, 1, accept(pid, 1))]);
        }
        feed(&mut session, [event(40, 12, release(12, 1, End::Client))]);
        let picture = pictures(&session, 60 * SECOND).remove(0);
        let whose: Vec<_> = picture.groups.iter().map(|it| &it.whose).collect();
        let named = |name: &str| Whose::Group(name.to_owned());
        let first = ["/bin/10", "/bin/11", "/bin/13", "/bin/14", "/bin/15"].map(named);
        assert_eq!(whose[..5], first.iter().collect::<Vec<_>>());
        assert_eq!(whose[5..], [&Whose::Others, &Whose::Server]);
        for (index, used) in picture.used.iter().enumerate() {
            let sum: f64 = picture.groups.iter().map(|it| it.slots[index]).sum();
            assert!((sum - used.average).abs() < 1e-6, "{sum} of {used:?}");
        }
        assert_eq!(picture.used.last().map(|it| it.highest), Some(10));
        assert_eq!((picture.lifetimes.count(), picture.ages.count()), (1, 9));
    }
}
