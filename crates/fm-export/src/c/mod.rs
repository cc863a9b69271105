//! A network as one C99 file and its header: no dependencies but `math.h`, no allocation, no global state.
//!
//! ```text
//! Network, weights ─ program ─▸ Program ─┬──────────────────────────────────────▸ emit ─▸ floats in C
//!                                        ├─ float: values of images ─▸ scales
//!                                        └─ int8: Quantised ─┬─ run: the reference
//!                                                            └──────────────────▸ emit ─▸ 8-bit integers in C
//! ```
//!
//! Batch norms behind a convolution are folded into it, and ReLU into what it follows. The C code and [`Quantised::run`]
//! do the same integer arithmetic, so their results are equal bit for bit.

#[expect(clippy::many_single_char_names, reason = "channels, height and width by their usual letters")]
mod emit;
#[expect(clippy::many_single_char_names, reason = "channels, height and width by their usual letters")]
mod float;
#[expect(clippy::many_single_char_names, reason = "channels, height and width by their usual letters")]
mod int8;
pub(crate) mod program;

pub use int8::Quantised;
pub use program::Program;

/// A C file and its header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sources {
    /// `NAME.h`.
    pub header: String,
    /// `NAME.c`.
    pub code: String,
    /// Bytes of weights, biases and scales.
    pub weight_bytes: usize,
}
