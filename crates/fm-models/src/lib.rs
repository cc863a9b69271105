//! Networks in libtorch: tch `nn` variables, the forward pass, and composition.
//!
//! [`Net`] holds the tensors of a [network](fm_net::Network) as libtorch variables, one store for the encoder
//! and one for what follows it, and runs it on any device. Freezing and unfreezing a part is a matter of its
//! store; a frozen part runs in inference mode.
//!
//! The crate knows no data and no files.
//!
//! ```
//! use fm_models::{Mode, Net};
//! use fm_net::{Network, init};
//! use tch::{Device, Kind, Tensor};
//!
//! let network = Network::new(&"8C3-MP2--16".parse()?, 10)?;
//! let net = Net::new(&network, &init::initial(&network, 0), Device::Cpu)?;
//! let images = Tensor::zeros([4, 1, 28, 28], (Kind::Float, Device::Cpu));
//! assert_eq!(net.forward(&images, Mode::Eval)?.size(), [4, 10]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod graph_net;

pub use graph_net::{Builder, GraphNet as Net, Mode, NetError, TorchOp, TorchOps, covers, to_host};
