//! Fused CPU kernels that train small convolutional networks.
//!
//! A [`GraphTrainer`] trains any network of `fm-net`'s notation. A [`Trainer`] is faster where it can be had: its
//! [`Network`] is a chain of blocks (3x3 valid convolution, bias, ReLU, 2x2 floor max-pooling)
//! followed by dense layers, trained with softmax cross-entropy. Both run whole
//! training steps on their own persistent threads. Results are bit-identical for any number of
//! threads: every sum is taken in an order that depends on the batch alone.
//!
//! Three code paths (see [`Isa`]) share one source: AVX-512, AVX2 with FMA, and plain Rust.
//! README.md explains the algebra and reports the measurements.
#![expect(unsafe_code, reason = "vector intrinsics, and buffers that several threads fill in disjoint parts")]
#![allow(clippy::many_single_char_names, reason = "lanes of a vector have letters")]
#![expect(clippy::inline_always, reason = "a kernel must inline into the function that enables its ISA")]
#![allow(clippy::missing_panics_doc, reason = "private functions assert what their callers promise")]

mod buffer;
mod error;
mod float_mode;
mod graph;
mod isa;
mod kernels;
mod layout;
mod network;
mod options;
mod plan;
mod pool;
mod simd;
mod trainer;
mod weights;
mod worker;

pub use error::Error;
pub use graph::{GraphTrainer, StageReport};
pub use isa::Isa;
pub use network::Network;
pub use options::{Betas, Method, Moments, Move, Options, Recipe, Scope, Targets, Totals};
pub use trainer::Trainer;
