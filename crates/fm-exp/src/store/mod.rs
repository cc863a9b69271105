//! Where results live: run directories, their locks, and the one writer of files.

mod atomic;
mod run_dir;
mod runs_csv;

pub use atomic::{create, write};
pub use run_dir::{FILES, RunDir};
pub use runs_csv::{RunRow, record};
