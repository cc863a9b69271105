//! The bench's networks.
//!
//! An [`ArchSpec`] names a network and is what a user types. With a number of classes it becomes a
//! [`Network`]: the list of layers with every output shape and parameter count worked out, and the part
//! of the image that the network sees at all. From there the path splits:
//!
//! - [`init`](init::initial) draws the weights (Keras' Glorot uniform) from a seed, without libtorch;
//! - [`Net`] holds them as libtorch variables, one store for the encoder and one for the head, and runs
//!   the forward pass;
//! - [`summary`](summary::table) prints the layer table.
//!
//! The crate knows no data and no files.

pub mod init;
mod net;
mod network;
mod spec;
pub mod summary;
mod weights;

pub use net::{Net, Scope, to_host};
pub use network::{Layer, Network, Op, Param, ParamKind, Part};
pub use spec::{Arch, ArchSpec, SpecError};
pub use weights::{Weights, WeightsError, check};
