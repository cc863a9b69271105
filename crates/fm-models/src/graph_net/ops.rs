//! Every operator in libtorch.

use fm_net::draws::Draws;
use fm_net::{Activation, EPS, MOMENTUM, Node, Op};
use tch::{Kind, TchError, Tensor};

use super::dropout;

/// The output of `node`, at index `at`, with its own tensors in order; `draws` where it computes as in
/// training. Batch and group normalisation may run in cuDNN, as in PyTorch; on the CPU that flag says nothing.
pub(super) fn forward(
    at: usize,
    node: &Node,
    inputs: &[Tensor],
    tensors: &[Tensor],
    draws: Option<&Draws>,
) -> Result<Tensor, TchError> {
    let x = &inputs[0];
    match node.op {
        Op::Conv { stride, pad, groups, standardised, .. } => {
            let (mut stride, pad, bias) = (stride as i64, pad as i64, tensors.get(1));
            let mut x = x.shallow_clone();
            if stride > 1 && skips_for_onednn(&x, &tensors[0]) {
                x = x.f_slice(2, None, None, stride)?.f_slice(3, None, None, stride)?;
                stride = 1;
            }
            if standardised {
                return x.f_conv2d(&standardise(&tensors[0])?, bias, stride, pad, 1, groups as i64);
            }
            x.f_conv2d(&tensors[0], bias, stride, pad, 1, groups as i64)
        }
        Op::BatchNorm => batch_norm(node, x, tensors, draws.is_some()),
        Op::GroupNorm { groups } => {
            x.f_group_norm(groups as i64, Some(&tensors[0]), Some(&tensors[1]), EPS, true)
        }
        Op::Activation(Activation::Relu) => x.f_relu(),
        Op::Activation(Activation::Gelu) => x.f_gelu("none"),
        Op::Activation(Activation::Silu) => x.f_silu(),
        Op::Activation(Activation::Sigmoid) => x.f_sigmoid(),
        Op::MaxPool { size, stride } => x.f_max_pool2d(size as i64, stride as i64, 0, 1, false),
        Op::AvgPool { size, stride } => x.f_avg_pool2d(size as i64, stride as i64, 0, false, true, None),
        // The adaptive pools have no repeatable backward pass on CUDA.
        Op::GlobalAvgPool => x.f_mean_dim([2_i64, 3].as_slice(), false, None::<Kind>),
        Op::GlobalMaxPool => x.f_max_pool2d(&x.size()[2..], 1, 0, 1, false)?.f_flatten(1, -1),
        Op::Dropout { percent, channels } => match draws {
            Some(draws) => dropout::forward(x, draws, at, node.output, percent, channels),
            None => Ok(x.shallow_clone()),
        },
        Op::Flatten => x.f_flatten(1, -1),
        Op::Dense { .. } => x.f_linear(&tensors[0], tensors.get(1)),
        Op::Add => x.f_add(&inputs[1]),
        Op::Scale => x.f_mul(&inputs[1].f_unsqueeze(-1)?.f_unsqueeze(-1)?),
        Op::Unflatten { shape } => x.f_unflatten(1, shape.map(|n| n as i64)),
        Op::Upsample => {
            let size = [2 * x.size()[2], 2 * x.size()[3]];
            x.f_upsample_nearest2d(size, None, None)
        }
        Op::ConvTranspose { .. } => x.f_conv_transpose2d(&tensors[0], tensors.get(1), 1, 0, 0, 1, 1),
        Op::Custom(_) => Err(TchError::Torch(format!("{} has no step", node.name))),
    }
}

/// Whether a strided convolution's inputs are thinned out before oneDNN sees them. Without AVX-512, its weight gradient of
/// a strided 1x1 convolution writes past its memory where channels do not fill a block of eight
/// (<https://github.com/uxlfoundation/oneDNN/issues/6035>).
fn skips_for_onednn(x: &Tensor, weight: &Tensor) -> bool {
    x.device() == tch::Device::Cpu && weight.size()[2..] == [1, 1] && weight.size()[1] % 8 != 0
}

/// In training mode by the batch's own statistics, and the running ones move towards them, in place.
fn batch_norm(node: &Node, x: &Tensor, tensors: &[Tensor], train: bool) -> Result<Tensor, TchError> {
    let values = x.size().iter().product::<i64>() / x.size()[1].max(1);
    if train && values == 1 {
        return Err(TchError::Shape(format!(
            "batch normalisation {}.{} has one value a channel, an image of one pixel: take batches of two or more",
            node.part, node.name
        )));
    }
    let [weight, bias, mean, variance] = tensors else {
        return Err(TchError::Shape(format!("{} has {} tensors, not four", node.name, tensors.len())));
    };
    x.f_batch_norm(Some(weight), Some(bias), Some(mean), Some(variance), train, MOMENTUM, EPS, true)
}

/// Each filter's kernel with mean 0 and variance 1 (Qiao et al., "Micro-Batch Training with Batch-Channel
/// Normalization and Weight Standardization", 2019).
fn standardise(kernel: &Tensor) -> Result<Tensor, TchError> {
    let (variance, mean) = kernel.f_var_mean_correction([1_i64, 2, 3].as_slice(), 0, true)?;
    kernel.f_sub(&mean)?.f_div(&variance.f_add_scalar(EPS)?.f_sqrt()?)
}
