//! Names: which part a tensor belongs to, what a network is called, and the named architectures.

use crate::arch::{ALIASES, Arch};
use crate::graph::{Network, Part};

impl Part {
    /// Whether a tensor of this name belongs to the part.
    #[must_use]
    pub fn owns(self, tensor: &str) -> bool {
        tensor.split_once('.').is_some_and(|(part, _)| part == self.name())
    }

    /// What names of tensors begin with.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Encoder => "encoder",
            Self::Head => "head",
            Self::Decoder => "decoder",
        }
    }
}

impl Network {
    /// What messages call the network: its architecture, or the autoencoder of it.
    #[must_use]
    pub fn label(&self) -> String {
        let arch = &self.arch;
        if self.reconstructs() { format!("the autoencoder of {arch}") } else { arch.to_string() }
    }
}

impl Arch {
    /// The architectures that have names, for 28×28 grey images.
    pub fn aliases() -> impl Iterator<Item = Self> {
        ALIASES.iter().filter_map(|(name, _)| name.parse().ok())
    }
}
