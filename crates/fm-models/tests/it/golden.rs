//! Reads the golden files: what PyTorch and Keras computed from given weights and images
//! (`scripts/golden` makes them again).

use std::path::Path;

use fm_net::{NamedTensor, Network};
use safetensors::SafeTensors;

/// A safetensors file in memory.
pub(crate) struct Golden(Vec<u8>);

impl Golden {
    /// `arch` is `cnn` or `encoder-mlp`, `part` is `common`, `pytorch` or `keras`.
    pub(crate) fn open(arch: &str, part: &str) -> Self {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fm-models/tests/golden");
        Self(std::fs::read(dir.join(format!("{arch}.{part}.safetensors"))).expect("golden file"))
    }

    fn tensors(&self) -> SafeTensors<'_> {
        SafeTensors::deserialize(&self.0).expect("golden file is safetensors")
    }

    pub(crate) fn floats(&self, name: &str) -> Vec<f32> {
        let tensors = self.tensors();
        let bytes = tensors.tensor(name).expect(name).data();
        bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().expect("four bytes"))).collect()
    }

    /// `images`, bytes `[32, 28, 28]`.
    pub(crate) fn images(&self) -> Vec<u8> {
        self.tensors().tensor("images").expect("images").data().to_vec()
    }

    /// `labels`, one for each image.
    pub(crate) fn labels(&self) -> Vec<u8> {
        let tensors = self.tensors();
        let bytes = tensors.tensor("labels").expect("labels").data();
        bytes.chunks_exact(8).map(|b| b[0]).collect()
    }

    /// The network's parameters under a prefix: `init`, `grad` or `final`.
    pub(crate) fn weights(&self, network: &Network, prefix: &str) -> Vec<NamedTensor> {
        let of = |name: &str| self.floats(&format!("{prefix}.{name}"));
        network
            .params()
            .map(|p| NamedTensor { name: p.name.clone(), shape: p.shape.clone(), data: of(&p.name) })
            .collect()
    }
}

/// Largest difference between the two, as a share of the largest magnitude in `expected`.
pub(crate) fn difference(got: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(got.len(), expected.len());
    let largest = expected.iter().fold(0.0_f64, |m, &v| m.max(f64::from(v).abs()));
    let apart =
        got.iter().zip(expected).map(|(&a, &b)| (f64::from(a) - f64::from(b)).abs()).fold(0.0, f64::max);
    assert!(got.iter().all(|v| v.is_finite()));
    apart / largest
}
