//! From keys to a checked configuration: only these run.
//!
//! Flags > environment > `--config` file > defaults → [`RunSpec`], checked → [`RunConfig`].

use std::path::{Path, PathBuf};

use fm_net::family::Families;
use fm_run::RunSpec;
use fm_run::spec::nearest;
use fm_run::store::Claim;
use toml::Table;

use crate::args::{ProcessFlags, RunArgs};
use crate::error::{Error, Result};
use crate::{completion, families, recipes};

/// A run as asked for, every value in range, and what this process does with it.
#[derive(Debug, Clone, PartialEq)]
pub struct RunConfig {
    /// What the run is.
    pub spec: RunSpec,
    /// What is done with it.
    pub process: ProcessFlags,
}

impl RunConfig {
    /// Checks `args`, with the notebook's values for keys that are not given.
    ///
    /// # Errors
    /// A usage error that names the flag and its range; or the file cannot be read or is no configuration.
    pub fn check(args: RunArgs) -> Result<Self> {
        let (mut table, mut families) = (Table::new(), Families::new());
        if let Some(path) = &args.process.config {
            (table, families) = read_file(path)?;
        }
        warn_of_unknown_variables();
        table.extend(args.keys.read()?);
        table.extend(args.recipe.as_deref().map(|named| (recipes::KEY.to_owned(), named.into())));
        args.width.put_into(&mut table)?;
        recipes::resolve(&mut table)?;
        families::resolve(&mut table, &families, families::classes_of)?;
        Self::of(&table, args.process)
    }

    /// Checks the keys of a table.
    ///
    /// # Errors
    /// A usage error that names the key.
    pub fn of(table: &Table, process: ProcessFlags) -> Result<Self> {
        Ok(Self { spec: RunSpec::read(table)?.check()?, process })
    }

    /// The run's directory.
    #[must_use]
    pub fn run_dir(&self) -> PathBuf {
        self.spec.out.join(self.spec.directory())
    }

    /// What may be done with what is in the directory.
    #[must_use]
    pub fn claim(&self) -> Claim {
        let RunSpec { overwrite, fast_dev_run, ref name, .. } = self.spec;
        if self.process.resume {
            return Claim::Resume;
        }
        // An unnamed fast-dev run may be overwritten; a named directory may hold a real run.
        if overwrite || (fast_dev_run && name.is_none()) { Claim::Overwrite } else { Claim::New }
    }
}

/// Says which variables look like keys and are none.
fn warn_of_unknown_variables() {
    // Of this program, and of the scripts that start it.
    let others =
        ["FM_DATA_DIR", "FM_RECIPE", "FM_FAULT", "FM_EXP", "FM_BUILD_REVISION", completion::VARIABLE];
    for (name, _) in std::env::vars_os() {
        let Some(name) =
            name.to_str().filter(|name| name.starts_with("FM_") && !name.starts_with("FM_CRASH_"))
        else {
            continue;
        };
        let is_key = RunSpec::fields().iter().any(|field| field.variable == name);
        if !is_key && !others.contains(&name) {
            let key = name.trim_start_matches("FM_").to_lowercase().replace('_', "-");
            let hint = nearest(&key).map_or_else(
                || "fm-exp train --help lists those that are read".to_owned(),
                |field| format!("did you mean {}?", field.variable),
            );
            tracing::warn!("{name} is unknown and ignored; {hint}");
        }
    }
}

/// The keys of a configuration file.
fn read_file(path: &Path) -> Result<(Table, Families)> {
    let text = fm_run::store::read_text(path, fm_run::store::MAX_KEYS)?;
    let mut table: Table = text.parse().map_err(|e| bad_file(path, &e))?;
    // A directory in the environment comes first.
    if std::env::var_os("FM_DATA_DIR").is_some_and(|dir| !dir.is_empty()) {
        table.remove("data-dir");
    }
    let about = format!("{} is not a configuration", path.display());
    let families = families::taken(&mut table).map_err(|error| error.about(&about))?;
    // The network may be a family's name, and its width another key.
    let mut keys = table.clone();
    for key in families::CHOOSING.into_iter().chain([recipes::KEY]) {
        keys.remove(key);
    }
    RunSpec::read(&keys).map_err(|error| error.about(&about))?;
    Ok((table, families))
}

fn bad_file(path: &Path, error: &toml::de::Error) -> Error {
    let at = error.to_string();
    let lines: Vec<&str> = at.lines().filter(|line| !line.trim().is_empty()).collect();
    let reason = error.message().lines().next().unwrap_or_default();
    let bad = Error::usage(format!("{} is not a configuration: {reason}", path.display()));
    lines.first().map_or(bad.clone(), |place| bad.note(place.to_lowercase()))
}
