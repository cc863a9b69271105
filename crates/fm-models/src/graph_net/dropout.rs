//! Dropout with masks from the host: the same on every device, engine and after resume.

use fm_net::Shape;
use fm_net::draws::{Draws, scale};
use tch::{Kind, TchError, Tensor};

/// Zeroes values of `x`, or whole channels of it (axis 1), and scales the others. `node` is the node's index and
/// `shape` its output. The mask is of that shape even where images were cut to what the network sees and `x` is
/// smaller: then it is the mask's top-left part, so that cutting changes nothing.
pub(super) fn forward(
    x: &Tensor,
    draws: &Draws,
    node: usize,
    shape: Shape,
    percent: u32,
    channels: bool,
) -> Result<Tensor, TchError> {
    let mut size = vec![x.size()[0]];
    size.extend(shape.dims().into_iter().map(|n| n as i64));
    if channels {
        size.iter_mut().skip(2).for_each(|n| *n = 1);
    }
    let count = size.iter().product::<i64>() as usize;
    let mut mask = Tensor::f_from_data_size(&draws.mask(node, count, percent), &size, Kind::Uint8)?;
    for (axis, (&has, &needs)) in size.iter().zip(&x.size()).enumerate().skip(2) {
        if has > needs && !channels {
            mask = mask.f_narrow(axis as i64, 0, needs)?;
        }
    }
    let factors = mask.f_to_device(x.device())?.f_to_kind(x.kind())?;
    x.f_mul(&factors.f_mul_scalar(f64::from(scale(percent)))?)
}
