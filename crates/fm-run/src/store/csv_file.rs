//! Tables and JSON as every one of ours is written.

use std::path::Path;

use serde_json::Value;

use super::write;
use crate::error::{Error, Kind, Result};

/// Writes a CSV file by RFC 4180: comma, UTF-8, CRLF, a header.
///
/// # Errors
/// When it cannot be written.
pub fn write_table<'a>(
    path: &Path,
    header: &[&str],
    rows: impl IntoIterator<Item = impl IntoIterator<Item = impl AsRef<[u8]>> + 'a>,
) -> Result<()> {
    write(path, &csv_bytes(header, rows)?)
}

/// The bytes of [`write_table`].
///
/// # Errors
/// None that rows as long as the header can cause.
pub fn csv_bytes<'a>(
    header: &[&str],
    rows: impl IntoIterator<Item = impl IntoIterator<Item = impl AsRef<[u8]>> + 'a>,
) -> Result<Vec<u8>> {
    let mut writer = writer();
    writer.write_record(header).map_err(other)?;
    for row in rows {
        writer.write_record(row).map_err(other)?;
    }
    writer.into_inner().map_err(other)
}

/// The bytes of one row, without a header: for tables that grow.
///
/// # Errors
/// None that a row of cells can cause.
pub fn csv_row(cells: &[impl AsRef<[u8]>]) -> Result<Vec<u8>> {
    let mut writer = writer();
    writer.write_record(cells).map_err(other)?;
    writer.into_inner().map_err(other)
}

fn writer() -> csv::Writer<Vec<u8>> {
    csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new())
}

/// Writes JSON, indented, with a line end.
///
/// # Errors
/// When it cannot be written.
pub fn write_json(path: &Path, value: &Value) -> Result<()> {
    write(path, format!("{value:#}\n").as_bytes())
}

fn other(error: impl std::fmt::Display) -> Error {
    Error::new(Kind::Other, error.to_string())
}
