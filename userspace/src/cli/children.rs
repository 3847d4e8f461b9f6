//! The commands that sockleak starts itself.

use clap::Args;

/// Arguments of `archive`.
#[derive(Debug, Args)]
pub struct Archive {
    /// Descriptor of the link to the service.
    #[arg(long, value_name = "FD")]
    pub link: i32,
    /// Descriptor of the segment.
    #[arg(long, value_name = "FD")]
    pub segment: i32,
}

/// Arguments of `stacks`.
#[derive(Debug, Args)]
pub struct Stacks {
    /// Descriptor of the link to the tracer.
    #[arg(long, value_name = "FD")]
    pub link: i32,
    /// Bytes of memory that files may take.
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(..=1 << 40))]
    pub room: u64,
}

/// Arguments of `web`.
#[derive(Debug, Args)]
pub struct Web {
    /// Descriptor of the link to the tracer.
    #[arg(long, value_name = "FD")]
    pub link: i32,
    /// Descriptor of a socket that listens.
    #[arg(long, value_name = "FD")]
    pub listen: Vec<i32>,
}
