//! Words for figures, and text of other people made safe to show.

pub mod count;
pub mod escape;

use crate::event::as_program_saw;

/// The symbolic name of an error number, such as `EAGAIN`, as the program saw it; `errno 999` for one without.
#[must_use]
pub fn errno_name(errno: i32) -> String {
    let errno = as_program_saw(errno);
    match nix::errno::Errno::from_raw(errno) {
        nix::errno::Errno::UnknownErrno => format!("errno {errno}"),
        known => format!("{known:?}"),
    }
}
