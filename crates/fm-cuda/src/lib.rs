//! Training on NVIDIA GPUs through the driver alone: no toolkit, no libtorch.
//!
//! A [`Trainer`] holds several seeds of a [`Network`] side by side on a [`Gpu`]; each gets the bits that it would get
//! alone. The kernels are CUDA C++ in `kernels/`, compiled ahead and part of the program; README.md explains them.
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
pub use inference::Images;
#[doc(hidden)]
pub use made::shapes;
pub use network::Network;
pub use seat::Mixed;
pub use trainer::{StepSums, Trainer};
pub use tuning::Tuning;
