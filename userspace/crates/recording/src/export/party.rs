//! The columns that tell who did something: the same in every table.

use sockleak_core::{
    attribution::{
        container::{Container, Membership},
        who::Who,
    },
    event::Process,
};

use super::column::{Cell, Column, Kind, Table, column};

/// Who, and the name of the program.
#[derive(Clone, Copy, Debug)]
pub(super) struct Party<'r> {
    pub(super) who: &'r Who,
    pub(super) program: &'r str,
}

impl<'r> Party<'r> {
    fn process(self) -> Option<&'r Process> {
        self.who.process.as_deref()
    }

    /// Zero stands for what could not be read.
    fn known(self, read: fn(&Process) -> u64) -> Cell<'r> {
        Cell::number(self.process().map(read).filter(|&value| value != 0))
    }

    fn membership(self) -> Option<Membership> {
        Membership::of_process(self.process()?)
    }

    fn of_container(self, read: fn(Container) -> Option<String>) -> Cell<'r> {
        Cell::text(self.membership().and_then(|its| read(its.container?)))
    }

    /// Somebody may be known by his number alone, or not at all.
    fn is_met(self) -> bool {
        self.who.actor.id.start != 0
    }

    pub(super) fn pid(self) -> Cell<'r> {
        Cell::number(Some(self.who.actor.id.pid).filter(|&pid| pid != 0))
    }
}

/// Tables whose rows have somebody who did it.
pub(super) trait HasParty: Table {
    /// Who, where there is one.
    fn party<'a>(row: &'a Self::Row<'_>) -> Option<Party<'a>>;
}

fn cell<'a, T: HasParty>(row: &'a T::Row<'_>, read: impl FnOnce(Party<'a>) -> Cell<'a>) -> Cell<'a> {
    T::party(row).map_or(Cell::Null, read)
}

/// The columns.
pub(super) fn columns<T: HasParty>() -> Vec<Column<T>> {
    process().into_iter().chain(place()).collect()
}

/// Which process, and what it runs.
fn process<T: HasParty>() -> Vec<Column<T>> {
    use Kind::{Flag, Number, Text, Texts};
    vec![
        column("pid", Number, |row| cell::<T>(row, Party::pid)),
        column("pid_start_ns", Number, |row| {
            cell::<T>(row, |it| Cell::number(it.is_met().then_some(it.who.actor.id.start)))
        }),
        column("tid", Number, |row| {
            cell::<T>(row, |it| Cell::number(it.is_met().then_some(it.who.actor.tid)))
        }),
        column("program", Text, |row| cell::<T>(row, |it| Cell::text(Some(it.program)))),
        column("comm", Text, |row| {
            cell::<T>(row, |it| Cell::text(it.is_met().then(|| it.who.comm().to_string())))
        }),
        column("argv", Texts, |row| {
            cell::<T>(row, |it| {
                // An unreadable command line is empty, and yet cut.
                let argv = it.process().filter(|process| !process.argv.is_empty() || !process.argv_truncated);
                argv.map_or(Cell::Null, |process| Cell::Texts(&process.argv))
            })
        }),
        column("argv_truncated", Flag, |row| {
            cell::<T>(row, |it| it.process().map_or(Cell::Null, |process| Cell::Flag(process.argv_truncated)))
        }),
    ]
}

/// For whom, and where it runs.
fn place<T: HasParty>() -> Vec<Column<T>> {
    use Kind::{Number, Text};
    vec![
        column("uid", Number, |row| {
            cell::<T>(row, |it| {
                Cell::number(it.who.actor.uid.or_else(|| it.process().map(|process| process.uid)))
            })
        }),
        column("gid", Number, |row| {
            cell::<T>(row, |it| {
                Cell::number(it.who.actor.gid.or_else(|| it.process().map(|process| process.gid)))
            })
        }),
        column("user", Text, |row| {
            cell::<T>(row, |it| Cell::text(it.process().and_then(|process| process.user.as_deref())))
        }),
        column("ppid", Number, |row| cell::<T>(row, |it| it.known(|process| process.parent.into()))),
        column("unit", Text, |row| cell::<T>(row, |it| Cell::text(it.membership().and_then(|its| its.unit)))),
        column("container", Text, |row| cell::<T>(row, |it| it.of_container(|its| Some(its.id)))),
        column("container_runtime", Text, |row| {
            cell::<T>(row, |it| {
                Cell::text(it.membership().and_then(|its| Some(its.container?.runtime.name())))
            })
        }),
        column("pod", Text, |row| cell::<T>(row, |it| it.of_container(|its| its.pod))),
        column("container_name", Text, |row| cell::<T>(row, |it| it.of_container(|its| its.name))),
        column("image", Text, |row| cell::<T>(row, |it| it.of_container(|its| its.image))),
        column("compose_project", Text, |row| cell::<T>(row, |it| it.of_container(|its| its.project))),
        column("compose_service", Text, |row| cell::<T>(row, |it| it.of_container(|its| its.service))),
        column("pod_namespace", Text, |row| cell::<T>(row, |it| it.of_container(|its| its.namespace))),
        column("pod_name", Text, |row| cell::<T>(row, |it| it.of_container(|its| its.pod_name))),
        column("pod_container", Text, |row| cell::<T>(row, |it| it.of_container(|its| its.pod_container))),
        column("cgroup", Text, |row| {
            cell::<T>(row, |it| Cell::text(it.process().and_then(|process| process.cgroup_path.as_deref())))
        }),
        column("pid_in_namespace", Number, |row| {
            cell::<T>(row, |it| it.known(|process| process.pid_in_namespace.into()))
        }),
        column("mount_ns", Number, |row| {
            cell::<T>(row, |it| it.known(|process| process.namespaces.mount.into()))
        }),
        column("network_ns", Number, |row| {
            cell::<T>(row, |it| it.known(|process| process.namespaces.network.into()))
        }),
        column("pid_ns", Number, |row| {
            cell::<T>(row, |it| it.known(|process| process.namespaces.pid.into()))
        }),
    ]
}
