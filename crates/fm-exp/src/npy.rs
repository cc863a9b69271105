//! Arrays as NumPy's `.npy` files, version 1.0 of the format, little-endian.

use npyz::WriterBuilder as _;

use crate::error::{Error, Kind, Result};

/// Numbers `[n, columns]`, row by row, as `float32`.
///
/// # Errors
/// None that whole rows can cause.
pub(crate) fn floats(values: &[f32], columns: usize) -> Result<Vec<u8>> {
    write(&[(values.len() / columns.max(1)) as u64, columns as u64], values)
}

/// Numbers `[n]` as `uint8`.
///
/// # Errors
/// None.
pub(crate) fn bytes(values: &[u8]) -> Result<Vec<u8>> {
    write(&[values.len() as u64], values)
}

fn write<T: npyz::AutoSerialize + Copy>(shape: &[u64], values: &[T]) -> Result<Vec<u8>> {
    let failed = |e: std::io::Error| Error::new(Kind::Other, e.to_string());
    let mut out = Vec::new();
    let mut writer =
        npyz::WriteOptions::new().default_dtype().shape(shape).writer(&mut out).begin_nd().map_err(failed)?;
    writer.extend(values.iter().copied()).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_and_values_are_numpys() {
        let file = floats(&[1.0, -2.5, 0.0, 4.0, 5.0, 6.0], 3).unwrap();
        assert_eq!(&file[..8], b"\x93NUMPY\x01\x00");
        let header = String::from_utf8_lossy(&file[10..]).into_owned();
        assert!(header.contains("'descr': '<f4'") && header.contains("'shape': (2, 3"), "{header}");
        assert_eq!(file[file.len() - 20..file.len() - 16], (-2.5_f32).to_le_bytes());
        assert_eq!(file.len() % 64, 24, "the data start at a multiple of 64");
        assert!(String::from_utf8_lossy(&bytes(&[1, 2]).unwrap()).contains("'shape': (2"));
    }
}
