//! The runtime of what waits for several things at a time.

use std::{io, os::unix::net::UnixStream};

use tokio::runtime::{Builder, Runtime};

/// Descriptors that are wanted beside those that are open: the runtime's own, and some for what is done in it.
const DESCRIPTORS: usize = 16;

/// Starts one for this thread.
///
/// # Errors
/// If too few files may be open for that, which Tokio would panic at, or the kernel gives none of what it needs.
pub fn start() -> io::Result<Runtime> {
    // Each has two. The runtime makes one, too: whoever may start it may make these.
    let spare = (0..DESCRIPTORS / 2).map(|_| UnixStream::pair()).collect::<io::Result<Vec<_>>>();
    drop(spare.map_err(|error| match error.raw_os_error() {
        Some(libc::EMFILE) => io::Error::other(format!(
            "{DESCRIPTORS} more files have to be open; raise the limit with ulimit -n"
        )),
        _ => error,
    })?);
    Builder::new_current_thread().enable_all().build()
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_runs() {
        assert_eq!(super::start().map(|runtime| runtime.block_on(async { 7 })).ok(), Some(7));
    }
}
