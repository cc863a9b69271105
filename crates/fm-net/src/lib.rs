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
