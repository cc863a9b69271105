//! Checked configurations: only these run.
//!
//! [`RunArgs`] → [`RunConfig`] (every value in range) → [`Resolved`] (device chosen, data set known), which
//! is what `config.toml` holds and `run_id` hashes.

use std::path::PathBuf;

use fm_data::DatasetName;
use fm_models::{Arch, ArchSpec, SpecError};
use sha2::{Digest, Sha256};
use toml::{Table, Value};

use crate::args::{EngineChoice, Protocol, RunArgs, VerifyMode};
use crate::composition::{Composition, Given};
use crate::device::DeviceRequest;
use crate::error::{Error, Result};
use crate::store::Claim;

/// Counts changes to what the files of a run contain.
pub const RESULTS_FORMAT: u32 = 1;

/// A run as asked for, every value in range.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the flags' own words stand in args.rs")]
#[expect(clippy::struct_excessive_bools, reason = "flags are on or off")]
pub struct RunConfig {
    pub spec: ArchSpec,
    pub device: DeviceRequest,
    pub epochs: u32,
    pub batch_size: usize,
    pub lr: f64,
    pub seed: u64,
    pub protocol: Protocol,
    pub patience: Option<u32>,
    pub composition: Composition,
    /// Bytes.
    pub code_memory: u64,
    pub engine: EngineChoice,
    pub threads: Option<usize>,
    pub deterministic: bool,
    pub dataset: DatasetName,
    pub data_dir: Option<PathBuf>,
    pub verify: VerifyMode,
    pub out: PathBuf,
    pub score_at: Vec<u32>,
    pub record: bool,
    pub expect_run_id: Option<String>,
    pub stop_with_stdin: bool,
    pub name: String,
    pub claim: Claim,
    pub checkpoint_every: u32,
    pub fast_dev_run: bool,
    pub dry_run: bool,
}

impl RunConfig {
    /// Checks `args`, with the notebook's values where nothing is said.
    ///
    /// # Errors
    /// A usage error that names the flag and its range.
    pub fn check(args: RunArgs) -> Result<Self> {
        let args = args.with_file()?;
        let spec = parse_arch(args.arch.as_deref().unwrap_or("cnn"))?;
        let lr = args.lr.unwrap_or(1e-3);
        if !lr.is_finite() || lr <= 0.0 {
            return Err(Error::usage(format!("--lr must be finite and > 0, got {lr}")));
        }
        let batch_size = args.batch_size.unwrap_or(32);
        if batch_size == 0 {
            return Err(Error::usage("--batch-size must be at least 1, got 0"));
        }
        if args.checkpoint_every == Some(0) {
            return Err(Error::usage("--checkpoint-every must be at least 1, got 0"));
        }
        if args.threads.is_some_and(|n| n == 0 || n > 1024) {
            return Err(Error::usage("--threads must be from 1 to 1024"));
        }
        let protocol = args.protocol.unwrap_or(Protocol::Holdout);
        if args.patience == Some(0) {
            return Err(Error::usage("--patience must be at least 1, got 0"));
        }
        if args.patience.is_some() && protocol == Protocol::Notebook {
            return Err(Error::usage(
                "--patience needs validation images, which --protocol notebook has none of",
            )
            .help("use --protocol holdout"));
        }
        let epochs = if args.fast_dev_run { 1 } else { args.epochs.unwrap_or(50) };
        let seed = args.seed.unwrap_or(0);
        if i64::try_from(seed).is_err() {
            return Err(Error::usage(format!("--seed must be from 0 to {}, got {seed}", i64::MAX)));
        }
        let composition = Composition::check(&args, spec, epochs)?;
        let score_at = check_score_at(args.score_at.clone().unwrap_or_default(), epochs, &args)?;
        let named = args.name.is_some();
        let name = match args.name {
            Some(name) => check_name(name)?,
            None if args.fast_dev_run => "fast-dev-run".to_owned(),
            None => {
                let protocol = if protocol == Protocol::Notebook { "-notebook" } else { "" };
                let arm = composition.slug();
                format!("{spec}{arm}{protocol}-{epochs}ep-seed{seed}")
            }
        };
        Ok(Self {
            spec,
            device: args.device.as_deref().unwrap_or("auto").parse()?,
            epochs,
            batch_size,
            lr,
            seed,
            protocol,
            patience: args.patience,
            composition,
            code_memory: args.code_memory.unwrap_or(2048).saturating_mul(1 << 20),
            engine: args.engine.unwrap_or(EngineChoice::Auto),
            threads: args.threads,
            deterministic: args.deterministic,
            dataset: DatasetName::from(args.dataset.unwrap_or_else(|| PathBuf::from("fashion-mnist"))),
            data_dir: args.data_dir,
            verify: args.verify.unwrap_or(VerifyMode::Warn),
            out: args.out.unwrap_or_else(|| PathBuf::from("results")),
            score_at,
            record: !args.no_record,
            expect_run_id: args.expect_run_id,
            stop_with_stdin: args.stop_with_stdin,
            name,
            claim: match args.resume {
                true => Claim::Resume,
                // Nobody wants to keep a run of a few steps, but under a name there may be another.
                false if args.overwrite || (args.fast_dev_run && !named) => Claim::Overwrite,
                false => Claim::New,
            },
            checkpoint_every: args.checkpoint_every.unwrap_or(1),
            fast_dev_run: args.fast_dev_run,
            dry_run: args.dry_run,
        })
    }

    /// The run's directory.
    #[must_use]
    pub fn run_dir(&self) -> PathBuf {
        self.out.join(&self.name)
    }

    /// Adds what only a look at the machine and the data tells.
    #[must_use]
    pub fn resolve(
        &self,
        device: &str,
        engine: &str,
        data_sha256: &str,
        given: Option<&Given>,
        provenance: Table,
    ) -> Resolved {
        let mut keys = self.composition.keys();
        let mut set = |key: &str, value: Value| keys.insert(key.to_owned(), value);
        set("arch", self.spec.to_string().into());
        set("batch-size", Value::Integer(self.batch_size as i64));
        set("dataset", self.dataset.to_string().into());
        // On the CPU it decides nothing, so it makes no other run of it.
        if self.deterministic && device != "cpu" {
            set("deterministic", true.into());
        }
        set("device", device.into());
        set("engine", engine.into());
        set("epochs", self.epochs.into());
        if self.fast_dev_run {
            set("fast-dev-run", true.into());
        }
        set("lr", self.lr.into());
        if let Some(patience) = self.patience {
            set("patience", patience.into());
        }
        set("protocol", protocol_name(self.protocol).into());
        if !self.score_at.is_empty() {
            set("score-at", self.score_at.iter().map(|&n| i64::from(n)).collect::<Vec<_>>().into());
        }
        set("seed", Value::Integer(self.seed as i64));
        let data_dir = self.data_dir.as_ref().map(|dir| dir.to_string_lossy().into_owned());
        let pretrain_sha256 = given.map(|given| given.sha256.clone());
        Resolved { keys, data_dir, data_sha256: data_sha256.to_owned(), pretrain_sha256, provenance }
    }
}

/// `holdout` or `notebook`.
#[must_use]
pub fn protocol_name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Holdout => "holdout",
        Protocol::Notebook => "notebook",
    }
}

/// A configuration as it runs, and where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    /// Flags that decide the result, by name.
    keys: Table,
    /// Where the data were, if that was said: in the file, but no part of what the run is.
    data_dir: Option<String>,
    data_sha256: String,
    /// Of the file that the encoder comes from, where it comes from one: the file counts, not its path.
    pretrain_sha256: Option<String>,
    /// Command, versions, machine, time.
    provenance: Table,
}

impl Resolved {
    /// First 16 hexadecimal digits of the SHA-256 of the flags that decide the result, the seed, the
    /// data and the format of results. Where the data lies, names and threads are not in it, nor what else is
    /// scored on the way.
    #[must_use]
    pub fn run_id(&self) -> String {
        let mut keys = self.keys.clone();
        keys.remove("dataset");
        keys.remove("score-at");
        keys.insert("data-sha256".to_owned(), self.data_sha256.as_str().into());
        if let Some(sha256) = &self.pretrain_sha256 {
            keys.insert("pretrain".to_owned(), sha256.as_str().into());
        }
        keys.insert("results-format".to_owned(), RESULTS_FORMAT.into());
        // A Table is sorted by key, so this text is canonical.
        let digest = Sha256::digest(keys.to_string());
        digest.iter().take(8).fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
    }

    /// The same run, of another length.
    #[must_use]
    pub fn of_epochs(&self, epochs: u32) -> Self {
        let mut other = self.clone();
        other.keys.insert("epochs".to_owned(), epochs.into());
        other.keys.remove("score-at");
        other
    }

    /// The text of `config.toml`: flags on top, so that `--config` reads it back.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut provenance = self.provenance.clone();
        provenance.insert("data-sha256".to_owned(), self.data_sha256.as_str().into());
        if let Some(sha256) = &self.pretrain_sha256 {
            provenance.insert("pretrain-sha256".to_owned(), sha256.as_str().into());
        }
        provenance.insert("results-format".to_owned(), RESULTS_FORMAT.into());
        provenance.insert("run-id".to_owned(), self.run_id().into());
        let table = [("provenance".to_owned(), Value::Table(provenance))].into_iter().collect::<Table>();
        let mut keys = self.keys.clone();
        keys.extend(self.data_dir.iter().map(|dir| ("data-dir".to_owned(), dir.as_str().into())));
        format!("{keys}\n{table}")
    }

    /// What `--dry-run --json` prints.
    #[must_use]
    pub fn to_json(&self) -> String {
        let table: Table = self.to_toml().parse().unwrap_or_default();
        format!("{:#}\n", serde_json::to_value(table).unwrap_or_default())
    }

    /// What is different in another run's `config.toml`, a line a key; nothing if it is no such file.
    #[must_use]
    pub fn differences(&self, other: &str) -> Option<Vec<String>> {
        let flat = |text: &str| {
            let mut table: Table = text.parse().ok()?;
            table.remove("data-dir");
            let provenance = table.remove("provenance")?;
            for key in ["data-sha256", "results-format"] {
                table.insert(key.to_owned(), provenance.get(key)?.clone());
            }
            if let Some(sha256) = provenance.get("pretrain-sha256") {
                table.insert("pretrain".to_owned(), sha256.clone());
            }
            Some(table)
        };
        let (there, here) = (flat(other)?, flat(&self.to_toml())?);
        let keys: std::collections::BTreeSet<&String> = there.keys().chain(here.keys()).collect();
        let show = |value: Option<&Value>| value.map_or("unset".to_owned(), ToString::to_string);
        let lines = keys.into_iter().filter(|key| there.get(*key) != here.get(*key));
        Some(
            lines
                .map(|key| format!("{key}: there {}, here {}", show(there.get(key)), show(here.get(key))))
                .collect(),
        )
    }
}

/// Epochs after which to score, in rising order.
fn check_score_at(mut at: Vec<u32>, epochs: u32, args: &RunArgs) -> Result<Vec<u32>> {
    at.sort_unstable();
    at.dedup();
    if let Some(&wrong) = at.iter().find(|&&n| n == 0 || n >= epochs) {
        return Err(Error::usage(format!(
            "--score-at must be from 1 to below --epochs ({epochs}), got {wrong}"
        )));
    }
    let head_alone = args.unfreeze_at.unwrap_or(0);
    if let Some(wrong) = at.first().filter(|&&n| n <= head_alone) {
        let text = format!(
            "--score-at must be above --unfreeze-at ({head_alone}), as a run's epochs must, got {wrong}"
        );
        return Err(Error::usage(text));
    }
    if !at.is_empty() && args.patience.is_some() {
        return Err(Error::usage(
            "--score-at: with --patience a shorter run is not the beginning of a longer one",
        ));
    }
    Ok(at)
}

/// The time, as `2026-01-31T23:59:59Z`.
#[must_use]
pub fn now() -> String {
    humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string()
}

/// Parses `--arch`, with a suggestion for a misspelt name.
///
/// # Errors
/// A usage error.
pub fn parse_arch(text: &str) -> Result<ArchSpec> {
    text.parse().map_err(|error: SpecError| {
        let usage = Error::usage(error.to_string());
        let SpecError::Unknown(name) = error else { return usage };
        let close = |arch: &Arch| strsim::jaro_winkler(&name, arch.name());
        let best = Arch::ALL.into_iter().max_by(|a, b| close(a).total_cmp(&close(b)));
        match best.filter(|arch| close(arch) > 0.7) {
            Some(arch) => usage.help(format!("did you mean `{}`?", arch.name())),
            None => usage.help(format!("known are {}", Arch::ALL.map(Arch::name).join(", "))),
        }
    })
}

/// A name is one directory below `--out`, not a way out of it.
fn check_name(name: String) -> Result<String> {
    let plain = !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0']);
    if plain {
        Ok(name)
    } else {
        Err(Error::usage(format!("--name must be a plain directory name, got '{name}'")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(args: RunArgs) -> Resolved {
        RunConfig::check(args).unwrap().resolve("cpu", "eager", "abc", None, Table::new())
    }

    #[test]
    fn the_id_follows_what_decides_the_result_alone() {
        let base = resolved(RunArgs::default());
        let same =
            RunArgs { name: Some("x".into()), threads: Some(3), out: Some("y".into()), ..RunArgs::default() };
        assert_eq!(base.run_id(), resolved(same).run_id());
        assert_eq!(base.run_id().len(), 16);
        for changed in [
            RunArgs { lr: Some(3e-4), ..RunArgs::default() },
            RunArgs { seed: Some(1), ..RunArgs::default() },
            RunArgs { arch: Some("encoder-mlp".into()), ..RunArgs::default() },
            RunArgs { patience: Some(3), ..RunArgs::default() },
        ] {
            assert_ne!(base.run_id(), resolved(changed).run_id());
        }
    }

    #[test]
    fn deterministic_is_another_run_where_it_can_change_bits() {
        let id = |device, deterministic| {
            let args = RunArgs { deterministic, ..RunArgs::default() };
            RunConfig::check(args).unwrap().resolve(device, "eager", "abc", None, Table::new()).run_id()
        };
        assert_eq!(id("cpu", true), id("cpu", false));
        assert_ne!(id("cuda:0", true), id("cuda:0", false));
    }

    #[test]
    fn config_toml_reads_back_as_the_same_run() {
        let args = RunArgs { epochs: Some(7), lr: Some(3e-4), patience: Some(2), ..RunArgs::default() };
        let first = resolved(args);
        let read: RunArgs = toml::from_str(&first.to_toml()).unwrap();
        assert_eq!(resolved(read).run_id(), first.run_id());
        assert_eq!(first.differences(&first.to_toml()), Some(vec![]));
    }

    #[test]
    fn where_the_data_lie_is_recorded_and_no_difference() {
        let here = resolved(RunArgs { data_dir: Some("x y".into()), ..RunArgs::default() });
        let read: RunArgs = toml::from_str(&here.to_toml()).unwrap();
        assert_eq!(read.data_dir, Some("x y".into()));
        assert_eq!(resolved(RunArgs::default()).differences(&here.to_toml()), Some(vec![]));
        assert_eq!(resolved(RunArgs::default()).run_id(), here.run_id());
    }

    #[test]
    fn differences_are_told_key_by_key() {
        let old = resolved(RunArgs { lr: Some(3e-4), patience: Some(2), ..RunArgs::default() }).to_toml();
        let lines = resolved(RunArgs::default()).differences(&old).unwrap();
        assert_eq!(lines, ["lr: there 0.0003, here 0.001", "patience: there 2, here unset"]);
        assert_eq!(resolved(RunArgs::default()).differences("no = 'config'"), None);
    }

    #[test]
    fn usage_errors_name_the_flag() {
        let message = |args: RunArgs| RunConfig::check(args).unwrap_err().to_string();
        let with_lr = |lr| RunArgs { lr: Some(lr), ..RunArgs::default() };
        assert_eq!(message(with_lr(f64::NAN)), "--lr must be finite and > 0, got NaN");
        assert_eq!(message(with_lr(f64::INFINITY)), "--lr must be finite and > 0, got inf");
        assert_eq!(message(with_lr(-1.0)), "--lr must be finite and > 0, got -1");
        let arch = |arch: &str| RunArgs { arch: Some(arch.to_owned()), ..RunArgs::default() };
        assert_eq!(message(arch("cn")), "unknown arch 'cn'\n  help: did you mean `cnn`?");
        assert_eq!(message(arch("resnet")), "unknown arch 'resnet'\n  help: known are cnn, encoder-mlp");
        let name = RunArgs { name: Some("../x".into()), ..RunArgs::default() };
        assert_eq!(message(name), "--name must be a plain directory name, got '../x'");
    }
}
