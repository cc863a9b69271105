//! `fm-exp predict`: classifies pictures with a trained model.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

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
use crate::sweep::Said;

/// Flags of `predict`.
#[derive(Debug, Args)]
pub(crate) struct PredictArgs {
    #[command(flatten)]
    model: ModelArgs,

    /// PNG or JPEG files of any size, or folders of them
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<PathBuf>,

    /// Classes to print for each picture, the most probable first
    #[arg(long, value_name = "N", default_value_t = 3, allow_negative_numbers = true)]
    top: usize,

    /// Also write the classes of each picture and their probabilities into this file
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,

    /// Cut away the plain background around the thing first, as was done for Fashion-MNIST
    #[arg(long)]
    trim: bool,

    /// Also write what the network saw, and said, into this directory: seen.png and seen.svg
    #[arg(long, value_name = "DIR")]
    show: Option<PathBuf>,
}

pub(crate) fn run(args: &PredictArgs, as_json: bool) -> Result<Said> {
    if args.top == 0 {
        return Err(Error::usage("--top must be at least 1, got 0"));
    }
    let (trained, spec) = inference::model(&args.model, None)?;
    let Arch { height, width, channels, .. } = trained.network.arch;
    let shape = ImageShape { channels, height, width };
    let (images, errors) = read_all(&files(&args.images)?, shape, args.trim)?;
    let usual: Vec<String> = DatasetName::default()
        .class_names()
        .unwrap_or_default()
        .iter()
        .map(|&name| name.to_owned())
        .collect();
    let names = trained.names(&usual);
    let (mut engine, _) = inference::engine(&trained, &spec, None)?;
    let pixels: Vec<u8> = images.iter().flat_map(|(_, p)| p.pixels.iter().copied()).collect();
    let logits = inference::infer(&mut *engine, &trained, Input::Images(&pixels), Want::Output)?;
    let said: Vec<Vec<(usize, f64)>> =
        logits.chunks_exact(names.len()).map(|logits| top(logits, args.top)).collect();
    for (path, picture) in &images {
        warn_of(path, picture);
    }

    if let Some(dir) = &args.show {
        store::create_dir(dir)?;
        let tiles: Vec<Tile> = (images.iter().zip(&said))
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
            fm_report::contact_sheet(&tiles, 8, &format!("what {} sees", trained.network.arch), "")
        })?;
    }
    if let Some(path) = &args.csv {
        let rows = images.iter().zip(&said).flat_map(|((image, _), said)| {
            (1..).zip(said).map(|(rank, &(class, p)): (usize, _)| {
                let (image, label) = (image.display().to_string(), class.to_string());
                vec![image, rank.to_string(), label, names[class].clone(), format!("{p:.6}")]
            })
        });
        store::write_table(path, &["image", "rank", "label", "class", "probability"], rows)?;
    }
    let code = if errors.is_empty() { 0 } else { Kind::Data as u8 };
    let each = images.iter().zip(&said);
    if as_json {
        let good = each.map(|((path, picture), said)| json!({
            "image": path.display().to_string(),
            "width": picture.original.0,
            "height": picture.original.1,
            "inverted": picture.inverted,
            "top": said.iter().map(|&(class, p)| json!({ "class": names[class], "label": class, "probability": p })).collect::<Vec<_>>(),
        }));
        let bad = errors.iter().map(|error| json!({ "error": error.message() }));
        return Ok(Said { text: format!("{:#}\n", Value::Array(good.chain(bad).collect())), code });
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
    Ok(Said { text: out, code })
}

/// The files that are named, and those with names of pictures in folders that are.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let entries = std::fs::read_dir(path).map_err(|e| Error::io("read", path, &e))?;
        let is_picture = |path: &PathBuf| {
            let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
            extension.is_some_and(|e| ["png", "jpg", "jpeg"].contains(&e.as_str()))
        };
        let mut inside: Vec<PathBuf> = entries.flatten().map(|e| e.path()).filter(is_picture).collect();
        if inside.is_empty() {
            let text = format!("{} has no PNG or JPEG files in it", path.display());
            return Err(Error::new(Kind::Data, text).help("folders within it are not looked into"));
        }
        inside.sort();
        files.extend(inside);
    }
    Ok(files)
}

/// Pictures, and the files that they are of.
type Pictures = Vec<(PathBuf, Picture)>;

/// The pictures that can be read, and the errors of the others, which are logged.
///
/// # Errors
/// When no file is a picture, or the model takes none.
fn read_all(paths: &[PathBuf], shape: ImageShape, trim: bool) -> Result<(Pictures, Vec<Error>)> {
    let (mut pictures, mut errors) = (Vec::new(), Vec::new());
    for path in paths {
        match picture::read(path, shape, trim) {
            Ok(picture) => pictures.push((path.clone(), picture)),
            Err(error) if error.kind() == Kind::Usage => return Err(error),
            Err(error) => errors.push(error),
        }
    }
    if !pictures.is_empty() {
        for error in &errors {
            tracing::error!("{}", error.message());
        }
        return Ok((pictures, errors));
    }
    let message = match &errors[..] {
        [only] => only.message().to_owned(),
        all => format!("none of {} files is an image", all.len()),
    };
    let notes = if errors.len() == 1 { &[][..] } else { &errors[..] };
    let error = notes.iter().fold(Error::new(Kind::Data, message), |e, one| e.note(one.message()));
    Err(error.help("give PNG or JPEG files"))
}

/// Says where a prediction means little.
fn warn_of(path: &Path, picture: &Picture) {
    let path = path.display();
    if picture.is_plain {
        tracing::warn!("{path} is of one colour: what is predicted for it means nothing");
    } else if picture.is_untrimmed {
        tracing::warn!("{path}: --trim found no plain background to cut away");
    }
}

/// The classes with the highest probabilities (softmax of `logits`), and those.
fn top(logits: &[f32], most: usize) -> Vec<(usize, f64)> {
    let max = logits.iter().copied().fold(f32::MIN, f32::max);
    let exps: Vec<f64> = logits.iter().map(|&z| f64::from(z - max).exp()).collect();
    let sum: f64 = exps.iter().sum();
    let mut all: Vec<(usize, f64)> = exps.iter().map(|e| e / sum).enumerate().collect();
    all.sort_by(|a, b| b.1.total_cmp(&a.1));
    all.truncate(most);
    all
}
