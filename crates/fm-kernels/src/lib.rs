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
//!
//! Two classes, told apart by which half of the image is bright:
//!
//! ```
//! use fm_kernels::{GraphTrainer, Options};
//! use fm_net::{Draws, Network, init};
//!
//! let network = Network::new(&"4C3-MP2--8@10x10".parse()?, 2)?;
//! let params: Vec<f32> = init::initial(&network, 0).into_iter().flat_map(|tensor| tensor.data).collect();
//! let options = Options { threads: 1, max_batch: 8, ..Options::default() };
//! let mut trainer = GraphTrainer::new(&network, options, &params)?;
//!
//! // Bytes `[n, channels, height, width]`, and a label each.
//! let pixel = |i: usize| if (i / 50 % 2 == 0) == (i / 100 % 2 == 0) { 200 } else { (i % 7) as u8 };
//! let images: Vec<u8> = (0..8 * 100).map(pixel).collect();
//! let labels: Vec<u8> = (0..8).map(|row| row % 2).collect();
//! let rows: Vec<u32> = (0..8).collect();
//! for step in 0..100 {
//!     trainer.step(&images, &labels, &rows, &Draws { seed: 0, phase: 0, step })?;
//! }
//!
//! let mut logits = vec![0.0; 8 * trainer.output_len()];
//! trainer.evaluate(&images, &rows, &mut logits)?;
//! for (logits, label) in logits.chunks(2).zip(&labels) {
//!     assert_eq!(usize::from(*label), usize::from(logits[1] > logits[0]));
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![expect(unsafe_code, reason = "vector intrinsics, and buffers that several threads fill in disjoint parts")]
#![allow(clippy::many_single_char_names, reason = "lanes of a vector have letters")]
#![expect(clippy::inline_always, reason = "a kernel must inline into the function that enables its ISA")]
#![allow(clippy::missing_panics_doc, reason = "private functions assert what their callers promise")]

mod buffer;
mod deal;
mod error;
mod float_mode;
mod graph;
mod isa;
mod kernels;
mod layout;
mod muon;
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
pub use muon::NewtonSchulz;
pub use network::Network;
pub use options::{Betas, Method, Moments, Move, Options, Recipe, Scope, Targets, Totals};
pub use trainer::Trainer;
