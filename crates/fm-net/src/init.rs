//! Initial values, as Keras draws them: Glorot uniform kernels and zero biases.
//!
//! A kernel's values are uniform in ±√(6 / (`fan_in` + `fan_out`)) (Glorot & Bengio, "Understanding the
//! difficulty of training deep feedforward neural networks", AISTATS 2010), with the fans of one group of a
//! grouped convolution. Norms start as the identity, running statistics at mean 0 and variance 1. Each tensor has
//! a random stream of its own, picked by its name: two networks that share a layer start it from the same values
//! for the same seed, whatever else they hold, and no other stream of the seed is disturbed.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::graph::Network;
use crate::tensor::{Init, NamedTensor};

/// Initial values of all tensors of `network` for `seed`, in canonical order.
#[must_use]
pub fn initial(network: &Network, seed: u64) -> Vec<NamedTensor> {
    network
        .tensors()
        .map(|spec| {
            let data = match spec.init {
                Init::Constant(value) => vec![value; spec.count()],
                Init::Glorot { fan_in, fan_out } => {
                    let limit = (6.0 / (fan_in + fan_out) as f64).sqrt();
                    let mut rng = stream(seed, &spec.name);
                    (0..spec.count()).map(|_| uniform(&mut rng, limit)).collect()
                }
            };
            NamedTensor { name: spec.name.clone(), shape: spec.shape.clone(), data }
        })
        .collect()
}

/// The generator of one tensor: ChaCha8 with the seed and a stream number from the name. The top bit keeps
/// these streams apart from those of splits and epochs, which are small numbers.
fn stream(seed: u64, name: &str) -> ChaCha8Rng {
    // FNV-1a: stable for ever, which the standard library's hasher does not promise.
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(hash | 1 << 63);
    rng
}

/// A value in [-limit, limit) from the upper 24 bits of a draw.
fn uniform(rng: &mut ChaCha8Rng, limit: f64) -> f32 {
    let unit = f64::from(rng.next_u32() >> 8) / f64::from(1 << 24);
    (limit * (2.0 * unit - 1.0)) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights(spec: &str, seed: u64) -> Vec<NamedTensor> {
        initial(&Network::new(&spec.parse().unwrap(), 10).unwrap(), seed)
    }

    #[test]
    fn glorot_limits_and_moments() {
        for tensor in weights("encoder-mlp", 3) {
            if tensor.name.ends_with("bias") {
                assert!(tensor.data.iter().all(|&v| v == 0.0));
                continue;
            }
            let receptive: usize = tensor.shape[2..].iter().product();
            let fans = (tensor.shape[0] + tensor.shape[1]) * receptive;
            let limit = (6.0 / fans as f64).sqrt();
            let n = tensor.data.len() as f64;
            let largest = tensor.data.iter().fold(0.0_f64, |m, &v| m.max(f64::from(v).abs()));
            let variance = tensor.data.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / n;
            assert!(largest <= limit && largest > 0.95 * limit, "{}: {largest} of {limit}", tensor.name);
            // Uniform in ±limit has variance limit²/3; four standard errors of its estimate.
            let tolerance = 4.0 * (4.0 / 45.0 / n).sqrt();
            assert!((variance / limit.powi(2) - 1.0 / 3.0).abs() < tolerance, "{}", tensor.name);
        }
    }

    #[test]
    fn shared_layers_start_alike_and_seeds_differ() {
        let (cnn, mlp) = (weights("cnn", 0), weights("encoder-mlp", 0));
        assert_eq!(cnn[..4], mlp[..4], "the first two blocks are the same layers");
        assert_ne!(cnn[0].data, weights("cnn", 1)[0].data);
        assert_ne!(cnn[2].data[..32], cnn[4].data[..32], "tensors have streams of their own");
    }

    #[test]
    fn values_are_pinned() {
        // Changing the generator would silently change every published result.
        let first: Vec<f32> = weights("cnn", 0)[0].data[..3].to_vec();
        assert_eq!(first, PINNED, "{first:?}");
    }

    const PINNED: [f32; 3] = [-0.036_236_987, 0.141_733_04, -0.022_224_132];

    #[test]
    fn norms_start_as_the_identity_and_groups_have_their_own_fans() {
        let tensors = weights("8C3.bn-8C3.g4", 0);
        let constant = |name: &str| {
            let tensor = tensors.iter().find(|t| t.name == name).unwrap();
            assert!(tensor.data.iter().all(|v| v.to_bits() == tensor.data[0].to_bits()), "{name}");
            (tensor.data[0], tensor.data.len())
        };
        assert_eq!(constant("encoder.norm1.weight"), (1.0, 8));
        assert_eq!(constant("encoder.norm1.bias"), (0.0, 8));
        assert_eq!(constant("encoder.norm1.running_mean"), (0.0, 8));
        assert_eq!(constant("encoder.norm1.running_var"), (1.0, 8));
        let network = Network::new(&"8C3.bn-8C3.g4".parse().unwrap(), 10).unwrap();
        let grouped = network.tensors().find(|t| t.name == "encoder.conv2.weight").unwrap();
        assert_eq!(grouped.shape, [8, 2, 3, 3]);
        assert_eq!(grouped.init, Init::Glorot { fan_in: 18, fan_out: 18 });
    }
}
