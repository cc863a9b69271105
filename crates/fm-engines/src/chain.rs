//! Networks that are a chain: what the fastest trainers take.

use fm_net::{Activation, Arch, Network, Node, NodeId, Op, Operator as _};

/// The network as the CPU kernels' trainer for chains takes it.
///
/// # Errors
/// As for [`chain`], and images of several channels.
pub fn kernel_network(network: &Network) -> Result<fm_kernels::Network, String> {
    let fm_cuda::Network { height, width, channels, conv, dense } = chain(network)?;
    if channels != 1 {
        return Err(format!("images of {channels} channels"));
    }
    Ok(fm_kernels::Network { height, width, conv, dense })
}

fn is_relu(op: &Op) -> bool {
    matches!(op, Op::Activation(Activation::Relu))
}

fn is_pool(op: &Op) -> bool {
    matches!(op, Op::MaxPool { size: 2, stride: 2 })
}

/// The network as a chain: blocks of 3×3 valid convolution, ReLU and 2×2 max-pooling, then dense layers with ReLU between
/// them. The CUDA kernels take it as it is.
///
/// # Errors
/// The first node that has no place in one, by name: nothing is left out.
pub fn chain(network: &Network) -> Result<fm_cuda::Network, String> {
    let Arch { height, width, channels, .. } = network.arch;
    let mut lowered = fm_cuda::Network { height, width, channels, conv: vec![], dense: vec![] };
    let refused = |node: &Node| format!("{} ({})", node.name, node.op.describe());
    let mut nodes = network.nodes.iter().enumerate().peekable();
    // Every node must follow the one before it: no branches.
    let chained = |at: usize, node: &Node| match (at, node.inputs.as_slice()) {
        (0, [NodeId::Image]) => true,
        (_, [NodeId::Node(before)]) => before + 1 == at,
        _ => false,
    };
    if let Some((_, node)) = network.nodes.iter().enumerate().find(|(at, node)| !chained(*at, node)) {
        return Err(refused(node));
    }
    while let Some((_, node)) = nodes.next() {
        match &node.op {
            Op::Conv {
                filters,
                kernel: 3,
                stride: 1,
                pad: 0,
                groups: 1,
                bias: true,
                standardised: false,
            } => {
                for wanted in [is_relu, is_pool] {
                    match nodes.next() {
                        Some((_, next)) if wanted(&next.op) => {}
                        Some((_, next)) => return Err(refused(next)),
                        None => return Err(refused(node)),
                    }
                }
                lowered.conv.push(*filters);
            }
            Op::Flatten => {}
            Op::Dense { units } => {
                lowered.dense.push(*units);
                // ReLU follows every dense layer but the last.
                match nodes.next() {
                    Some((_, next)) if is_relu(&next.op) => {}
                    Some((_, next)) => return Err(refused(next)),
                    None => {}
                }
            }
            // A convolution has no bias because of the norm behind it: that one says more.
            Op::Conv { bias: false, .. } => {
                let norm =
                    nodes.next().filter(|(_, next)| matches!(next.op, Op::BatchNorm | Op::GroupNorm { .. }));
                return Err(refused(norm.map_or(node, |(_, norm)| norm)));
            }
            _ => return Err(refused(node)),
        }
    }
    Ok(lowered)
}
