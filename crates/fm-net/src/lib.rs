//! Networks as data.
//!
//! ```text
//! "32C3-MP2-64C3-MP2--64-32" → Arch → Network (graph of operators) ─┬→ initial weights
//!                                                                   ├→ summary, PyTorch and Keras code
//!                                                                   └→ engines (other crates)
//! ```
//!
//! An [`Arch`] is a parsed string of the [notation](arch). With a number of classes it becomes a [`Network`]: a
//! directed acyclic graph of [operators](Op), each with its output shape, its tensors and their roles, its
//! receptive window and its multiply-adds. Whatever needs to know about a network folds over that graph.
//! The crate knows no tensor library, no data and no files.
//!
//! ```
//! use fm_net::{Arch, Network, Shape, init, pytorch};
//!
//! let arch: Arch = "32c3-mp2-64C3-MP2--64-32".parse()?;
//! assert_eq!(arch.to_string(), "encoder-mlp");
//!
//! let network = Network::new(&arch, 10)?;
//! let params: usize = network.params().map(|tensor| tensor.count()).sum();
//! assert_eq!((params, network.macs()), (123_690, 2_529_728));
//! assert_eq!(network.nodes.last().map(|node| node.output), Some(Shape::Vector { len: 10 }));
//!
//! // Values for seed 0, and the same network for PyTorch.
//! let weights = init::initial(&network, 0);
//! assert_eq!(weights[0].shape, [32, 1, 3, 3]);
//! assert!(pytorch(&network)?.contains("class Net(nn.Module)"));
//!
//! assert!("32C3-XX2".parse::<Arch>().unwrap_err().to_string().contains("unknown layer 'XX2'"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[doc(hidden)]
pub mod arbitrary;
pub mod arch;
mod blocks;
mod check;
mod code;
mod decoder;
pub mod draws;
mod error;
pub mod family;
mod graph;
pub mod init;
pub mod item;
pub mod limits;
mod lower;
mod names;
mod op;
mod ops;
mod parse;
mod seen;
pub mod summary;
mod tensor;
mod token;

pub use arch::Arch;
pub use check::{TensorsError, check};
pub use code::{NotCovered, keras, pytorch};
pub use draws::Draws;
pub use error::ArchError;
pub use graph::{BuildError, Network, Node, NodeId, Part, Scope};
pub use item::Item;
pub use op::{Activation, EPS, MOMENTUM, Op, Operator, Shape, ShapeError, Window};
pub use parse::Notation;
pub use tensor::{Init, NamedTensor, Role, TensorSpec};
