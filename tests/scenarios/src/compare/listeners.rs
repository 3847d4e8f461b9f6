//! Listeners: what they are, and who closed them.

use workload::truth::Truth;

use super::{Captured, Numbers, identity, same};

pub(super) fn check(truth: &Truth, captured: &Captured, numbers: &Numbers, differences: &mut Vec<String>) {
    check_what_they_are(truth, captured, numbers, differences);
    for (&number, &index) in numbers {
        let listener = &truth.listeners[index];
        let what = format!("listener {number} on {}", listener.path);
        let closed: Vec<_> = captured.closed.iter().filter(|closed| closed.listener == number).collect();
        match (listener.closed_by.filter(|_| !listener.closed_before), closed.as_slice()) {
            (None, []) => {}
            (Some(by), [closed]) => {
                let what = format!("{what}, closed");
                identity::check_which(differences, &what, &truth.processes[by], &closed.process);
                same(differences, || format!("{what}, path"), &listener.path, &closed.path);
            }
            (Some(_), []) => differences.push(format!("{what}: its close was not captured")),
            (None, found) => {
                differences.push(format!("{what}: it is open, captured closed by {}", found[0].process.pid));
            }
            (Some(_), found) => differences.push(format!("{what}: closed {} times", found.len())),
        }
    }
}

fn check_what_they_are(truth: &Truth, captured: &Captured, numbers: &Numbers, differences: &mut Vec<String>) {
    for (&number, &index) in numbers {
        let (listener, owner) = (&truth.listeners[index], &truth.processes[truth.listeners[index].owner]);
        let what = format!("listener {number} on {}", listener.path);
        let found: Vec<_> = captured.listeners.iter().filter(|found| found.listener == number).collect();
        let [found] = found.as_slice() else {
            differences.push(format!("{what}: announced {} times", found.len()));
            continue;
        };
        let of = |field: &str| format!("{what}, {field}");
        same(differences, || of("path"), &listener.path, &found.path);
        same(differences, || of("bind path"), Some(&listener.bind_path), found.bind_path.as_ref());
        same(differences, || of("type"), Some(&listener.socket_type), found.socket_type.as_ref());
        same(differences, || of("backlog"), Some(listener.backlog), found.backlog);
        same(differences, || of("owner"), Some(owner.pid), found.pid);
        same(differences, || of("net namespace"), Some(owner.network_ns), found.network_ns);
        // An abstract name has no file, and so no mount.
        if listener.inode.is_some() {
            same(differences, || of("inode"), listener.inode, found.inode);
            same(differences, || of("mount namespace"), Some(owner.mount_ns), found.mount_ns);
        }
    }
    // A listener that nobody used may be announced, but only if it is a target.
    for found in &captured.listeners {
        if !truth.listeners.iter().any(|listener| listener.path == found.path) {
            differences.push(format!("listener {} on {} is no target", found.listener, found.path));
        }
    }
}
