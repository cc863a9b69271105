//! Weights as safetensors, to and from bytes.

use std::collections::BTreeMap;

use fm_net::NamedTensor;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::json;

use crate::error::{Error, Kind, Result};

/// Weights as a safetensors file, `f32`, PyTorch's layout.
///
/// The same weights and metadata give the same bytes: the library keeps metadata in a hash map, whose order
/// changes from process to process, so the header is written again with sorted keys.
///
/// # Errors
/// None that a well-formed set of weights can cause.
pub fn encode(weights: &[NamedTensor], metadata: &BTreeMap<String, String>) -> Result<Vec<u8>> {
    let bytes: Vec<Vec<u8>> =
        weights.iter().map(|w| w.data.iter().flat_map(|v| v.to_le_bytes()).collect()).collect();
    let views = weights
        .iter()
        .zip(&bytes)
        .map(|(w, data)| {
            Ok((w.name.as_str(), TensorView::new(Dtype::F32, w.shape.clone(), data).map_err(other)?))
        })
        .collect::<Result<Vec<_>>>()?;
    let file = safetensors::serialize(views, None).map_err(other)?;
    let (header_len, _) = SafeTensors::read_metadata(&file).map_err(other)?;
    let (header, data) = file[8..].split_at(header_len);
    let mut header: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(header).map_err(other)?;
    header.insert("__metadata__".to_owned(), json!(metadata));
    let mut header = serde_json::to_vec(&header).map_err(other)?;
    // Tensor data start at a multiple of eight bytes.
    header.resize(header.len().next_multiple_of(8), b' ');
    Ok([&(header.len() as u64).to_le_bytes(), header.as_slice(), data].concat())
}

/// The tensors whose names start with `prefix`, without it, in the file's order.
///
/// # Errors
/// [`Kind::Mismatch`] when one is not `f32`.
pub fn tensors(file: &SafeTensors<'_>, prefix: &str) -> Result<Vec<NamedTensor>> {
    let mut found = Vec::new();
    for (name, view) in file.iter() {
        let Some(name) = name.strip_prefix(prefix) else { continue };
        if view.dtype() != Dtype::F32 {
            return Err(Error::new(
                Kind::Mismatch,
                format!("tensor {name} is {:?}, expected F32", view.dtype()),
            ));
        }
        let (shape, data) = (view.shape().to_vec(), floats(view.data()));
        found.push(NamedTensor { name: name.to_owned(), shape, data });
    }
    Ok(found)
}

/// A tensor's bytes as the numbers they are.
pub fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

fn other(error: impl std::fmt::Display) -> Error {
    Error::new(Kind::Other, error.to_string())
}
