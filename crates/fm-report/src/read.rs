//! Reads a run's tables: path → rows of text → checked values.
//!
//! Columns are found by their name, so a table that a spreadsheet has saved again, with columns moved or
//! added, still reads. What the columns mean is in `results/README.md`.

use std::fs::File;
use std::path::Path;
use std::str::FromStr;

use csv::StringRecord;

use crate::confusion::Confusion;
use crate::error::{Error, Result};

/// The first cell of `confusion.csv`: which way round the matrix is.
pub const CORNER: &str = "true \\ predicted";

/// A row of `epochs.csv`.
#[derive(Debug, Clone, PartialEq)]
pub struct EpochRow {
    /// 16 hexadecimal digits that identify the run.
    pub run_id: String,
    /// The architecture's name.
    pub arch: String,
    /// The run's seed.
    pub seed: u64,
    /// The phase of the plan.
    pub phase: String,
    /// From 1, counted over all phases.
    pub epoch: u32,
    /// Mean loss over the epoch's training images.
    pub train_loss: f64,
    /// Share of the epoch's training images classified correctly; none when the phase classifies nothing.
    pub train_acc: Option<f64>,
    /// Mean loss over the validation images after the epoch.
    pub val_loss: Option<f64>,
    /// Share of the validation images classified correctly.
    pub val_acc: Option<f64>,
    /// Learning rate.
    pub lr: f64,
    /// How many parameters train.
    pub trainable_params: u64,
    /// Training alone, in seconds.
    pub train_seconds: f64,
    /// Validation, in seconds.
    pub eval_seconds: Option<f64>,
    /// Training images by `train_seconds`.
    pub images_per_second: Option<f64>,
}

/// Reads `epochs.csv`; no rows is no error.
///
/// # Errors
/// When the file cannot be read, a column is missing or a cell does not hold what it should.
pub fn read_epochs(path: &Path) -> Result<Vec<EpochRow>> {
    let (header, records) = read_table(path)?;
    let parse = |(index, record): (usize, &StringRecord)| {
        let cells = Cells { path, header: &header, record, row: index as u64 + 2 };
        Ok(EpochRow {
            run_id: cells.text("run_id")?.to_owned(),
            arch: cells.text("arch")?.to_owned(),
            seed: cells.value("seed", "a whole number")?,
            phase: cells.text("phase")?.to_owned(),
            epoch: cells.value("epoch", "a whole number")?,
            train_loss: cells.value("train_loss", "a number")?,
            train_acc: cells.optional("train_acc")?,
            val_loss: cells.optional("val_loss")?,
            val_acc: cells.optional("val_acc")?,
            lr: cells.value("lr", "a number")?,
            trainable_params: cells.value("trainable_params", "a whole number")?,
            train_seconds: cells.value("train_seconds", "a number")?,
            eval_seconds: cells.optional("eval_seconds")?,
            images_per_second: cells.optional("images_per_second")?,
        })
    };
    records.iter().enumerate().map(parse).collect()
}

/// Reads `confusion.csv`.
///
/// # Errors
/// When the file cannot be read, the first cell is not [`CORNER`], a cell is not a count, or rows and
/// columns do not name the same classes in the same order.
pub fn read_confusion(path: &Path) -> Result<Confusion> {
    let (header, records) = read_table(path)?;
    let malformed = |row: u64, what: String| Error::Malformed { path: path.to_owned(), row, what };
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
        let name = record.get(0).unwrap_or_default();
        if name != classes[index] {
            return Err(malformed(
                row,
                format!("class is {name:?}, expected {:?} as in row 1", classes[index]),
            ));
        }
        let parse = |(column, found): (&String, &str)| parse(path, row, column, found, "a count");
        counts.push(classes.iter().zip(record.iter().skip(1)).map(parse).collect::<Result<_>>()?);
    }
    Confusion::new(classes, counts).map_err(|error| malformed(1, error.to_string()))
}

/// A row of `predictions.csv`, as far as a comparison needs it: class numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prediction {
    /// The true class.
    pub label: u32,
    /// The predicted class.
    pub predicted: u32,
}

/// Reads `predictions.csv`, in the order of the test file.
///
/// # Errors
/// When the file cannot be read, a column is missing, a cell does not hold a class number or `index` does not
/// count the rows from 0.
pub fn read_predictions(path: &Path) -> Result<Vec<Prediction>> {
    let (header, records) = read_table(path)?;
    let parse = |(index, record): (usize, &StringRecord)| {
        let cells = Cells { path, header: &header, record, row: index as u64 + 2 };
        if cells.value::<usize>("index", "a whole number")? != index {
            // A sorted or cut table: items of two runs would no longer be the same.
            let what = format!("index is {}, expected {index}", cells.text("index")?);
            return Err(Error::Malformed { path: path.to_owned(), row: cells.row, what });
        }
        let class = |column| cells.value(column, "a class number");
        Ok(Prediction { label: class("true")?, predicted: class("predicted")? })
    };
    records.iter().enumerate().map(parse).collect()
}

/// Header and records; every record has the header's length.
fn read_table(path: &Path) -> Result<(StringRecord, Vec<StringRecord>)> {
    let file = File::open(path).map_err(|source| Error::Unreadable { path: path.to_owned(), source })?;
    let mut reader = csv::Reader::from_reader(file);
    let header = reader.headers().cloned();
    let records = header.and_then(|header| Ok((header, reader.records().collect::<csv::Result<_>>()?)));
    records.map_err(|error| csv_error(path, error))
}

fn csv_error(path: &Path, error: csv::Error) -> Error {
    let path = path.to_owned();
    // The position is a record's: the header is record 0.
    let row = error.position().map_or(1, |position| position.record() + 1);
    match error.into_kind() {
        csv::ErrorKind::Io(source) => Error::Unreadable { path, source },
        csv::ErrorKind::Utf8 { .. } => Error::Malformed { path, row, what: "not UTF-8".to_owned() },
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            Error::Malformed { path, row, what: format!("{len} cells, expected {expected_len}") }
        }
        other => Error::Malformed { path, row, what: format!("{other:?}") },
    }
}

fn parse<T: FromStr>(path: &Path, row: u64, column: &str, found: &str, expected: &'static str) -> Result<T> {
    found.parse().map_err(|_| Error::Value {
        path: path.to_owned(),
        row,
        column: column.to_owned(),
        found: found.to_owned(),
        expected,
    })
}

/// A record whose cells are asked for by column.
struct Cells<'a> {
    path: &'a Path,
    header: &'a StringRecord,
    record: &'a StringRecord,
    row: u64,
}

impl<'a> Cells<'a> {
    fn text(&self, column: &'static str) -> Result<&'a str> {
        let index = self.header.iter().position(|name| name == column);
        index
            .and_then(|index| self.record.get(index))
            .ok_or_else(|| Error::MissingColumn { path: self.path.to_owned(), column })
    }

    fn value<T: FromStr>(&self, column: &'static str, expected: &'static str) -> Result<T> {
        parse(self.path, self.row, column, self.text(column)?, expected)
    }

    /// None where the cell is empty.
    fn optional(&self, column: &'static str) -> Result<Option<f64>> {
        if self.text(column)?.is_empty() { Ok(None) } else { self.value(column, "a number").map(Some) }
    }
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
