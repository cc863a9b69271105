//! Where results live: run directories, their locks, and the one writer of files.

mod atomic;
pub mod checkpoints;
mod run_dir;
mod runs_csv;

pub use atomic::{Growing, create, create_dir, resume, write};
pub use run_dir::{Claim, FILES, RunDir};
pub use runs_csv::{RunRow, record};
