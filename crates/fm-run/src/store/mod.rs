//! Where results live: run directories, their locks, and the one writer of files.

mod atomic;
mod csv_file;
mod run_dir;
mod runs_csv;

pub use atomic::{Growing, create, create_dir, resume, write};
pub use csv_file::{csv_bytes, csv_row, write_json, write_table};
pub use run_dir::{Claim, RunDir};
pub use runs_csv::{Row, record};
