//! From PyTorch's parameter order to the padded internal one, and back.

use crate::Error;
use crate::plan::{Conv, Dense, Plan};

/// For every parameter in PyTorch's order, its index in the padded vector.
///
/// # Errors
/// [`Error::Memory`] when there is no room for it.
pub(crate) fn map(plan: &Plan) -> Result<Vec<u32>, Error> {
    let mut map = Vec::new();
    let count = plan.network.parameters()?;
    map.try_reserve_exact(count).map_err(|_| Error::Memory { bytes: count * size_of::<u32>() })?;
    for (layer, conv) in plan.conv.iter().enumerate() {
        conv_map(conv, layer == 0, &mut map);
    }
    for (layer, dense) in plan.dense.iter().enumerate() {
        // The code is channels last inside and channels first outside.
        let windows = if layer == 0 { plan.code_windows() } else { 1 };
        dense_map(dense, windows, &mut map);
    }
    Ok(map)
}

fn conv_map(conv: &Conv, first: bool, map: &mut Vec<u32>) {
    let ((inputs, padded), (outputs, lanes)) = (conv.inputs, conv.outputs);
    for out in 0..outputs {
        for input in 0..inputs {
            for tap in 0..9 {
                // First block: [tap][out]. Later: [out][tap][in], so that a patch is three runs.
                let index = if first { tap * lanes + out } else { (out * 9 + tap) * padded + input };
                map.push((conv.at + index) as u32);
            }
        }
    }
    map.extend(conv.bias().take(outputs).map(|index| index as u32));
}

fn dense_map(dense: &Dense, windows: usize, map: &mut Vec<u32>) {
    let (inputs, padded) = dense.inputs;
    let (outputs, lanes) = dense.outputs;
    let (channels, pitch) = (inputs / windows, padded / windows);
    for out in 0..outputs {
        for channel in 0..channels {
            for window in 0..windows {
                map.push((dense.at + (window * pitch + channel) * lanes + out) as u32);
            }
        }
    }
    map.extend(dense.bias().take(outputs).map(|index| index as u32));
}

/// Spreads a vector in PyTorch's order over the padded one; the padding is zeroed.
pub(crate) fn spread(map: &[u32], outer: &[f32], inner: &mut [f32]) {
    inner.fill(0.0);
    for (&index, &value) in map.iter().zip(outer) {
        inner[index as usize] = value;
    }
}

/// Collects a vector in PyTorch's order from the padded one.
pub(crate) fn collect(map: &[u32], inner: &[f32]) -> Vec<f32> {
    map.iter().map(|&index| inner[index as usize]).collect()
}
