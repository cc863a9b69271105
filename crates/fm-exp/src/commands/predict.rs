//! `fm-exp predict`: what a trained model takes pictures for.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use fm_data::{DatasetName, ImageShape};
use fm_net::Arch;
use fm_report::Tile;
use fm_run::store;
use fm_train::engine::{Input, Want};
use serde_json::{Value, json};

use super::eval::picture;
use super::inference::{self, ModelArgs};
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

/// Classes to print for each picture.
const TOP: usize = 3;

pub(crate) fn run(args: &PredictArgs, as_json: bool) -> Result<String> {
    let (trained, spec) = inference::model(&args.model, None)?;
    let Arch { height, width, channels, .. } = trained.network.arch;
    let shape = ImageShape { channels, height, width };
    let pictures = read_all(&args.images, shape, args.trim)?;
    let usual: Vec<String> = DatasetName::default()
        .class_names()
        .unwrap_or_default()
        .iter()
        .map(|&name| name.to_owned())
        .collect();
    let names = trained.names(&usual);
    let (mut engine, _) = inference::engine(&trained, &spec, None)?;
    let pixels: Vec<u8> = pictures.iter().flat_map(|p| p.pixels.iter().copied()).collect();
    let logits = inference::infer(&mut *engine, &trained, Input::Images(&pixels), Want::Output)?;
    let said: Vec<Vec<(usize, f64)>> = logits.chunks_exact(names.len()).map(top).collect();

    if let Some(dir) = &args.show {
        store::create_dir(dir)?;
        let tiles: Vec<Tile> = (args.images.iter().zip(&pictures))
            .zip(&said)
            .map(|((path, picture), said)| Tile {
                pixels: picture.pixels.clone(),
                size: (height, width),
                captions: vec![
                    names[said[0].0].clone(),
                    format!("{:.1} %", 100.0 * said[0].1),
                    path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                ],
            })
            .collect();
        picture(dir, "seen", || {
            fm_report::contact_sheet(&tiles, 8, &format!("as {} sees them", trained.network.arch), "")
        })?;
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
        let background = match picture.inverted {
            _ if shape.channels != 1 => "in colour, not inverted",
            true => "light background, inverted",
            false => "dark background, not inverted",
        };
        let _ = writeln!(out, "{} ({w}x{h}, {background})", path.display());
        for &(class, p) in said {
            let _ = writeln!(out, "  {:<widest$}  {:>5.1} %", names[class], 100.0 * p);
        }
    }
    Ok(out)
}

/// All pictures, or one error that names every file that is none.
fn read_all(paths: &[PathBuf], shape: ImageShape, trim: bool) -> Result<Vec<Picture>> {
    let (mut pictures, mut errors) = (Vec::new(), Vec::new());
    for path in paths {
        match picture::read(path, shape, trim) {
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
