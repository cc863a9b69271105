//! What can go wrong at the public edge.

use crate::Isa;

/// Why a call was refused. Nothing was changed by the refused call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The network's description makes no sense, or its images are too small for its blocks.
    #[error("impossible network: {0}")]
    Network(String),
    /// The network is sound, but these kernels do not cover it.
    #[error("network not covered by the fused kernels: {0}")]
    Unsupported(String),
    /// This machine lacks the requested instruction set.
    #[error("this CPU does not offer {0}")]
    Isa(Isa),
    /// No such instruction set is known.
    #[error("unknown instruction set `{0}` (known: avx512, avx2, portable)")]
    UnknownIsa(String),
    /// A worker thread could not be started.
    #[error("cannot start a worker thread: {0}")]
    Threads(String),
    /// There is no memory for the trainer's buffers.
    #[error("out of memory: a buffer of {bytes} bytes cannot be had")]
    Memory {
        /// Bytes of the buffer that was refused.
        bytes: usize,
    },
    /// A slice has the wrong length.
    #[error("{what}: {got} elements instead of {want}")]
    Length {
        /// The slice in question.
        what: &'static str,
        /// The length it has.
        got: usize,
        /// The length it needs.
        want: usize,
    },
    /// A batch is empty or larger than the trainer was made for.
    #[error("a batch of {got} rows: from 1 to {max} are possible")]
    Batch {
        /// Rows asked for.
        got: usize,
        /// Most rows a batch may have.
        max: usize,
    },
    /// A row index points behind the resident set.
    #[error("row {row} of a set of {rows}")]
    Row {
        /// The index asked for.
        row: u32,
        /// Rows in the set.
        rows: usize,
    },
    /// A batch norm in training has a single value a channel, whose variance is nothing.
    #[error(
        "batch norm before {0} has one value a channel, an image of one pixel: take batches of two or more"
    )]
    OneValue(String),
    /// A label is no class of the network.
    #[error("label {label} with {classes} classes")]
    Label {
        /// The label found.
        label: u8,
        /// Number of classes.
        classes: usize,
    },
    /// A setting of the recipe is not a usable number.
    #[error("recipe: {0}")]
    Recipe(&'static str),
    /// The convolutions cannot be trained from codes.
    #[error("codes train the head alone: begin a phase with the head scope first")]
    Scope,
}
