//! Training on NVIDIA GPUs through the driver alone: no toolkit, no libtorch.
//!
//! A [`Trainer`] holds several seeds of a [`Network`] side by side on a [`Gpu`]; each gets the bits that it would get
//! alone. The kernels are CUDA C++ in `kernels/`, compiled ahead and part of the program; README.md explains them.
//!
//! ```
//! use fm_cuda::{Gpu, Network, Trainer, Tuning};
//!
//! let network = Network { height: 28, width: 28, channels: 1, conv: vec![32, 64], dense: vec![64, 10] };
//! match Gpu::open(0) {
//!     Ok(gpu) => {
//!         // Room for two seeds in batches of 32 images.
//!         let trainer = Trainer::new(&gpu, &network, 2, 32, Tuning::for_seeds(2))?;
//!         println!("{}: {trainer:?}", gpu.info().name);
//!     }
//!     Err(why) => println!("no GPU here: {why}"),
//! }
//! # Ok::<(), fm_cuda::Error>(())
//! ```
#![expect(unsafe_code, reason = "calls of NVIDIA's driver, and memory that both sides use")]

mod args;
mod built;
mod data;
pub mod driver;
mod error;
mod explain;
mod gpu;
mod inference;
mod layout;
mod made;
mod memory;
mod network;
mod parameters;
mod plan;
mod seat;
mod trainer;
mod tuning;

pub use data::Data;
pub use error::Error;
pub use explain::Stage;
pub use gpu::Gpu;
pub use inference::{BATCH as SCORED_AT_ONCE, Images};
#[doc(hidden)]
pub use made::shapes;
pub use network::Network;
pub use seat::Mixed;
pub use trainer::{Kept, StepSums, Trainer};
pub use tuning::Tuning;
