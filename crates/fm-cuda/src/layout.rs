//! Where parameters and codes lie on the device.

use crate::args::Shape;
use crate::network::Network;

/// Places of the parameters, in PyTorch's order.
pub(crate) fn map(network: &Network, shape: &Shape) -> Vec<u32> {
    let mut map = Vec::new();
    for (l, &filters) in network.conv.iter().enumerate() {
        let c = &shape.conv[l];
        let inputs = if l == 0 { network.channels } else { network.conv[l - 1] };
        for f in 0..filters {
            for input in 0..inputs {
                for tap in 0..9 {
                    // The first block's weights lie by channel, the others' by tap.
                    let row = if l == 0 { input * 9 + tap } else { tap * c.inputs as usize + input };
                    map.push((c.weight as usize + row * c.outputs as usize + f) as u32);
                }
            }
        }
        map.extend((0..filters).map(|f| (c.bias as usize + f) as u32));
    }
    let codes = code_map(network, shape);
    for (l, &units) in network.dense.iter().enumerate() {
        let d = &shape.dense[l];
        for j in 0..units {
            let mut one = |i: usize| map.push((d.weight as usize + i * d.padded as usize + j) as u32);
            if l == 0 {
                for &i in &codes {
                    one(i as usize);
                }
            } else {
                (0..network.dense[l - 1]).for_each(&mut one);
            }
        }
        map.extend((0..units).map(|j| (d.bias as usize + j) as u32));
    }
    map
}

/// Places of a code's values, in (channel, row, column) order.
pub(crate) fn code_map(network: &Network, shape: &Shape) -> Vec<u32> {
    let last = &shape.conv[network.conv.len() - 1];
    let windows = (last.rows * last.cols) as usize;
    let channels = network.conv.last().copied().unwrap_or(0);
    let place = |channel: usize, window: usize| (window * last.outputs as usize + channel) as u32;
    (0..channels).flat_map(|channel| (0..windows).map(move |window| place(channel, window))).collect()
}
