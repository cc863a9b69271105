//! `fm-exp predict`: what a trained model takes pictures for.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use fm_data::{Dataset, DatasetName, Labelled};
use fm_report::Tile;
use serde_json::{Value, json};

use super::eval::picture;
use super::using::{self, ModelArgs};
use crate::engine::Source;
use crate::error::{Error, Kind, Result};
use crate::picture::{self, Picture};

/// Flags of `predict`.
#[derive(Debug, Args)]
pub(crate) struct PredictArgs {
    #[command(flatten)]
    model: ModelArgs,

    /// PNG or JPEG files of any size
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<PathBuf>,

    /// Cut away the plain background around the thing first, as was done for Fashion-MNIST
    #[arg(long)]
    trim: bool,

    /// Also write what the network saw, and said, into this directory: seen.png and seen.svg
    #[arg(long, value_name = "DIR")]
    show: Option<PathBuf>,
}

/// Classes that are told of.
const TOP: usize = 3;

pub(crate) fn run(args: &PredictArgs, as_json: bool) -> Result<String> {
    let (trained, config) = using::model(&args.model, None)?;
    let spec = trained.network.spec;
    let pictures = read_all(&args.images, spec.height, spec.width, args.trim)?;
    let names =
        trained.names(&DatasetName::FashionMnist.class_names().unwrap_or_default().map(str::to_owned));
    let data = as_data(&pictures, spec.height, spec.width, &names);
    let (mut engine, _) = using::engine(&trained, &config, &data)?;
    let rows: Vec<u32> = (0..pictures.len() as u32).collect();
    let logits = engine.evaluate(Source::Test, &rows)?;
    let said: Vec<Vec<(usize, f64)>> = logits.chunks_exact(names.len()).map(top).collect();

    if let Some(dir) = &args.show {
        crate::store::create_dir(dir)?;
        let tiles: Vec<Tile> = (args.images.iter().zip(&pictures))
            .zip(&said)
            .map(|((path, picture), said)| Tile {
                pixels: picture.pixels.clone(),
                size: (spec.height, spec.width),
                captions: vec![
                    names[said[0].0].clone(),
                    format!("{:.1} %", 100.0 * said[0].1),
                    path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                ],
            })
            .collect();
        picture(dir, "seen", || fm_report::contact_sheet(&tiles, 8, &format!("as {spec} sees them"), ""))?;
    }
    let each = args.images.iter().zip(&pictures).zip(&said);
    if as_json {
        let all: Vec<Value> = each.map(|((path, picture), said)| json!({
            "image": path.display().to_string(),
            "width": picture.original.0,
            "height": picture.original.1,
            "inverted": picture.inverted,
            "top": said.iter().map(|&(class, p)| json!({ "class": names[class], "label": class, "probability": p })).collect::<Vec<_>>(),
        })).collect();
        return Ok(format!("{:#}\n", Value::Array(all)));
    }
    let mut out = String::new();
    let widest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    for ((path, picture), said) in each {
        let (w, h) = picture.original;
        let background =
            if picture.inverted { "light background, inverted" } else { "dark background, as it is" };
        let _ = writeln!(out, "{} ({w}x{h}, {background})", path.display());
        for &(class, p) in said {
            let _ = writeln!(out, "  {:<widest$}  {:>5.1} %", names[class], 100.0 * p);
        }
    }
    Ok(out)
}

/// All pictures, or one error that names every file that is none.
fn read_all(paths: &[PathBuf], height: usize, width: usize, trim: bool) -> Result<Vec<Picture>> {
    let (mut pictures, mut errors) = (Vec::new(), Vec::new());
    for path in paths {
        match picture::read(path, height, width, trim) {
            Ok(picture) => pictures.push(picture),
            Err(error) => errors.push(error),
        }
    }
    let Some(first) = errors.first() else { return Ok(pictures) };
    let message = if errors.len() == 1 {
        first.message().to_owned()
    } else {
        format!("{} of {} files are no images", errors.len(), paths.len())
    };
    let all = if errors.len() == 1 { &[][..] } else { &errors[..] };
    let error = all.iter().fold(Error::new(Kind::Data, message), |e, one| e.note(one.message()));
    Err(error.help("give PNG or JPEG files; nothing was predicted"))
}

/// The pictures as a data set's test images.
fn as_data(pictures: &[Picture], height: usize, width: usize, names: &[String]) -> Dataset {
    let set = |images: Vec<u8>, n: usize| Labelled { images, labels: vec![0; n], height, width };
    let pixels = pictures.iter().flat_map(|p| p.pixels.iter().copied()).collect();
    Dataset {
        name: DatasetName::Dir(PathBuf::new()),
        dir: PathBuf::new(),
        class_names: names.to_vec(),
        classes: names.len(),
        height,
        width,
        train: set(Vec::new(), 0),
        test: set(pixels, pictures.len()),
        files: Vec::new(),
        sha256: String::new(),
        warnings: Vec::new(),
    }
}

/// The classes with the highest probabilities (softmax of `logits`), and those.
fn top(logits: &[f32]) -> Vec<(usize, f64)> {
    let max = logits.iter().copied().fold(f32::MIN, f32::max);
    let exps: Vec<f64> = logits.iter().map(|&z| f64::from(z - max).exp()).collect();
    let sum: f64 = exps.iter().sum();
    let mut all: Vec<(usize, f64)> = exps.iter().map(|e| e / sum).enumerate().collect();
    all.sort_by(|a, b| b.1.total_cmp(&a.1));
    all.truncate(TOP);
    all
}
