//! A table that names images, such as an atlas' `suspects.csv`: which to leave out.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{Cells, ReadError, Record};

/// Images to leave out of a score.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mask {
    /// Where they are listed.
    pub path: PathBuf,
    /// Their rows in their file, from 0.
    pub left_out: BTreeSet<usize>,
}

/// A row of the table: other columns are not looked at.
struct Named {
    index: usize,
    set: Option<String>,
}

impl Record for Named {
    const HEADER: &'static [&'static str] = &["set", "index"];

    fn cells(&self, _: usize) -> Vec<String> {
        vec![self.set.clone().unwrap_or_default(), self.index.to_string()]
    }

    fn of(cells: &Cells<'_>, _: usize) -> Result<Self, ReadError> {
        let set = cells.text("set").ok().map(str::to_owned);
        Ok(Self { index: cells.value("index", "a whole number")?, set })
    }
}

impl Mask {
    /// The images of the file `set` (`train` or `test`) that a table names in its column `index`. Where it has a column
    /// `set`, rows of the other file are passed over; without one, all rows are of this file.
    ///
    /// # Errors
    /// When the table cannot be read, has no column `index`, or names an image beyond the file's `images`.
    pub fn read(path: &Path, set: &str, images: usize) -> Result<Self, ReadError> {
        let mut left_out = BTreeSet::new();
        for (row, named) in super::read::<Named>(path)?.into_iter().enumerate() {
            if named.set.is_some_and(|of| of != set) {
                continue;
            }
            if named.index >= images {
                let what = format!("index {}, and there are {images} {set} images", named.index);
                return Err(ReadError::Malformed { path: path.to_owned(), row: row as u64 + 2, what });
            }
            left_out.insert(named.index);
        }
        Ok(Self { path: path.to_owned(), left_out })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Mask, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mask.csv");
        crate::store::write(&path, text.as_bytes()).unwrap();
        Mask::read(&path, "test", 10).map_err(|e| e.to_string())
    }

    #[test]
    fn rows_of_the_other_file_are_passed_over() {
        let of = |text: &str| read(text).unwrap().left_out.into_iter().collect::<Vec<_>>();
        assert_eq!(of("rank,set,index\r\n1,train,700\r\n2,test,9\r\n3,test,0\r\n4,test,9\r\n"), [0, 9]);
        assert_eq!(of("index\n3\n4\n"), [3, 4]);
        assert!(of("set,index\n").is_empty());
    }

    #[test]
    fn what_is_no_mask_is_named() {
        assert!(read("index\n3\n10\n").unwrap_err().contains("index 10, and there are 10 test images"));
        assert!(read("image\n3\n").unwrap_err().contains("index"));
        assert!(read("index\nx\n").unwrap_err().contains("a whole number"));
    }
}
