//! A trained model from whatever file people have: one of ours, one of 16-bit numbers, or a name for what it is not.

use std::collections::BTreeMap;
use std::path::Path;

use fm_net::{Arch, NamedTensor};
use fm_run::trained::{self, Trained};
use fm_run::{files, model_file, store};
use safetensors::{Dtype, SafeTensors};

use crate::error::{Error, Kind, Result};

/// Half the bytes of the largest network.
const MAX_BYTES: u64 = 2 * fm_net::limits::MAX_PARAMS + (128 << 20);

/// Loads a model as [`trained::load`] does; tensors of 16-bit floats become 32-bit ones.
///
/// # Errors
/// Those of [`trained::load`]; [`Kind::Mismatch`] for a file of `torch.save`, with what to do.
pub(crate) fn load(run: &Path, arch: Option<&Arch>) -> Result<Trained> {
    let path = if run.is_dir() { run.join(files::MODEL) } else { run.to_owned() };
    let Ok(bytes) = store::read(&path, MAX_BYTES) else { return trained::load(run, arch) };
    if is_torch_save(&bytes) {
        return Err(Error::new(Kind::Mismatch, "this is a file of torch.save, not a safetensors file")
            .note(format!("file {}", path.display()))
            .help("in Python: safetensors.torch.save_file(model.state_dict(), \"model.safetensors\")"));
    }
    let Some((tensors, metadata)) = halves(&bytes) else { return trained::load(run, arch) };
    let failed = |e: std::io::Error| Error::io("convert", &path, &e);
    let place = tempfile::Builder::new().prefix("fm-weights-").tempdir().map_err(failed)?;
    let whole = place.path().join(files::MODEL);
    store::write(&whole, &model_file::encode(&tensors, &metadata)?)?;
    let from = path.display();
    let mut trained =
        trained::load(&whole, arch).map_err(|e| e.note(format!("made of 16-bit numbers in {from}")))?;
    trained.path = path;
    Ok(trained)
}

/// Whether it is a zip archive, or the pickle of before PyTorch 1.6. The first bytes alone do not tell: a safetensors file
/// begins with the length of its header, and 640 bytes are a pickle's magic number.
fn is_torch_save(bytes: &[u8]) -> bool {
    let begins = bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"\x80\x02");
    begins && SafeTensors::read_metadata(bytes).is_err()
}

type Contents = (Vec<NamedTensor>, BTreeMap<String, String>);

/// The tensors of a file, as 32-bit numbers, if any is of 16 bits and all are floats.
fn halves(bytes: &[u8]) -> Option<Contents> {
    let file = SafeTensors::deserialize(bytes).ok()?;
    let (_, header) = SafeTensors::read_metadata(bytes).ok()?;
    let metadata = header.metadata().iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect();
    let mut any = false;
    let mut tensors = Vec::new();
    for (name, view) in file.iter().filter(|(name, _)| !name.ends_with(".num_batches_tracked")) {
        any |= matches!(view.dtype(), Dtype::F16 | Dtype::BF16);
        let pairs = view.data().as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair));
        let data = match view.dtype() {
            Dtype::F32 => model_file::floats(view.data()),
            Dtype::F16 => pairs.map(from_half).collect(),
            Dtype::BF16 => pairs.map(|bits| f32::from_bits(u32::from(bits) << 16)).collect(),
            _ => return None,
        };
        tensors.push(NamedTensor { name: name.to_owned(), shape: view.shape().to_vec(), data });
    }
    any.then_some((tensors, metadata))
}

/// An IEEE 754 binary16 number.
fn from_half(bits: u16) -> f32 {
    let (sign, exponent, fraction) = (bits >> 15, i32::from(bits >> 10 & 31), bits & 1023);
    let magnitude = match exponent {
        0 => f32::from(fraction) * 2_f32.powi(-24),
        31 if fraction == 0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1.0 + f32::from(fraction) / 1024.0) * 2_f32.powi(exponent - 15),
    };
    if sign == 1 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_of_640_bytes_is_no_pickle() {
        let tensor = NamedTensor { name: "w".to_owned(), shape: vec![1], data: vec![0.5] };
        let of = |pad: usize| {
            let metadata = BTreeMap::from([("arch".to_owned(), "x".repeat(pad))]);
            model_file::encode(std::slice::from_ref(&tensor), &metadata).unwrap()
        };
        let pad = (0..640).find(|&pad| of(pad).starts_with(b"\x80\x02")).unwrap();
        assert!(!is_torch_save(&of(pad)));
        assert!(is_torch_save(b"\x80\x02}q\0.") && is_torch_save(b"PK\x03\x04 and so on"));
    }

    #[test]
    fn halves_are_ieee_s() {
        let cases =
            [(0x3C00, 1.0), (0xC000, -2.0), (0x7BFF, 65504.0), (1, 5.960_464_5e-8), (0x3555, 0.333_251_95)];
        for (bits, value) in cases {
            assert_eq!(from_half(bits).to_bits(), f32::to_bits(value));
        }
        assert!(
            from_half(0x7C00).is_infinite()
                && from_half(0x7E00).is_nan()
                && from_half(0x8000).is_sign_negative()
        );
    }
}
