//! The part of the image that a network needs.

use fm_net::Network;

/// The network on the part of the image that it sees. Names and tensors are the same.
pub(super) fn cut(network: &Network) -> Network {
    let (height, width) = network.seen();
    let arch = &network.arch;
    let smaller = || {
        let arch = arch.with_size(height, width, arch.channels).ok()?;
        let network = match network.classes {
            Some(classes) => Network::new(&arch, classes),
            None => Network::autoencoder(&arch),
        };
        network.ok()
    };
    let same = |cut: &Network| {
        let names = |network: &Network| {
            network.tensors().map(|t| (t.name.clone(), t.shape.clone())).collect::<Vec<_>>()
        };
        cut.nodes.len() == network.nodes.len() && names(cut) == names(network)
    };
    match smaller().filter(same) {
        Some(cut) if (height, width) != (arch.height, arch.width) => cut,
        _ => network.clone(),
    }
}
