//! The user as whom the command runs.

use std::{env, ffi::CString, io};

use nix::{
    libc,
    unistd::{Gid, Uid, User, geteuid, getgrouplist},
};

use crate::failure::Failure;

/// A user with all his groups.
#[derive(Clone, Debug)]
pub(super) struct Account {
    user: User,
    groups: Vec<libc::gid_t>,
}

impl Account {
    /// The one of this name; the one who called sudo if the name is empty.
    ///
    /// # Errors
    /// If there is no such user, or sockleak is not root.
    pub(super) fn find(name: &str) -> Result<Self, Failure> {
        if !geteuid().is_root() {
            return Err(Failure::Usage(
                "--user needs root: run sockleak with sudo, or leave it out".to_owned(),
            ));
        }
        let found = if name.is_empty() { caller()? } else { User::from_name(name).ok().flatten() };
        let missing = || Failure::Usage(format!("there is no user '{name}'; name another with --user=NAME"));
        Self::of(found.ok_or_else(missing)?).map_err(|error| {
            Failure::Other(anyhow::Error::new(error).context("the groups of the user cannot be found out"))
        })
    }

    fn of(user: User) -> io::Result<Self> {
        let name = CString::new(user.name.as_str())?;
        let groups = getgrouplist(&name, user.gid)?.into_iter().map(Gid::as_raw).collect();
        Ok(Self { user, groups })
    }

    /// What tells programs who they run as.
    pub(super) fn environment(&self) -> [(&'static str, std::ffi::OsString); 3] {
        let name = &self.user.name;
        [("HOME", self.user.dir.clone().into()), ("USER", name.into()), ("LOGNAME", name.into())]
    }

    /// Becomes that user. Between fork and exec: calls nothing but the kernel.
    pub(super) fn assume(&self) -> io::Result<()> {
        let (uid, gid) = (self.user.uid.as_raw(), self.user.gid.as_raw());
        // SAFETY: the list is as long as is said. The calls are the kernel's own, which change this thread alone: after fork there is
        // no other.
        let failed = unsafe {
            libc::syscall(libc::SYS_setgroups, self.groups.len(), self.groups.as_ptr()) < 0
                || libc::syscall(libc::SYS_setresgid, gid, gid, gid) < 0
                || libc::syscall(libc::SYS_setresuid, uid, uid, uid) < 0
        };
        if failed { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

/// Who called sudo.
fn caller() -> Result<Option<User>, Failure> {
    let uid = env::var("SUDO_UID").ok().and_then(|uid| uid.parse().ok());
    let uid = uid.ok_or_else(|| {
        Failure::Usage("SUDO_UID does not say who called sudo; name the user: --user=NAME".to_owned())
    })?;
    Ok(User::from_uid(Uid::from_raw(uid)).ok().flatten())
}
