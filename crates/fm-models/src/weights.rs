//! Weights outside libtorch: what engines exchange, checkpoints hold and files carry.

use std::collections::BTreeMap;
use std::fmt::Write;

use thiserror::Error;

use crate::network::Network;

/// One named tensor of 32-bit floats in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    /// Name, such as `encoder.conv1.weight`.
    pub name: String,
    /// Shape in PyTorch's layout.
    pub shape: Vec<usize>,
    /// `shape.iter().product()` values.
    pub data: Vec<f32>,
}

/// Every way in which a set of tensors is not the network's, all at once.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("weights do not fit {spec}:{differences}")]
pub struct WeightsError {
    spec: String,
    differences: String,
}

/// Checks that `weights` are exactly the parameters of `network`: the same names with the same shapes, in
/// any order.
///
/// # Errors
/// Lists every missing, unexpected, repeated and wrongly shaped tensor.
pub fn check(network: &Network, weights: &[Weights]) -> Result<(), WeightsError> {
    let mut differences = String::new();
    let mut given: BTreeMap<&str, &Weights> = BTreeMap::new();
    for tensor in weights {
        if given.insert(&tensor.name, tensor).is_some() {
            let _ = write!(differences, "\n  repeated {}", tensor.name);
        }
    }
    for param in network.params() {
        match given.remove(param.name.as_str()) {
            None => {
                let _ = write!(differences, "\n  missing {} {:?}", param.name, param.shape);
            }
            Some(found) if found.shape != param.shape || found.data.len() != param.count() => {
                let (name, shape) = (&param.name, &param.shape);
                let _ = write!(differences, "\n  {name} is {:?}, expected {shape:?}", found.shape);
            }
            Some(_) => {}
        }
    }
    for (name, tensor) in given {
        let _ = write!(differences, "\n  unexpected {name} {:?}", tensor.shape);
    }
    let spec = network.spec.to_string();
    if differences.is_empty() { Ok(()) } else { Err(WeightsError { spec, differences }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_every_difference_at_once() {
        let network = Network::new("cnn".parse().unwrap(), 10);
        let mut weights = crate::init::initial(&network, 0);
        assert_eq!(check(&network, &weights), Ok(()));
        weights.swap(0, 5);
        assert_eq!(check(&network, &weights), Ok(()), "order does not matter");

        weights[1].shape = vec![1];
        weights[2].name = "encoder.convX.weight".to_owned();
        let text = check(&network, &weights).unwrap_err().to_string();
        assert!(text.contains("encoder.conv1.bias is [1], expected [32]"), "{text}");
        assert!(text.contains("missing encoder.conv2.weight [64, 32, 3, 3]"), "{text}");
        assert!(text.contains("unexpected encoder.convX.weight [64, 32, 3, 3]"), "{text}");
    }
}
