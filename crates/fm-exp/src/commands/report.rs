//! `fm-exp report`: one HTML file about a directory of runs, and its plots.

use std::path::PathBuf;

use clap::Args;
use fm_run::{files, store};

use super::compare::{collect, failed};
use crate::error::Result;
use crate::inputs;

/// Flags of `report`.
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// Runs' directories, or directories that hold runs, such as a sweep's
    #[arg(value_name = "RUN|DIR", required = true)]
    places: Vec<PathBuf>,

    /// Directory for report.html and its plots [default: report, in the first place]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(crate) fn run(args: &ReportArgs) -> Result<String> {
    let found = collect(&args.places, None)?;
    let compared = fm_report::compare(&found.groups).map_err(failed)?;
    let config =
        found.groups.first().and_then(|group| group.runs.first()).map(|run| run.dir.join(files::CONFIG));
    let data = config.and_then(|config| data_of(&config));
    if data.is_none() {
        tracing::warn!("the data set is not at hand: the report has no example images");
    }
    let sha256 = found.groups.iter().flat_map(|g| &g.runs).next().map(|run| run.data_sha256.clone());
    let test = data.filter(|data| Some(&data.sha256) == sha256.as_ref()).map(|data| data.test);
    let image = |row: usize| {
        let test = test.as_ref().filter(|test| row < test.len())?;
        Some((test.image(row).to_vec(), (test.height, test.width)))
    };
    let images: fm_report::Images<'_> = &image;
    let report =
        fm_report::report(&found.groups, &compared, test.is_some().then_some(images)).map_err(failed)?;
    let out = args.out.clone().unwrap_or_else(|| args.places[0].join("report"));
    store::create_dir(&out)?;
    for (name, svg) in &report.pictures {
        store::write(&out.join(name), svg.as_bytes())?;
    }
    let path = out.join("report.html");
    store::write(&path, report.html.as_bytes())?;
    Ok(format!("{}\n", path.display()))
}

/// The data set that a run's configuration names, if it is on this machine; nothing is downloaded.
fn data_of(config: &std::path::Path) -> Option<fm_data::Dataset> {
    let run = fm_run::read_config(&std::fs::read_to_string(config).ok()?).ok()?;
    inputs::load_local(&run.spec).ok()
}
