//! `runs.csv`: a row for every run under a results directory.

use std::fs::{self, OpenOptions};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::atomic::sweep;
use super::write;
use crate::error::{Error, Kind, Result};

/// One run. Field names are the column names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "results/README.md documents the columns")]
pub struct RunRow {
    pub name: String,
    pub run_id: String,
    pub arch: String,
    // Rows of before there were arms are of the only one there was.
    #[serde(default = "joint")]
    pub arm: String,
    pub dataset: String,
    pub protocol: String,
    pub seed: u64,
    pub epochs: u32,
    pub batch_size: usize,
    pub lr: f64,
    pub device: String,
    pub engine: String,
    pub test_loss: f64,
    pub test_acc: f64,
    pub macro_f1: f64,
    pub weakest_class: String,
    pub weakest_recall: Option<f64>,
    pub train_seconds: f64,
    pub finished: String,
}

fn joint() -> String {
    "joint".to_owned()
}

/// Adds `row` to `out/runs.csv`, in place of an earlier row of the same name.
///
/// # Errors
/// When the file cannot be read or written.
pub fn record(out: &Path, row: &RunRow) -> Result<()> {
    // Runs of one sweep end at the same time; each reads, changes and replaces the whole table.
    let lock = out.join(".runs.lock");
    let held = OpenOptions::new().create(true).truncate(false).write(true).open(&lock);
    let held = held.and_then(|file| file.lock().map(|()| file)).map_err(|e| Error::io("lock", &lock, &e))?;

    sweep(out);
    let path = out.join("runs.csv");
    let bad = |e: csv::Error| {
        Error::new(Kind::Io, format!("cannot read {}: {e}", path.display()))
            .help("move it away; the runs' own directories hold everything that it says")
    };
    let mut rows: Vec<RunRow> = Vec::new();
    match fs::read(&path) {
        Ok(bytes) => {
            for old in csv::Reader::from_reader(bytes.as_slice()).deserialize() {
                let old: RunRow = old.map_err(bad)?;
                if old.name != row.name {
                    rows.push(old);
                }
            }
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => return Err(Error::io("read", &path, &e)),
    }
    rows.push(row.clone());
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    for row in &rows {
        writer.serialize(row).map_err(bad)?;
    }
    let bytes = writer.into_inner().map_err(|e| Error::new(Kind::Other, e.to_string()))?;
    write(&path, &bytes)?;
    drop(held);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, test_acc: f64) -> RunRow {
        RunRow {
            name: name.to_owned(),
            run_id: "0123456789abcdef".to_owned(),
            arch: "cnn".to_owned(),
            arm: "joint".to_owned(),
            dataset: "a, \"quoted\" place".to_owned(),
            protocol: "holdout".to_owned(),
            seed: 1,
            epochs: 2,
            batch_size: 32,
            lr: 0.001,
            device: "cpu".to_owned(),
            engine: "eager".to_owned(),
            test_loss: 0.5,
            test_acc,
            macro_f1: 0.25,
            weakest_class: "Shirt".to_owned(),
            weakest_recall: None,
            train_seconds: 1.5,
            finished: "2026-01-01T00:00:00Z".to_owned(),
        }
    }

    #[test]
    fn a_row_per_name_the_newest_last() {
        let dir = tempfile::tempdir().unwrap();
        for (name, acc) in [("a", 0.1), ("b", 0.2), ("a", 0.3)] {
            record(dir.path(), &row(name, acc)).unwrap();
        }
        let mut reader = csv::Reader::from_path(dir.path().join("runs.csv")).unwrap();
        let rows: Vec<RunRow> = reader.deserialize().map(Result::unwrap).collect();
        assert_eq!(rows, [row("b", 0.2), row("a", 0.3)]);
    }
}
