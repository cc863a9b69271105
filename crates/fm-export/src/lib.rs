//! Trained networks for elsewhere: an ONNX model, C99 sources of 32-bit floats or 8-bit integers, or a web page.
//!
//! ```text
//! Network, weights ─┬─ onnx ─▸ bytes of an .onnx file
//!                   ├─ c ─▸ NAME.c, NAME.h ─ int8: weights and activations on scales, which images calibrate
//!                   └─ web ─▸ JSON and bytes of rounded weights, for a script
//! ```
//!
//! All fold over the network's graph. What they do not know is refused by name ([`fm_net::NotCovered`]).
//!
//! ```
//! use fm_export::c::Program;
//! use fm_export::onnx::{self, Takes};
//! use fm_net::{Network, init};
//!
//! let network = Network::new(&"8C3-MP2--16".parse()?, 10)?;
//! let weights = init::initial(&network, 0);
//!
//! // Bytes of a file for ONNX Runtime.
//! let model = onnx::model(&network, &weights, Takes::Numbers, &[("arch".into(), "8C3-MP2--16".into())])?;
//! assert!(model.len() > 4 * 8 * 9);
//!
//! // A C file and its header, and what they compute.
//! let program = Program::new(&network, &weights)?;
//! let sources = program.to_c("digits")?;
//! assert!(sources.header.contains("#define DIGITS_OUTPUTS 10"));
//! assert_eq!(program.run(&vec![0.5; 28 * 28]).len(), 10);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod c;
pub mod onnx;
pub mod web;

use fm_net::{NamedTensor, Node, NotCovered};

/// Why a network cannot be exported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// An operator without a translation.
    #[error(transparent)]
    NotCovered(#[from] NotCovered),
    /// Something else, in words.
    #[error("{0}")]
    Other(String),
}

/// The values of a node's tensor by the last piece of its name.
fn tensor<'a>(weights: &'a [NamedTensor], node: &Node, last: &str) -> Result<&'a NamedTensor, Error> {
    let full = node.tensors.iter().find(|t| t.name.rsplit('.').next() == Some(last));
    full.and_then(|spec| weights.iter().find(|w| w.name == spec.name))
        .ok_or_else(|| Error::Other(format!("the weights lack {last} of {}", node.name)))
}

/// Values of a kernel as the convolution uses them: standardised where it says so. Of each filter's weights the mean
/// is taken off, then they are divided by √(biased variance + ε).
fn kernel(weight: &NamedTensor, standardised: bool) -> Vec<f32> {
    if !standardised {
        return weight.data.clone();
    }
    let len = weight.data.len() / weight.shape[0];
    let each = weight.data.chunks(len).flat_map(|filter| {
        let n = filter.len() as f64;
        let mean = filter.iter().map(|&w| f64::from(w)).sum::<f64>() / n;
        let variance = filter.iter().map(|&w| (f64::from(w) - mean).powi(2)).sum::<f64>() / n;
        let deviation = (variance + fm_net::EPS).sqrt();
        filter.iter().map(move |&w| ((f64::from(w) - mean) / deviation) as f32)
    });
    each.collect()
}

/// A batch norm in inference mode as a factor and a summand for each channel.
fn affine(weights: &[NamedTensor], node: &Node) -> Result<(Vec<f32>, Vec<f32>), Error> {
    let of = |last| tensor(weights, node, last).map(|t| &t.data);
    let (weight, bias, mean, var) = (of("weight")?, of("bias")?, of("running_mean")?, of("running_var")?);
    let factor = |i: usize| f64::from(weight[i]) / (f64::from(var[i]) + fm_net::EPS).sqrt();
    let factors = (0..weight.len()).map(|i| factor(i) as f32).collect();
    let summands =
        (0..weight.len()).map(|i| (f64::from(bias[i]) - f64::from(mean[i]) * factor(i)) as f32).collect();
    Ok((factors, summands))
}
