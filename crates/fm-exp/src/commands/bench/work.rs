//! The work of a training step, and the speed of a large matrix product that it is measured against.

use std::time::Instant;

use fm_net::{Network, Operator as _, Scope};
use fm_train::engine::Device;
use tch::{Kind as TensorKind, TchError, Tensor};

use crate::error::Result;

/// Billions of operations in the matrix products of training on one image: forward, weight gradient and
/// data gradient (none for the first layer that trains), dense, on the part of the image that the network
/// sees. A frozen encoder costs nothing: its codes are cached.
pub(crate) fn training_gflop(network: &Network, scope: Scope) -> f64 {
    let (h, w) = network.seen();
    let classes = network.classes.unwrap_or(1);
    let seen = network.arch.with_size(h, w, network.arch.channels);
    let seen = seen.and_then(|arch| Network::new(&arch, classes)).unwrap_or_else(|_| network.clone());
    let (mut first, mut sum) = (true, 0);
    for node in seen.nodes.iter().filter(|node| scope.contains(node.part)) {
        let products = node.op.macs(&seen.inputs(node));
        if products > 0 {
            sum += products * if first { 2 } else { 3 };
            first = false;
        }
    }
    2.0 * sum as f64 / 1e9
}

/// What the device reaches in a large 32-bit matrix product of libtorch's, the best of several; none on a GPU that
/// libtorch cannot use.
pub(super) fn peak_gflops(device: Device) -> Result<Option<f64>> {
    let Ok(device) = fm_engines::to_tch(device) else { return Ok(None) };
    product_gflops(device).map(Some).map_err(|e| fm_engines::failed(&e))
}

fn product_gflops(device: tch::Device) -> Result<f64, TchError> {
    // A GPU is only filled by a large product, and each wait for it costs as much as a small one.
    let (n, products) = if device == tch::Device::Cpu { (2048, 1) } else { (8192, 8) };
    let _guard = tch::no_grad_guard();
    // Zeros and ones would take less power, and so run at a higher clock.
    let x = Tensor::f_rand([n, n], (TensorKind::Float, device))?;
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let start = Instant::now();
        let mut last = x.f_matmul(&x)?;
        for _ in 1..products {
            last = x.f_matmul(&x)?;
        }
        // Reading a value waits for the device.
        let _ = f64::try_from(last.f_select(0, 0)?.f_select(0, 0)?)?;
        best = best.min(start.elapsed().as_secs_f64() / f64::from(products));
    }
    Ok(2.0 * (n * n * n) as f64 / best / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_what_the_layers_multiply() {
        // cnn on its 22×22: conv1 20·20·9·32, conv2 8·8·9·32·64, conv3 2·2·9·64·64, dense 64·128 + 128·10.
        let layers = [2 * 115_200, 3 * 1_179_648, 3 * 147_456, 3 * 8_192, 3 * 1_280];
        let network = Network::new(&"cnn".parse().unwrap(), 10).unwrap();
        let expected = 2.0 * f64::from(layers.iter().sum::<i32>()) / 1e9;
        assert!((training_gflop(&network, Scope::All) - expected).abs() < 1e-12);
        let network = Network::new(&"encoder-mlp".parse().unwrap(), 10).unwrap();
        let head = 2.0 * f64::from(2 * 1600 * 64 + 3 * (64 * 32 + 32 * 10)) / 1e9;
        assert!((training_gflop(&network, Scope::Head) - head).abs() < 1e-12);
    }
}
