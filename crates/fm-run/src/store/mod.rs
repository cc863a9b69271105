//! Where results live: run directories, their locks, and the one writer of files.

mod atomic;
mod csv_file;
mod read;
mod run_dir;
mod runs_csv;
mod staged;

pub use atomic::{Growing, create, create_dir, resume, write};
pub(crate) use csv_file::unguarded;
pub use csv_file::{csv_bytes, csv_row, decimals, number, write_json, write_table};
pub(crate) use read::bytes;
pub use read::{MAX_KEYS, MAX_TABLE, read, read_text};
pub use run_dir::{Claim, RunDir, done};
pub use runs_csv::{Row, Runs, SCORED_EPOCH};
pub use staged::Staged;
