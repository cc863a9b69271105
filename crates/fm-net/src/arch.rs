//! Architectures: what a string of the notation says.
//!
//! ```text
//! arch    = alias [ "@" size ] | spatial { "-" spatial } [ "--" head ] [ "@" size ]
//! spatial = [ n "x" ] ( conv | block | pool | drop ) { "." option }
//! conv    = f "C" k | "DW" k                       convolution, depthwise convolution
//! block   = f "R" k | f "IR" k | f "DS" k          residual, inverted residual, depthwise separable
//! pool    = "MP" k | "AP" k | "GAP" | "GMP"
//! drop    = "D" percent | "SD" percent             of values, of channels
//! head    = dense { "-" dense }       dense = units { "." option } | "D" percent
//! option  = same | bn | gnN | ws | sN | gN | eN | seN | pre | relu | gelu | silu | linear
//! size    = h "x" w [ "x" channels ]               28x28 when left out
//! alias   = "cnn" | "encoder-mlp"
//! ```
//!
//! `n x` repeats an item; the stride of a convolution or block then counts for the first alone. `--` is the cut
//! between encoder and head; where no global pool ends the encoder, the map is flattened there. The layer of the
//! classes is not written. Case does not matter. Every architecture prints in one way, which parses back to it:
//! runs of equal items as a repeat, options that change nothing left out, and what an alias stands for as the alias.
//!
//! | item | without options |
//! |---|---|
//! | `32C3`, `DW3` | valid convolution (depthwise: a filter for each channel) of stride 1 with bias, ReLU |
//! | `32R3` | two padded 3x3 convolutions with batch norm, ReLU after the first; plus the input, or its 1x1 convolution with batch norm where stride or channels change; ReLU |
//! | `32IR3` | 1x1 convolution to four times the channels, padded 3x3 depthwise, 1x1 to 32 channels, each with batch norm, the first two with ReLU; plus the input where shapes match |
//! | `32DS3` | padded 3x3 depthwise and 1x1 convolution, both with batch norm and ReLU |
//! | `MP2`, `AP2` | maximum or average over 2x2, stride 2; a last odd row or column is left out |
//! | `GAP`, `GMP` | average or maximum over all positions; only dropout may follow before the cut |
//! | `D30`, `SD30` | 30 % of the values, or of the channels, are zeroed in training |
//! | `128` | dense layer with bias, ReLU |
//!
//! | option | of | what |
//! |---|---|---|
//! | `same` | C, DW | k/2 zeros on each side, k odd; the map itself must still have k x k pixels |
//! | `bn`, `gn4` | convolutions, blocks | batch norm, group norm of 4 groups; convolutions then have no bias |
//! | `ws` | convolutions, blocks | kernels are standardised before use |
//! | `s2` | convolutions, blocks, pools | stride; of the depthwise convolution or of the block's first k x k one |
//! | `g8` | C | grouped convolution |
//! | `e6` | IR | channels inside, as a multiple of those that enter; `e1` leaves out the first convolution |
//! | `se4` | R, IR, DS | squeeze-excitation through a quarter of the channels: before the addition, or after the depthwise convolution |
//! | `pre` | C, DW, R | norm and activation before the convolution; R's projection then has no norm |
//! | `relu`, `gelu`, `silu`, `linear` | all that have an activation | which; `linear`, not of R and IR, is none (of DS: none at the end) |

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use crate::error::ArchError;
use crate::graph::{BuildError, Network};
use crate::item::Item;
use crate::parse::Notation;

/// Height, width and channels that a string without `@` means: Fashion-MNIST's.
pub(crate) const USUAL_SIZE: [usize; 3] = [28, 28, 1];

/// Largest side of an image in pixels.
pub const MAX_SIDE: usize = 1024;

/// Most channels of an image: red, green, blue and one more.
pub const MAX_CHANNELS: usize = 4;

/// Names for whole strings: the two networks of the notebook.
pub const ALIASES: [(&str, &str); 2] =
    [("cnn", "32C3-MP2-64C3-MP2-64C3-MP2--128"), ("encoder-mlp", "32C3-MP2-64C3-MP2--64-32")];

/// Items before and after the cut.
type Body = (Vec<Item>, Vec<Item>);

/// What the aliases stand for, with their names.
static ALIAS_BODIES: LazyLock<Vec<(&str, Body)>> = LazyLock::new(|| {
    let notation = Notation::standard();
    ALIASES.iter().filter_map(|&(name, layers)| Some((name, notation.body(layers).ok()?))).collect()
});

/// A parsed architecture. Every one has been checked to fit its image size, so that every layer has pixels and the
/// network is within [`crate::limits`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Arch {
    pub(crate) spatial: Vec<Item>,
    pub(crate) head: Vec<Item>,
    /// Image height in pixels.
    pub height: usize,
    /// Image width in pixels.
    pub width: usize,
    /// Image channels.
    pub channels: usize,
}

impl Arch {
    /// The items before the cut, repeats written out.
    #[must_use]
    pub fn spatial(&self) -> &[Item] {
        &self.spatial
    }

    /// The items after the cut, without the classes' layer.
    #[must_use]
    pub fn head(&self) -> &[Item] {
        &self.head
    }

    /// The alias of these layers, whatever the image size.
    #[must_use]
    pub fn alias(&self) -> Option<&'static str> {
        let same = |body: &Body| body.0 == self.spatial && body.1 == self.head;
        ALIAS_BODIES.iter().find(|(_, body)| same(body)).map(|&(name, _)| name)
    }

    /// The same layers for images of another size.
    ///
    /// # Errors
    /// When the size is out of range or the layers do not fit it.
    pub fn with_size(&self, height: usize, width: usize, channels: usize) -> Result<Self, BuildError> {
        let sized = Self { height, width, channels, ..self.clone() };
        Network::new(&sized, 1)?;
        Ok(sized)
    }
}

/// The items that an alias stands for.
pub(crate) fn alias_body(name: &str) -> Option<&'static (&'static str, Body)> {
    ALIAS_BODIES.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(name))
}

impl FromStr for Arch {
    type Err = ArchError;

    fn from_str(text: &str) -> Result<Self, ArchError> {
        Notation::standard().parse(text)
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(alias) = self.alias() {
            f.write_str(alias)?;
        } else {
            write_items(f, &self.spatial)?;
            for (i, item) in self.head.iter().enumerate() {
                write!(f, "{}{item}", if i == 0 { "--" } else { "-" })?;
            }
        }
        let Self { height, width, channels, .. } = *self;
        if [height, width, channels] != USUAL_SIZE {
            write!(f, "@{height}x{width}")?;
            if channels != 1 {
                write!(f, "x{channels}")?;
            }
        }
        Ok(())
    }
}

/// Items with dashes between them, runs of equal ones as repeats.
fn write_items(f: &mut fmt::Formatter<'_>, items: &[Item]) -> fmt::Result {
    let mut rest = items;
    while let Some(item) = rest.first() {
        if rest.len() < items.len() {
            f.write_str("-")?;
        }
        let next = item.repeated();
        let run = 1 + rest[1..].iter().take_while(|other| **other == next).count();
        if run > 1 {
            write!(f, "{run}x")?;
        }
        write!(f, "{item}")?;
        rest = &rest[run..];
    }
    Ok(())
}
