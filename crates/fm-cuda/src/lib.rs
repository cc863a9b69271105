//! Training on NVIDIA GPUs through the driver alone: no toolkit, no libtorch.
#![expect(unsafe_code, reason = "calls of NVIDIA's driver, and memory that both sides use")]

pub mod driver;
