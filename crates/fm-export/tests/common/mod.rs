//! Networks for the tests of what is exported.

use fm_net::{NamedTensor, Network, Role};

/// A network with weights that have been moved from where they start, running statistics and biases too.
pub(crate) fn network(arch: &str) -> (Network, Vec<NamedTensor>) {
    moved(Network::new(&arch.parse().unwrap(), 10).unwrap())
}

/// The same of an encoder with its mirror image: transposed convolutions and doublings.
#[allow(dead_code, reason = "not every test has one")]
pub(crate) fn autoencoder(arch: &str) -> (Network, Vec<NamedTensor>) {
    moved(Network::autoencoder(&arch.parse().unwrap()).unwrap())
}

fn moved(network: Network) -> (Network, Vec<NamedTensor>) {
    let mut weights = fm_net::init::initial(&network, 5);
    for (t, tensor) in weights.iter_mut().enumerate() {
        let positive = network.tensors().any(|s| s.name == tensor.name && s.role == Role::Buffer)
            || tensor.name.contains("norm") && tensor.name.ends_with("weight");
        for (i, value) in tensor.data.iter_mut().enumerate() {
            let noise = ((i * 37 + t * 11) % 23) as f32 / 23.0 - 0.5;
            *value = if positive { (*value + 0.3 * noise).max(0.2) } else { *value + 0.1 * noise };
        }
    }
    (network, weights)
}
