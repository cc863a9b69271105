//! `fm-exp data`: a data set, looked at.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use fm_data::{Dataset, Prepared};
use fm_report::Tile;
use fm_run::{RunSpec, store};
use fm_train::recipe;
use serde_json::json;

use crate::args::{KeysOf, Training};
use crate::error::{Error, Kind, Result};
use crate::inputs;

/// Commands on a data set.
#[derive(Debug, Subcommand)]
pub(crate) enum DataCommand {
    /// Draw training images, and what training sees of them in each epoch
    Show(Box<ShowArgs>),
}

/// Flags of `data show`.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    keys: KeysOf<Training>,

    /// Epochs to show below the originals, from the first on
    #[arg(long, value_name = "N", default_value_t = 4)]
    epochs: u32,

    /// Images to show: the first ones of the first epoch
    #[arg(long, value_name = "N", default_value_t = 8)]
    count: usize,

    /// The picture, as PNG or SVG by its extension
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    out: PathBuf,
}

/// As many images as still make a picture.
const MOST: usize = 400;

pub(crate) fn run(command: &DataCommand, as_json: bool, progress: bool) -> Result<String> {
    let DataCommand::Show(args) = command;
    show(args, as_json, progress)
}

fn show(args: &ShowArgs, as_json: bool, progress: bool) -> Result<String> {
    let spec = RunSpec::read(&args.keys.table)?.check()?;
    let augment = &spec.augment;
    // Every epoch would show the originals once more.
    let epochs = if augment.is_none() { 0 } else { args.epochs };
    let images = args.count.saturating_mul(epochs as usize + 1);
    if !(1..=MOST).contains(&images) {
        let text = format!("a sheet holds from 1 to {MOST} images, --count and --epochs ask for {images}");
        return Err(Error::usage(text));
    }
    let format = Format::of(&args.out)?;
    let data = inputs::load(&spec, progress)?;
    augment.check(data.shape()).map_err(|e| Error::usage(e.to_string()))?;
    let training = recipe::split(&spec, &data)?.train;
    let rows = fm_data::epoch_order(&training, spec.seeds().order, 1);
    let rows = &rows[..args.count.min(rows.len())];

    let mut tiles = originals(&data, rows);
    for epoch in 1..=epochs {
        let mut seen = Prepared::default();
        augment.prepare(&data.train, rows, &training, spec.seeds().augment, epoch, &mut seen);
        tiles.extend(augmented(&data, &seen, epoch));
    }
    let title = format!("{} · {}", data.name, augment);
    let note =
        if epochs == 0 { "training images" } else { "training images above, what each epoch sees below" };
    let failed = |e: fm_report::Error| Error::new(Kind::Other, e.to_string());
    let svg = fm_report::contact_sheet(&tiles, rows.len(), &title, note).map_err(failed)?;
    match format {
        Format::Svg => store::write(&args.out, svg.as_bytes())?,
        Format::Png => store::write(&args.out, &fm_report::rasterize(&svg, 2.0).map_err(failed)?)?,
    }
    let (augment, out) = (augment.to_string(), args.out.display().to_string());
    if as_json {
        let result =
            json!({ "augment": augment, "seed": spec.seed, "epochs": epochs, "rows": rows, "picture": out });
        return Ok(format!("{result:#}\n"));
    }
    let below =
        if epochs == 0 { String::new() } else { format!(", and epochs 1 to {epochs} with {augment}") };
    Ok(format!("{out}: {} training images{below}\n", rows.len()))
}

/// The images at `rows` of the training file, as they are.
fn originals(data: &Dataset, rows: &[u32]) -> Vec<Tile> {
    let tile = |&row: &u32| Tile {
        pixels: data.train.image(row as usize).to_vec(),
        size: (data.height, data.width),
        captions: vec![class(data, data.train.labels[row as usize]), format!("row {row}")],
    };
    rows.iter().map(tile).collect()
}

/// What an epoch sees of them; a mixed image with its partner's share and class.
fn augmented(data: &Dataset, seen: &Prepared, epoch: u32) -> Vec<Tile> {
    let images = seen.pixels.chunks_exact(data.shape().len()).enumerate();
    let mixed = |i: usize| -> Option<String> {
        let (lambda, partner) = (seen.lambda.get(i)?, seen.partners.get(i)?);
        Some(format!("{:.2} {}", 1.0 - lambda, class(data, *partner)))
    };
    let tile = |(i, image): (usize, &[u8])| Tile {
        pixels: image.to_vec(),
        size: (data.height, data.width),
        captions: [Some(format!("epoch {epoch}")), mixed(i)].into_iter().flatten().collect(),
    };
    images.map(tile).collect()
}

fn class(data: &Dataset, label: u8) -> String {
    data.class_names[usize::from(label)].clone()
}

/// What kind of picture to write.
enum Format {
    Png,
    Svg,
}

impl Format {
    fn of(path: &Path) -> Result<Self> {
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        match extension.as_str() {
            "png" => Ok(Self::Png),
            "svg" => Ok(Self::Svg),
            _ => Err(Error::usage(format!("--out must end in .png or .svg, got {}", path.display()))),
        }
    }
}
