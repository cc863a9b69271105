//! A confusion matrix, `confusion.csv` and `confusion_normalized.csv`.

use std::path::Path;

use thiserror::Error;

use super::cells::{parse, table};
use super::class::share;
use super::{ClassRow, ClassScores, ReadError, class_scores};
use crate::{files, store};

/// The first cell of `confusion.csv`: which way round the matrix is.
pub const CORNER: &str = "true \\ predicted";

/// How often images of each true class were given each predicted one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confusion {
    classes: Vec<String>,
    /// `[true][predicted]`, square.
    counts: Vec<Vec<u64>>,
}

/// A matrix that is not square.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{classes} classes need {classes} rows of {classes} counts")]
pub struct NotSquare {
    /// How many class names there are.
    pub classes: usize,
}

impl From<NotSquare> for crate::error::Error {
    fn from(error: NotSquare) -> Self {
        Self::new(crate::error::Kind::Other, error.to_string())
    }
}

impl Confusion {
    /// `counts[true][predicted]`, in the order of the names.
    ///
    /// # Errors
    /// When rows, columns and names are not equally many.
    pub fn new(classes: Vec<String>, counts: Vec<Vec<u64>>) -> Result<Self, NotSquare> {
        let n = classes.len();
        let square = counts.len() == n && counts.iter().all(|row| row.len() == n);
        if square { Ok(Self { classes, counts }) } else { Err(NotSquare { classes: n }) }
    }

    /// Names of the classes.
    #[must_use]
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Counts by true class.
    #[must_use]
    pub fn rows(&self) -> &[Vec<u64>] {
        &self.counts
    }

    /// How many images there are.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().flatten().sum()
    }

    /// How many images were classified correctly.
    #[must_use]
    pub fn correct(&self) -> u64 {
        self.counts.iter().enumerate().map(|(class, row)| row[class]).sum()
    }

    /// The share classified correctly; none if there are no images.
    #[must_use]
    pub fn accuracy(&self) -> Option<f64> {
        share(self.correct(), self.total())
    }

    /// Precision, recall and F1 of each class.
    #[must_use]
    pub fn per_class(&self) -> Vec<ClassScores> {
        class_scores(&self.counts)
    }

    /// Each row's counts as shares of the row; none for a class without images.
    #[must_use]
    pub fn shares(&self) -> Vec<Vec<Option<f64>>> {
        let of_row = |row: &Vec<u64>| {
            let support = row.iter().sum();
            row.iter().map(|&count| share(count, support)).collect()
        };
        self.counts.iter().map(of_row).collect()
    }

    /// Writes `confusion.csv`, `confusion_normalized.csv` and `per_class.csv` into `dir`.
    ///
    /// # Errors
    /// When one cannot be written.
    pub fn write(&self, dir: &Path) -> crate::error::Result<()> {
        let matrix = |file: &str, rows: Vec<Vec<String>>| {
            let header: Vec<&str> =
                [CORNER].into_iter().chain(self.classes.iter().map(String::as_str)).collect();
            let named = self.classes.iter().zip(rows);
            store::write_table(
                &dir.join(file),
                &header,
                named.map(|(name, row)| [vec![name.clone()], row].concat()),
            )
        };
        let counts = self.counts.iter().map(|row| row.iter().map(ToString::to_string).collect());
        matrix(files::CONFUSION, counts.collect())?;
        let shares =
            self.shares().into_iter().map(|row| row.into_iter().map(|s| store::decimals(s, 4)).collect());
        matrix(files::CONFUSION_NORMALIZED, shares.collect())?;
        let classes = self.classes.iter().cloned().zip(self.per_class());
        let rows: Vec<ClassRow> = classes.map(|(class, scores)| ClassRow { class, scores }).collect();
        super::write(&dir.join(files::PER_CLASS), &rows)
    }

    /// Reads `confusion.csv`.
    ///
    /// # Errors
    /// When the file cannot be read, the first cell is not [`CORNER`], a cell is not a count, or rows and
    /// columns do not name the same classes in the same order.
    pub fn read(path: &Path) -> Result<Self, ReadError> {
        let (header, records) = table(path, &ReadError::bytes(path)?)?;
        let malformed = |row: u64, what: String| ReadError::Malformed { path: path.to_owned(), row, what };
        let corner = header.get(0).unwrap_or_default();
        if corner != CORNER {
            return Err(malformed(1, format!("first cell is {corner:?}, expected {CORNER:?}")));
        }
        let classes: Vec<String> = header.iter().skip(1).map(str::to_owned).collect();
        if records.len() != classes.len() {
            return Err(malformed(1, format!("{} classes but {} rows", classes.len(), records.len())));
        }
        let mut counts = Vec::with_capacity(classes.len());
        for (index, record) in records.iter().enumerate() {
            let row = index as u64 + 2;
            let (name, expected) = (record.get(0).unwrap_or_default(), &classes[index]);
            if name != expected {
                return Err(malformed(row, format!("class is {name:?}, expected {expected:?} as in row 1")));
            }
            let parse = |(column, found): (&String, &str)| parse(path, row, column, found, "a count");
            counts.push(classes.iter().zip(record.iter().skip(1)).map(parse).collect::<Result<_, _>>()?);
        }
        Self::new(classes, counts).map_err(|error| malformed(1, error.to_string()))
    }
}
