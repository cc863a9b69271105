//! How large a network may be. A string of a few characters can ask for more than any machine has; these bounds
//! keep parsing and building to milliseconds and a network's tensors to what memory holds.

/// Longest string, in bytes.
pub const MAX_TEXT: usize = 1024;

/// Most items of a string, repeats written out.
pub const MAX_ITEMS: usize = 256;

/// Most filters, units, groups and classes; also the largest number in a string.
pub const MAX_COUNT: usize = 65_536;

/// Largest factor of an inverted residual's expansion.
pub const MAX_EXPAND: usize = 64;

/// Most values of all tensors together: 2 GiB of 32-bit floats.
pub const MAX_PARAMS: u64 = 1 << 29;

/// Most values of one node's output for one image: 1 GiB of 32-bit floats.
pub const MAX_VALUES: u64 = 1 << 28;
