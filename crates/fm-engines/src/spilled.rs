//! Codes of a frozen encoder that are too many for memory, on the disk.
//!
//! The file has no name: it is gone when the process is, however that ends.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use fm_run::error::{Error, Result};
use fm_run::fault;

/// Rows of 32-bit floats in a file without a name.
#[derive(Debug)]
pub(super) struct Spilled {
    dir: PathBuf,
    file: File,
    len: usize,
}

impl Spilled {
    /// An empty file in `dir` for rows of `len` values.
    pub(super) fn new(dir: &Path, len: usize) -> Result<Self> {
        let file = fault::disk().and_then(|()| tempfile::tempfile_in(dir));
        let file = file.map_err(|e| Error::io("write codes into", dir, &e))?;
        Ok(Self { dir: dir.to_owned(), file, len })
    }

    /// Puts `values`, whole rows, from row `first` on.
    pub(super) fn write(&self, first: usize, values: &[f32]) -> Result<()> {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let at = (first * self.len * size_of::<f32>()) as u64;
        let put = fault::disk().and_then(|()| self.file.write_all_at(&bytes, at));
        put.map_err(|e| Error::io("write codes into", &self.dir, &e))
    }

    /// The values of `rows`, one row after the other.
    pub(super) fn read(&self, rows: &[u32]) -> Result<Vec<f32>> {
        let size = self.len * size_of::<f32>();
        let mut bytes = vec![0; rows.len() * size];
        for (&row, into) in rows.iter().zip(bytes.chunks_exact_mut(size)) {
            let read = self.file.read_exact_at(into, u64::from(row) * size as u64);
            read.map_err(|e| Error::io("read codes from", &self.dir, &e))?;
        }
        Ok(bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_in_any_order_and_no_file_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let spilled = Spilled::new(dir.path(), 3).unwrap();
        spilled.write(2, &[6.0, 7.0, 8.0]).unwrap();
        spilled.write(0, &[0.0, 1.0, 2.0, 3.0, 4.0, 5.5]).unwrap();
        assert_eq!(spilled.read(&[2, 1, 2]).unwrap(), [6.0, 7.0, 8.0, 3.0, 4.0, 5.5, 6.0, 7.0, 8.0]);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        assert!(spilled.read(&[3]).is_err(), "beyond the end");
    }
}
