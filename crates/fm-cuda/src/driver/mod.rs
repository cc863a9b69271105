//! CUDA's driver API, as much of it as is used here, opened at run time.
//!
//! A [`Driver`] is `libcuda.so.1`; it shows devices. A [`Context`] is one device in use. [`Buffer`] and [`Pinned`]
//! are memory there and here, a [`Module`] holds kernels, a [`Stream`] runs them in order, a [`Graph`] replays
//! what a stream has recorded.
//!
//! Nothing is linked: a machine without the driver gets [`DriverError::NoDriver`]. Every call binds the context to
//! the calling thread first, so all types may move between threads.

mod buffer;
mod context;
mod device;
mod error;
mod event;
mod graph;
mod module;
mod open;
mod pinned;
mod pod;
mod stream;
mod symbols;

pub use buffer::Buffer;
pub use context::Context;
pub use device::{ComputeMode, DeviceInfo};
pub use error::{DriverError, Result, Version};
pub use event::Event;
pub use graph::Graph;
pub use module::{Function, Module};
pub use open::Driver;
pub use pinned::Pinned;
pub use pod::Pod;
pub use stream::Stream;

/// The oldest driver that reads this crate's kernels: PTX ISA 8.2 came with CUDA 12.2, driver release 535.
pub const OLDEST_DRIVER: Version = Version(12020);

/// The oldest chips that have what the kernels use (Volta: independent threads, `__nanosleep`).
pub const OLDEST_CHIP: (u32, u32) = (7, 0);
