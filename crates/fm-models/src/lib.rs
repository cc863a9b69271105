//! Networks in libtorch: tch `nn` variables, the forward pass, and composition.
//!
//! [`Net`] holds the tensors of a [network](fm_net::Network) as libtorch variables, one store for the encoder
//! and one for what follows it, and runs it on any device. Freezing and unfreezing a part is a matter of its
//! store; a frozen part runs in inference mode.
//!
//! The crate knows no data and no files.

mod graph_net;

pub use graph_net::{Builder, GraphNet as Net, Mode, NetError, TorchOp, TorchOps, covers, to_host};
