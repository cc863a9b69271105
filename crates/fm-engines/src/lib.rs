//! The engines of this project, and the list of them.
//!
//! [`Eager`] is libtorch, kernel by kernel, for every network of the notation and any device. [`Fused`] is
//! [`fm_kernels`] on the CPU, for every network of the notation. [`Cuda`] is [`fm_cuda`] on NVIDIA GPUs, for chains of
//! convolution blocks and dense layers. All implement [`fm_train::Engine`]; a program takes one from [`ENGINES`] with [`fm_train::engine::choose`], and may list
//! engines of its own before them. [`Parts`] bring operators and an [`Optimizer`] from outside into `Eager`.
//!
//! Which engine computes a network, and why another does not:
//!
//! ```
//! use fm_engines::ENGINES;
//! use fm_net::Network;
//! use fm_train::engine::{self, Machine};
//!
//! let network = Network::new(&"16C3.same.bn-16R3-GAP".parse()?, 10)?;
//! assert_eq!(engine::choose(ENGINES, "auto", &network, Machine::CPU)?.name, "fused");
//! let refused = engine::choose(ENGINES, "cuda", &network, Machine::CPU).unwrap_err();
//! assert!(refused.to_string().contains("cuda"), "{refused}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `examples/minimal.rs` trains with one.

mod chain;
mod cuda;
mod device;
mod eager;
mod flat;
mod fused;
mod kernels;
mod optimizer;
mod parts;
mod spilled;
mod threads;
mod torch;

use fm_train::EngineDef;

pub use chain::{chain, kernel_network};
pub use cuda::{Cuda, Seat, filling};
pub use device::{cuda_devices, resolve, settle, to_tch};
pub use eager::Eager;
pub use fused::Fused;
pub use optimizer::{BuildOptimizer, OPTIMIZERS, Optimizer, OptimizerDef, Param, to_device};
pub use parts::Parts;
pub use threads::set_threads;
pub use torch::{TorchError, failed};

/// Every engine, the fastest first: `auto` takes the first that covers a network.
pub static ENGINES: &[EngineDef] = &[
    EngineDef {
        name: Cuda::NAME,
        about: "the project's own CUDA kernels, which need NVIDIA's driver alone",
        covers: cuda::covers,
        trains: cuda::trains,
        build: cuda::build,
    },
    EngineDef {
        name: "fused",
        about: "the project's own CPU kernels",
        covers: fused::covers,
        trains: |_| Ok(()),
        build: fused::build,
    },
    EngineDef {
        name: "eager",
        about: "libtorch, kernel by kernel, on any device",
        covers: eager::covers,
        trains: |_| Ok(()),
        build: eager::build,
    },
];
