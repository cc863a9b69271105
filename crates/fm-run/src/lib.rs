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
//!
//! ```
//! use fm_run::{Facts, Identified, RunSpec};
//!
//! let spec = RunSpec::read(&"arch = 'cnn'\nepochs = 5\nlr = 3e-4".parse()?)?.check()?;
//! let facts = Facts { device: "cpu".into(), engine: "fused".into(), ..Facts::default() };
//! let run = Identified { spec, facts, provenance: toml::Table::new() };
//! assert_eq!(run.run_id().len(), 16);
//! assert!(run.to_toml().contains("lr = 0.0003"));
//!
//! let typo = RunSpec::read(&"epoch = 5".parse()?).unwrap_err();
//! assert!(typo.to_string().contains("epochs"), "{typo}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

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

use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use identity::{Facts, Identified, RESULTS_FORMAT, is_run_id, read_config, sha256};
pub use spec::{Field, Role, RunSpec};

/// The time in UTC, as `2026-01-31T23:59:59Z`. A clock that is set before 1970 or after 9999 gives the nearest
/// second that can be written.
#[must_use]
pub fn now() -> String {
    at(SystemTime::now())
}

fn at(time: SystemTime) -> String {
    let last = UNIX_EPOCH + Duration::from_secs(253_402_300_799);
    humantime::format_rfc3339_seconds(time.clamp(UNIX_EPOCH, last)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_clock_can_be_written() {
        let year = Duration::from_hours(365 * 24);
        assert_eq!(at(UNIX_EPOCH - year), "1970-01-01T00:00:00Z");
        assert_eq!(at(UNIX_EPOCH + 9000 * year), "9999-12-31T23:59:59Z");
        assert_eq!(at(UNIX_EPOCH + year), "1971-01-01T00:00:00Z");
    }
}
