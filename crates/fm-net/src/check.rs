//! Whether tensors are a network's.

use std::collections::BTreeMap;
use std::fmt::Write;

use thiserror::Error;

use crate::graph::Network;
use crate::tensor::NamedTensor;

/// Every way in which a set of tensors is not the network's, all at once.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("weights do not fit {arch}:{differences}")]
pub struct TensorsError {
    arch: String,
    differences: String,
}

/// Checks that `tensors` are exactly those of `network`, buffers included: the same names with the same shapes, in
/// any order.
///
/// # Errors
/// Lists every missing, unexpected, repeated and wrongly shaped tensor.
pub fn check(network: &Network, tensors: &[NamedTensor]) -> Result<(), TensorsError> {
    let mut differences = String::new();
    let mut given: BTreeMap<&str, &NamedTensor> = BTreeMap::new();
    for tensor in tensors {
        if given.insert(&tensor.name, tensor).is_some() {
            let _ = write!(differences, "\n  repeated {}", tensor.name);
        }
    }
    for spec in network.tensors() {
        let (name, shape) = (&spec.name, &spec.shape);
        match given.remove(name.as_str()) {
            None => {
                let _ = write!(differences, "\n  missing {name} {shape:?}");
            }
            Some(found) if found.shape != *shape => {
                let _ = write!(differences, "\n  {name} is {:?}, expected {shape:?}", found.shape);
            }
            Some(found) if found.data.len() != spec.count() => {
                let _ = write!(
                    differences,
                    "\n  {name} has {} values, expected {}",
                    found.data.len(),
                    spec.count()
                );
            }
            Some(_) => {}
        }
    }
    for (name, tensor) in given {
        let _ = write!(differences, "\n  unexpected {name} {:?}", tensor.shape);
    }
    let arch = network.arch.to_string();
    if differences.is_empty() { Ok(()) } else { Err(TensorsError { arch, differences }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::init::initial;

    #[test]
    fn names_every_difference_at_once() {
        let network = Network::new(&"32C3-MP2-64C3.bn".parse().unwrap(), 10).unwrap();
        let mut tensors = initial(&network, 0);
        assert_eq!(check(&network, &tensors), Ok(()));
        tensors.swap(0, 5);
        assert_eq!(check(&network, &tensors), Ok(()), "order does not matter");

        tensors[1].shape = vec![1];
        tensors[2].name = "encoder.convX.weight".to_owned();
        tensors[3].data.pop();
        let running = tensors.remove(6);
        assert_eq!(running.name, "encoder.norm1.running_var");
        let text = check(&network, &tensors).unwrap_err().to_string();
        assert!(text.contains("encoder.conv1.bias is [1], expected [32]"), "{text}");
        assert!(text.contains("missing encoder.conv2.weight [64, 32, 3, 3]"), "{text}");
        assert!(text.contains("unexpected encoder.convX.weight [64, 32, 3, 3]"), "{text}");
        assert!(text.contains("encoder.norm1.weight has 63 values, expected 64"), "{text}");
        assert!(text.contains("missing encoder.norm1.running_var [64]"), "{text}");
    }
}
