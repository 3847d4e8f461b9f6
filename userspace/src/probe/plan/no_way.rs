//! Why a function is not watched.

/// Why there is no way to watch a function on this kernel, or none that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoWay {
    /// The kernel does not have the function.
    #[error("the kernel has no function {0} that can be traced")]
    NoFunction(&'static str),
    /// BTF does not have the function.
    #[error("the kernel has no type information about {0}, so only a kprobe can watch it")]
    NoTypes(&'static str),
    /// The object file has no fexit program for so many arguments.
    #[error("{function} takes {arguments} arguments, for which there is no fexit program")]
    NoProgram {
        /// The function in the kernel.
        function: &'static str,
        /// How many arguments it takes here.
        arguments: usize,
    },
    /// Kprobes would be needed.
    #[error("the kernel has no kprobes")]
    NoKprobes,
    /// A kretprobe would be needed that misses no return.
    #[error("kretprobes of this kernel run out, and messages would be missed")]
    KretprobesRunOut,
}
