//! The archive, with the real process: whatever is killed and whenever the store is out of reach, each row is in exactly one file.

mod files;
mod kills;
mod life;
mod process;
