//! `fm-exp pack`: what `compare` and `report` read of all runs in a directory, as one small file.

use std::path::{Path, PathBuf};

use clap::Args;
use fm_run::{files, store};
use serde_json::json;

use super::compare::{failed, left_out};
use crate::error::{Error, Kind, Result};

/// Flags of `pack`.
#[derive(Debug, Args)]
pub(crate) struct PackArgs {
    /// Directory that holds runs; the file goes there too
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

pub(crate) fn run(args: &PackArgs, as_json: bool) -> Result<String> {
    let packed = pack(&args.dir)?;
    let path = args.dir.join(files::PACKED).display().to_string();
    if as_json {
        return Ok(format!("{:#}\n", json!({ "runs": packed, "packed": path })));
    }
    Ok(format!("{packed} runs in {path}\n"))
}

/// Packs the finished runs of a directory, those of its packed file too; says how many.
///
/// # Errors
/// When there are none, or they were not scored on one test set.
pub(crate) fn pack(dir: &Path) -> Result<usize> {
    let (done, unfinished) = fm_report::finished(dir).map_err(failed)?;
    left_out(&unfinished);
    if done.is_empty() || dir.join(files::CONFIG).exists() {
        let text = format!("no finished run in {}", dir.display());
        return Err(Error::new(Kind::Mismatch, text).help("give a directory that holds runs"));
    }
    store::write(&dir.join(files::PACKED), &fm_report::pack(&done).map_err(failed)?)?;
    Ok(done.len())
}
