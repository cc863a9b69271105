//! What a run is, and what it leaves.
//!
//! - [`RunSpec`] states a run: every key that a user may give, each once, with its type, default, help and
//!   role. Flags, environment variables, `config.toml`, the run's id, the identity columns of tables, the
//!   groups of a comparison and the axes of a sweep all walk [`RunSpec::fields`].
//! - [`files`] names every file of a run; [`tables`] has a type for each table, which writes and reads it.
//! - [`store`] writes files so that a crash leaves the old or the new one, and claims run directories.
//! - [`error`] is the error type of everything that a run does, with its exit codes.
//!
//! The crate knows networks by their notation ([`fm_net`]); it knows no data, no tensor library and no
//! command line.

pub mod error;
pub mod fault;
pub mod files;
mod identity;
pub mod memory;
pub mod model_file;
pub mod spec;
pub mod store;
pub mod tables;
pub mod terminal;
pub mod trained;

pub use identity::{Facts, Identified, RESULTS_FORMAT, read_config, sha256};
pub use spec::{Field, Role, RunSpec};

/// The time in UTC, as `2026-01-31T23:59:59Z`.
#[must_use]
pub fn now() -> String {
    humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string()
}
