//! `runs.csv`: a row for every run under a results directory.

use std::fs::{self, OpenOptions};
use std::path::Path;

use toml::Value;

use super::atomic::{no_lock, sweep};
use super::{csv_bytes, unguarded, write};
use crate::error::{Error, Kind, Result};
use crate::{Identified, files, spec};

/// A row by column: what a run is and how it did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Row(Vec<(String, String)>);

impl Row {
    /// The row of a run, with its name and what it is.
    #[must_use]
    pub fn of(name: &str, run: &Identified) -> Self {
        let mut row = Self::default();
        row.set("name", name);
        row.set("run_id", run.run_id());
        row.set("arm", run.spec.arm());
        for (column, value) in run.columns() {
            row.set(column, cell(value.as_ref()));
        }
        row
    }

    /// Adds a cell, or replaces the column's.
    pub fn set(&mut self, column: &str, cell: impl Into<String>) {
        let cell = cell.into();
        match self.0.iter_mut().find(|(name, _)| name == column) {
            Some(found) => found.1 = cell,
            None => self.0.push((column.to_owned(), cell)),
        }
    }

    /// A cell; empty where there is no such column.
    #[must_use]
    pub fn get(&self, column: &str) -> &str {
        self.0.iter().find(|(name, _)| name == column).map_or("", |(_, cell)| cell)
    }

    /// The columns, in order.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }
}

/// A value as a cell: text as it is, nothing where there is none.
fn cell(value: Option<&Value>) -> String {
    value.and_then(|value| spec::text(value).ok()).unwrap_or_default()
}

/// Adds `row` to `out/runs.csv`, in place of an earlier row of the same name.
///
/// Columns that the table has and the row has not stay, empty in this row; columns that are new to the table
/// come last.
///
/// # Errors
/// When the file cannot be read or written.
pub fn record(out: &Path, row: &Row) -> Result<()> {
    // Runs of one sweep end at the same time; each reads, changes and replaces the whole table.
    let lock = out.join(".runs.lock");
    let held = OpenOptions::new().create(true).truncate(false).write(true).open(&lock);
    let held = held.and_then(|file| file.lock().map(|()| file)).map_err(|e| no_lock(&lock, &e))?;

    sweep(out);
    let path = out.join(files::RUNS);
    let (mut header, mut rows) = read(&path)?;
    for column in row.columns() {
        if !header.iter().any(|name| name == column) {
            header.push(column.to_owned());
        }
    }
    rows.retain(|old| old.get("name") != row.get("name"));
    rows.push(row.clone());
    let cells = rows.iter().map(|row| header.iter().map(|column| row.get(column).to_owned()).collect());
    let names: Vec<&str> = header.iter().map(String::as_str).collect();
    write(&path, &csv_bytes(&names, cells.collect::<Vec<Vec<String>>>())?)?;
    drop(held);
    Ok(())
}

/// The table's columns and rows; none where there is no table.
fn read(path: &Path) -> Result<(Vec<String>, Vec<Row>)> {
    let bad = |what: String| {
        Error::new(Kind::Io, format!("cannot read {}: {what}", path.display()))
            .help("move it away; the runs' own directories hold everything that it says")
    };
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok((Vec::new(), Vec::new())),
        Err(e) => return Err(Error::io("read", path, &e)),
    };
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(bytes.as_slice());
    let header: Vec<String> =
        reader.headers().map_err(|e| bad(e.to_string()))?.iter().map(str::to_owned).collect();
    if !header.iter().any(|column| column == "name") {
        return Err(bad("it has no column `name`".to_owned()));
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| bad(e.to_string()))?;
        let cells = header.iter().cloned().zip(record.iter().map(|cell| unguarded(cell).to_owned()));
        rows.push(Row(cells.collect()));
    }
    Ok((header, rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, test_acc: &str) -> Row {
        let mut row = Row::default();
        row.set("name", name);
        row.set("dataset", "a, \"quoted\" place");
        row.set("test_acc", test_acc);
        row
    }

    #[test]
    fn a_row_per_name_the_newest_last_and_added_columns_stay() {
        let dir = tempfile::tempdir().unwrap();
        for (name, acc) in [("a", "0.1"), ("b", "0.2"), ("a", "0.3")] {
            record(dir.path(), &row(name, acc)).unwrap();
        }
        let path = dir.path().join(files::RUNS);
        let (header, rows) = read(&path).unwrap();
        assert_eq!(header, ["name", "dataset", "test_acc"]);
        assert_eq!(rows, [row("b", "0.2"), row("a", "0.3")]);

        let edited = "my note;,name\r\nx,b\r\n";
        write(&path, edited.as_bytes()).unwrap();
        record(dir.path(), &row("c", "0.4")).unwrap();
        let (header, rows) = read(&path).unwrap();
        assert_eq!(header, ["my note;", "name", "dataset", "test_acc"]);
        assert_eq!((rows[0].get("my note;"), rows[1].get("test_acc")), ("x", "0.4"));
    }
}
