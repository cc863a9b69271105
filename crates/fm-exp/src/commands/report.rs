//! `fm-exp report`: one HTML file about a directory of runs, and its plots.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use fm_report::{RunGroup, Sheet};
use fm_run::store::{self, Row};

use super::compare::{QuestionArgs, WantedArgs, failed, find, write_workbook};
use crate::error::{Error, Kind, Result};
use crate::{inputs, playable};

/// Flags of `report`.
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// Runs' directories, or directories that hold runs, such as a sweep's
    #[arg(value_name = "RUN|DIR", required = true)]
    places: Vec<PathBuf>,

    #[command(flatten)]
    wanted: WantedArgs,

    #[command(flatten)]
    question: QuestionArgs,

    /// Directory for report.html and its plots [default: report/ in the first directory given]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Also write the numbers as an Excel workbook: report.xlsx, with sheets of runs and of the comparison
    #[arg(long)]
    xlsx: bool,

    /// Also write playable.html: a page in which to draw or drop a picture and see what the runs' networks say
    #[arg(long, help_heading = "Playable page")]
    playable: bool,

    /// Networks in it: the first seed of each group, then the second, and so on
    #[arg(long, value_name = "N", default_value_t = 3, requires = "playable", help_heading = "Playable page",
          value_parser = clap::value_parser!(u16).range(1..))]
    networks: u16,

    /// Its size at most, in kilobytes; weights are rounded to as many bits as fit
    #[arg(
        long,
        value_name = "KB",
        default_value_t = 400,
        requires = "playable",
        help_heading = "Playable page"
    )]
    playable_kb: u32,
}

pub(crate) fn run(args: &ReportArgs) -> Result<String> {
    let found = find(&args.places, &args.wanted.of())?;
    let compared = fm_report::compare(&found.groups, &args.question.of()).map_err(failed)?;
    let first = found.groups.first().and_then(|group| group.runs.first());
    // If it is on this machine; nothing is downloaded.
    let data = first.and_then(|run| inputs::load_local(&run.run.spec).ok());
    if data.is_none() {
        tracing::warn!("the data set is not at hand: the report has no example images");
    }
    let scored = |data: &fm_data::Dataset| first.is_some_and(|run| run.data_sha256() == data.sha256);
    let data = data.filter(scored);
    let playable = args.playable.then(|| play(args, &found.groups, data.as_ref())).transpose()?;
    let test = data.map(|data| data.test);
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
    if args.xlsx {
        let (header, rows) = compared.to_rows();
        let sheets = [runs(&found.groups), Sheet::new("compare", &header, rows)];
        write_workbook(&out.join("report.xlsx"), &sheets)?;
    }
    let mut said = format!("{}\n", path.display());
    if let Some(html) = playable {
        let path = out.join("playable.html");
        store::write(&path, html.as_bytes())?;
        let _ = writeln!(said, "{}: {} kB", path.display(), html.len().div_ceil(1000));
    }
    Ok(said)
}

/// The page to play with, which shows training images.
fn play(args: &ReportArgs, groups: &[RunGroup], data: Option<&fm_data::Dataset>) -> Result<String> {
    let data = data.ok_or_else(|| {
        Error::new(Kind::Data, "--playable shows training images, and the runs' data set is not at hand")
            .help("run it where the data set is")
    })?;
    playable::page(groups, data, usize::from(args.networks), 1000 * args.playable_kb as usize)
}

/// A row for each run: its group, what it is, and its measures.
fn runs(groups: &[RunGroup]) -> Sheet {
    let mut rows = Vec::new();
    for group in groups {
        for run in &group.runs {
            let mut row = Row::of(&run.name, &run.run);
            row.set("group", &group.name);
            for (measure, value) in &run.measures {
                row.set(measure, store::decimals(Some(*value), 6));
            }
            rows.push(row);
        }
    }
    let mut header: Vec<String> = Vec::new();
    for column in rows.iter().flat_map(Row::columns) {
        if !header.iter().any(|name| name == column) {
            header.push(column.to_owned());
        }
    }
    let cells = rows.iter().map(|row| header.iter().map(|column| row.get(column).to_owned()).collect());
    Sheet::new("runs", &header, cells.collect())
}
