//! `runs.csv`: a row for every run under a results directory, or the merged table of a sweep there.
//!
//! People open it in spreadsheets, add columns, sort it and save it: what they add stays, in its place.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use toml::Value;

use super::atomic::{no_lock, not_through_links};
use super::{create_dir, csv_bytes, number, unguarded, write};
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
    let text = value.and_then(|value| spec::text(value).ok()).unwrap_or_default();
    if value.is_some_and(Value::is_float) { number(text) } else { text }
}

/// The column that only the merged table of a sweep has.
pub const SCORED_EPOCH: &str = "scored_epoch";

/// `runs.csv` in a directory of results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runs {
    out: PathBuf,
}

impl Runs {
    /// The table in `out`, which need not be there yet. Says before a run trains what would keep its row out.
    ///
    /// # Errors
    /// When it cannot be read, its lock cannot be had, or it is the merged table of a sweep
    /// ([`Kind::Mismatch`]).
    pub fn open(out: &Path) -> Result<Self> {
        create_dir(out)?;
        let runs = Self { out: out.to_owned() };
        let _held = runs.lock()?;
        runs.of_single_runs()?;
        Ok(runs)
    }

    /// Adds `row`, in place of an earlier row of the same name. What others wrote into that row stays, if it is
    /// about the same run.
    ///
    /// # Errors
    /// When the table cannot be read or written.
    pub fn record(&self, row: &Row) -> Result<()> {
        // Runs of one sweep end at the same time; each reads, changes and replaces the whole table.
        let _held = self.lock()?;
        let mut table = self.of_single_runs()?;
        let same = |cells: &Vec<String>, table: &Table, column: &str| {
            table.column(column).and_then(|i| cells.get(i)).is_some_and(|cell| cell == row.get(column))
        };
        let mut cells = Vec::new();
        for old in std::mem::take(&mut table.rows) {
            if !same(&old, &table, "name") {
                table.rows.push(old);
            } else if same(&old, &table, "run_id") {
                cells = old;
            }
        }
        for (column, cell) in &row.0 {
            let index = table.column(column).unwrap_or_else(|| {
                table.header.push(column.clone());
                table.header.len() - 1
            });
            cells.resize(cells.len().max(index + 1), String::new());
            cells[index].clone_from(cell);
        }
        table.rows.push(cells);
        table.write(&self.path())
    }

    /// Writes the merged table of a sweep, in place of an earlier one. Columns that somebody has added to that
    /// stay, beside the rows of the same name.
    ///
    /// # Errors
    /// When it cannot be written, or what is there is no merged table ([`Kind::Mismatch`]).
    pub fn merge(out: &Path, header: &[&str], rows: Vec<Vec<String>>) -> Result<()> {
        create_dir(out)?;
        let runs = Self { out: out.to_owned() };
        let _held = runs.lock()?;
        let old = Table::read(&runs.path())?;
        if !old.header.is_empty() && old.column(SCORED_EPOCH).is_none() {
            let text =
                format!("{} is the table of single runs, not one that was merged", runs.path().display());
            return Err(Error::new(Kind::Mismatch, text).help(
                "move it to another name, then merge again; or give the sweep a directory of its own",
            ));
        }
        let header: Vec<String> = header.iter().map(|&column| column.to_owned()).collect();
        let mut table = Table { header, rows };
        table.add_from(&old);
        table.write(&runs.path())
    }

    fn path(&self) -> PathBuf {
        self.out.join(files::RUNS)
    }

    /// Held until the file is dropped.
    fn lock(&self) -> Result<File> {
        let path = self.out.join(".runs.lock");
        let file = not_through_links().create(true).truncate(false).write(true).open(&path);
        file.and_then(|file| file.lock().map(|()| file)).map_err(|e| no_lock(&path, &e))
    }

    fn of_single_runs(&self) -> Result<Table> {
        let table = Table::read(&self.path())?;
        if table.column(SCORED_EPOCH).is_none() {
            return Ok(table);
        }
        let text = format!("{} is the merged table of a sweep", self.path().display());
        Err(Error::new(Kind::Mismatch, text)
            .help("choose another directory with --out, or leave the run's row out with --no-record"))
    }
}

/// A table as text, cells in their places.
#[derive(Debug, Default)]
struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Reads a table that has been through a spreadsheet, perhaps; an empty one where there is no file.
    fn read(path: &Path) -> Result<Self> {
        let bad = |what: String| {
            Error::new(Kind::Io, format!("cannot read {}: {what}", path.display()))
                .help("move it away; the runs' own directories hold everything that it says")
        };
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(e) => return Err(Error::io("read", path, &e)),
        };
        if bytes.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        let mut why = "it has no column `name`".to_owned();
        // Spreadsheets of countries with a decimal comma separate cells otherwise.
        for delimiter in *b",;\t" {
            let mut reader = csv::ReaderBuilder::new();
            reader.flexible(true).has_headers(false).delimiter(delimiter);
            let text = |record: csv::StringRecord| {
                record.iter().map(|cell| unguarded(cell).to_owned()).collect::<Vec<_>>()
            };
            let records: csv::Result<Vec<_>> =
                reader.from_reader(bytes.as_slice()).records().map(|record| record.map(text)).collect();
            match records {
                Ok(mut rows) if rows.first().is_some_and(|header| header.iter().any(|c| c == "name")) => {
                    let header = rows.remove(0);
                    return Ok(Self { header, rows });
                }
                Ok(_) => {}
                Err(error) => why = error.to_string(),
            }
        }
        Err(bad(why))
    }

    /// Where a column is; of several with one name the first.
    fn column(&self, name: &str) -> Option<usize> {
        self.header.iter().position(|column| column == name)
    }

    /// Takes over what another table has beyond this one's columns, for rows of the same name. A recall belongs
    /// to classes that are gone.
    fn add_from(&mut self, old: &Self) {
        let added = |column: &&String| self.column(column).is_none() && !column.starts_with("recall ");
        let added: Vec<String> = old.header.iter().filter(added).cloned().collect();
        let Some((name, there)) = self.column("name").zip(old.column("name")) else { return };
        for column in added {
            let index = old.column(&column);
            self.header.push(column);
            for row in &mut self.rows {
                let old = old.rows.iter().find(|old| old.get(there) == row.get(name));
                row.push(old.zip(index).and_then(|(old, i)| old.get(i)).cloned().unwrap_or_default());
            }
        }
    }

    fn write(mut self, path: &Path) -> Result<()> {
        // Cells behind the last column have none of their own.
        let width = self.rows.iter().map(Vec::len).max().unwrap_or(0).max(self.header.len());
        for row in self.rows.iter_mut().chain([&mut self.header]) {
            row.resize(width, String::new());
        }
        let names: Vec<&str> = self.header.iter().map(String::as_str).collect();
        write(path, &csv_bytes(&names, &self.rows)?)
    }
}

#[cfg(test)]
#[path = "runs_csv_tests.rs"]
mod tests;
