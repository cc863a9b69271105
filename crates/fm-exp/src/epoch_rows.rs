//! The rows of `epochs.csv` that a checkpoint counts on, whatever has become of the file.
//!
//! People open `epochs.csv` while a run pauses, and a spreadsheet saves it with other quotes, line ends or
//! order. So a run keeps a copy beside its checkpoints; a run that resumes writes both anew from the copy.

use std::path::{Path, PathBuf};

use fm_run::tables::{self, EpochRow, Record as _};
use fm_run::{files, store};
use fm_train::event::Outcome;

use crate::error::{Error, Kind, Result};

/// Where what was found is kept that somebody else has written.
const EDITED: &str = "epochs-edited.csv";

/// The copy of a run's `epochs.csv`.
pub(crate) fn copy(run: &Path) -> PathBuf {
    run.join(files::CHECKPOINTS).join(files::EPOCHS)
}

/// Rows as found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rows {
    /// The table.
    pub(crate) bytes: Vec<u8>,
    /// How many epochs have no row.
    pub(crate) missing: u32,
}

/// The table after so many epochs, when it had so many bytes.
pub(crate) fn found(run: &Path, epochs: u32, len: u64) -> Rows {
    let table = run.join(files::EPOCHS);
    let read =
        |path: &Path| if path.is_file() { std::fs::read(path).unwrap_or_default() } else { Vec::new() };
    let (copied, there) = (read(&copy(run)), read(&table));
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    // As it was written. Checkpoints of earlier versions have no copy beside them, and their tables fewer columns.
    let header = EpochRow::HEADER.join(",") + "\r\n";
    for bytes in [&copied, &there] {
        if let Some(bytes) =
            bytes.get(..len).filter(|bytes| bytes.ends_with(b"\r\n") && bytes.starts_with(header.as_bytes()))
            && rows(&table, bytes, epochs).is_some_and(|rows| rows.len() == epochs as usize)
        {
            return Rows { bytes: bytes.to_vec(), missing: 0 };
        }
    }
    // As somebody has saved it, in whatever order.
    let best = [copied, there].into_iter().filter_map(|bytes| rows(&table, &bytes, epochs));
    let rows = best.max_by_key(Vec::len).unwrap_or_default();
    let cells = rows.iter().enumerate().map(|(index, row)| row.cells(index));
    let bytes = store::csv_bytes(EpochRow::HEADER, cells).unwrap_or_default();
    Rows { bytes, missing: epochs.saturating_sub(u32::try_from(rows.len()).unwrap_or(u32::MAX)) }
}

/// The rows of the first epochs, in order, each once; none where the bytes are no such table.
fn rows(path: &Path, bytes: &[u8], epochs: u32) -> Option<Vec<EpochRow>> {
    let mut rows: Vec<EpochRow> = tables::parse(path, bytes).ok()?;
    rows.retain(|row| (1..=epochs).contains(&row.epoch));
    rows.sort_by_key(|row| row.epoch);
    rows.dedup_by_key(|row| row.epoch);
    Some(rows)
}

/// Puts `rows` into both files. What somebody else has made of `epochs.csv` is kept beside it.
///
/// # Errors
/// When a file cannot be written.
pub(crate) fn restore(run: &Path, rows: &[u8]) -> Result<()> {
    let table = run.join(files::EPOCHS);
    let known = std::fs::read(copy(run)).unwrap_or_default();
    match std::fs::read(&table) {
        Ok(there) if there.starts_with(rows) && there.len() > rows.len() => {
            tracing::info!("{} is cut back to the checkpoint's {} bytes", table.display(), rows.len());
        }
        Ok(there) if !known.starts_with(&there) && !rows.starts_with(&there) => {
            store::write(&run.join(EDITED), &there)?;
            tracing::warn!("{} was changed: it is written anew, what was there is {EDITED}", table.display());
        }
        _ => {}
    }
    store::create_dir(&run.join(files::CHECKPOINTS))?;
    store::write(&copy(run), rows)?;
    store::write(&table, rows)
}

/// The epoch with the lowest validation loss of a run that was scored; `kept` says that it is the one that was.
///
/// # Errors
/// When the rows cannot be read.
pub(crate) fn best(run: &Path, outcome: &Outcome, kept: bool) -> Result<Option<u32>> {
    if outcome.val.is_none() || outcome.epochs == 0 || kept {
        return Ok(outcome.val.filter(|_| kept && outcome.epochs > 0).map(|_| outcome.scored_epoch));
    }
    let rows = tables::read::<EpochRow>(&copy(run)).map_err(|e| Error::new(Kind::Io, e.to_string()))?;
    Ok(tables::best_epoch(&rows).map(|row| row.epoch))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: [&str; 2] = [
        "0123456789abcdef,cnn,3,train,1,0.500000,0.900000,,,0.0010,10,1.0000,,60.0,,,,",
        "0123456789abcdef,cnn,3,train,2,0.250000,0.950000,,,0.0010,10,1.0000,,60.0,,,,",
    ];

    fn table() -> String {
        [&[EpochRow::HEADER.join(",").as_str()], &ROWS[..]].concat().join("\r\n") + "\r\n"
    }

    /// A run with that text as `epochs.csv`, and no copy of it, as earlier versions left it.
    fn run(text: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        store::write(&dir.path().join(files::EPOCHS), text.as_bytes()).unwrap();
        dir
    }

    #[test]
    fn rows_come_back_from_what_a_spreadsheet_has_saved() {
        let (table, len) = (table(), table().len() as u64);
        let lines: Vec<&str> = table.lines().collect();
        let quoted = |line: &&str| line.split(',').map(|c| format!("\"{c}\"")).collect::<Vec<_>>().join(",");
        for text in [
            table.clone(),
            format!("{table}0123,torn"),
            table.replace("\r\n", "\n"),
            format!("\u{feff}{table}"),
            lines.iter().map(quoted).collect::<Vec<_>>().join("\r\n"),
            format!("{}\n{}\n{}\n", lines[0], lines[2], lines[1]),
        ] {
            let found = found(run(&text).path(), 2, len);
            assert_eq!(String::from_utf8(found.bytes).unwrap(), table, "{text}");
            assert_eq!(found.missing, 0);
        }
        for (text, missing) in [(table.replace(',', ";"), 2), (String::new(), 2), (lines[..2].join("\n"), 1)]
        {
            let found = found(run(&text).path(), 2, len);
            assert!(found.missing == missing && found.bytes.starts_with(b"run_id,"), "{text}");
        }
    }

    #[test]
    fn rows_of_an_earlier_version_get_the_columns_of_this_one() {
        let (header, rows) = (EpochRow::HEADER[..14].join(","), ROWS.map(|row| row.trim_end_matches(",,,,")));
        let earlier = format!("{header}\r\n{}\r\n{}\r\n", rows[0], rows[1]);
        let found = found(run(&earlier).path(), 2, earlier.len() as u64);
        assert_eq!((String::from_utf8(found.bytes).unwrap(), found.missing), (table(), 0));
    }

    #[test]
    fn the_copy_goes_before_and_edits_are_kept() {
        let dir = run("mine, all mine");
        let read = |path: PathBuf| std::fs::read_to_string(path).unwrap();
        store::create_dir(&dir.path().join(files::CHECKPOINTS)).unwrap();
        store::write(&copy(dir.path()), (table() + "torn").as_bytes()).unwrap();
        let found = found(dir.path(), 2, table().len() as u64);
        assert_eq!((found.missing, &found.bytes), (0, &table().into_bytes()));
        restore(dir.path(), &found.bytes).unwrap();
        assert_eq!((read(copy(dir.path())), read(dir.path().join(files::EPOCHS))), (table(), table()));
        assert_eq!(read(dir.path().join(EDITED)), "mine, all mine");
    }
}
