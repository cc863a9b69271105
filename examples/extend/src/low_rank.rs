//! An operator: channels mixed at each pixel through a few of them, `LR2` in the notation.
//!
//! Two 1×1 convolutions without bias or activation, from `channels` to `rank` and back: a matrix of that rank in
//! place of a whole one.

use std::sync::Arc;

use fm_models::{TorchOp, TorchOps};
use fm_net::{Init, Operator, Role, Shape, ShapeError, TensorSpec, Window};
use tch::{TchError, Tensor};

/// What the operator is called in the notation: `LR` and its rank.
pub(crate) const PREFIX: &str = "LR";

/// What engines and code generators call it.
const KIND: &str = "low_rank";

/// The largest rank: a matrix of a higher one is better written as a 1×1 convolution.
const MOST: usize = 64;

/// What every operator says about itself.
#[derive(Debug)]
struct LowRank {
    rank: usize,
}

/// The operator of `LR` and this number.
///
/// # Errors
/// A reason that follows the token in the message.
pub(crate) fn make(rank: usize) -> Result<Arc<dyn Operator>, String> {
    if rank > MOST {
        return Err(format!("a rank is from 1 to {MOST}"));
    }
    Ok(Arc::new(LowRank { rank }))
}

/// How libtorch computes it.
pub(crate) fn torch() -> TorchOps {
    TorchOps::default().with(KIND, |_, _| Box::new(Mix))
}

impl Operator for LowRank {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn output(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        match inputs {
            [map @ Shape::Map { channels, .. }] if *channels >= self.rank => Ok(*map),
            [Shape::Map { channels, .. }] => {
                Err(ShapeError(format!("needs {} channels or more, has {channels}", self.rank)))
            }
            _ => Err(ShapeError("needs a map of pixels".to_owned())),
        }
    }

    fn tensors(&self, inputs: &[Shape]) -> Vec<TensorSpec> {
        let (channels, rank) = (inputs[0].channels(), self.rank);
        // The names that `nn.Sequential` gives, so that a model file loads into the PyTorch code below.
        let weight = |name: &str, fan_out: usize, fan_in: usize| TensorSpec {
            name: name.to_owned(),
            shape: vec![fan_out, fan_in, 1, 1],
            role: Role::Trained,
            init: Init::Glorot { fan_in, fan_out },
        };
        vec![weight("0.weight", rank, channels), weight("1.weight", channels, rank)]
    }

    fn window(&self) -> Window {
        Window::Point
    }

    fn macs(&self, inputs: &[Shape]) -> u64 {
        // Each value feeds `rank` sums, and comes from as many.
        2 * self.rank as u64 * inputs[0].values()
    }

    fn describe(&self) -> String {
        format!("low-rank mixing, rank {}", self.rank)
    }

    fn pytorch(&self, inputs: &[Shape]) -> Option<String> {
        let (c, r) = (inputs[0].channels(), self.rank);
        Some(format!("nn.Sequential(nn.Conv2d({c}, {r}, 1, bias=False), nn.Conv2d({r}, {c}, 1, bias=False))"))
    }
}

/// The forward pass; autograd has the backward pass.
#[derive(Debug)]
struct Mix;

impl TorchOp for Mix {
    fn forward(&self, inputs: &[Tensor], tensors: &[Tensor], _train: bool) -> Result<Tensor, TchError> {
        let mix = |x: &Tensor, weight: &Tensor| x.f_conv2d(weight, None::<Tensor>, 1, 0, 1, 1);
        mix(&mix(&inputs[0], &tensors[0])?, &tensors[1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixes_channels_as_its_matrices_say() {
        // Three channels of 1×2 pixels, through one.
        let x = Tensor::from_slice(&[1_f32, 2.0, 3.0, 4.0, 5.0, 6.0]).view([1, 3, 1, 2]);
        let down = Tensor::from_slice(&[1_f32, 0.0, -2.0]).view([1, 3, 1, 1]);
        let up = Tensor::from_slice(&[1_f32, 10.0, 0.5]).view([3, 1, 1, 1]);
        let y = Mix.forward(&[x], &[down, up], true).unwrap();
        let values = Vec::<f32>::try_from(y.view(-1)).unwrap();
        assert_eq!(values, [-9.0, -10.0, -90.0, -100.0, -4.5, -5.0]);
    }

    #[test]
    fn a_rank_above_the_channels_is_refused() {
        let map = |channels| Shape::Map { channels, height: 4, width: 4 };
        let op = LowRank { rank: 3 };
        assert_eq!(op.output(&[map(3)]), Ok(map(3)));
        assert_eq!(op.output(&[map(2)]).unwrap_err().to_string(), "needs 3 channels or more, has 2");
        assert!(op.output(&[Shape::Vector { len: 9 }]).is_err());
        // 6 values for each of 16 pixels in both matrices.
        assert_eq!(LowRank { rank: 2 }.macs(&[map(3)]), 2 * 6 * 16);
    }
}
