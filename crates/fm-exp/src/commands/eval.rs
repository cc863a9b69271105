//! `fm-exp eval`: scores a trained model on a data set and writes the same files as a run.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use fm_data::{Dataset, DatasetName};
use fm_report::Tile;
use fm_run::tables::{self, Confusion, Mask, Prediction};
use fm_run::trained::Trained;
use fm_run::{files, store};
use fm_train::engine::{Engine, Input, Source, Want};
use fm_train::metrics::Scores;
use serde_json::{Value, json};

use super::calibrate::Calibrated;
use super::compare::mask;
use super::inference::{self, Chosen, DataArgs, ModelArgs, Split};
use crate::error::{Error, Kind, Result};
use crate::{npy, scored};

/// Flags of `eval`.
#[derive(Debug, Args)]
pub(crate) struct EvalArgs {
    #[command(flatten)]
    model: ModelArgs,

    #[command(flatten)]
    data: DataArgs,

    /// Directory for the files [default: eval/DATASET-SPLIT, beside the model]
    #[arg(long, value_name = "DIR", help_heading = "Results")]
    out: Option<PathBuf>,

    /// Also write the class scores before softmax, as logits.npy
    #[arg(long, help_heading = "Results")]
    logits: bool,

    /// Also score each image together with its mirror image, the mean of both scores before softmax; reported apart,
    /// files in flip/
    #[arg(long, help_heading = "Results")]
    flip: bool,

    /// Also score without the images that a table lists in its column `index`, such as an atlas' suspects.csv; said beside
    /// the scores of all, never in place of them
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    mask: Option<PathBuf>,

    /// Also show the N most confident mistakes: hard.png, hard.svg, hard.csv
    #[arg(long, value_name = "N", help_heading = "Results", allow_negative_numbers = true)]
    hard: Option<usize>,
}

/// Images in a row of the sheet of hard ones.
const COLUMNS: usize = 8;
/// As many as still make a picture.
const MOST: usize = 400;

pub(crate) fn run(args: &EvalArgs, as_json: bool, progress: bool) -> Result<String> {
    if args.hard.is_some_and(|n| !(1..=MOST).contains(&n)) {
        return Err(Error::usage(format!("--hard must be from 1 to {MOST}")));
    }
    let split = args.data.split;
    let (trained, spec) = inference::model(&args.model, Some(&args.data))?;
    let data = inference::data(&trained, &spec, progress)?;
    let images = args.data.split.of(&data, &trained)?;
    let (mut engine, machine) = inference::engine(&trained, &spec, Some(&data))?;
    let logits =
        inference::infer(&mut *engine, &trained, Input::Rows(images.source, &images.rows), Want::Output)?;
    let classes = trained.network.classes.unwrap_or(0);
    let scores = Scores::new(&logits, &images.labels, classes);
    let names = trained.names(&data.class_names);
    let said = (&logits[..], &images.labels[..]);
    let calibrated = Calibrated::new(&mut *engine, &trained, &data, said, &scores)?;

    let out = args.out.clone().unwrap_or_else(|| trained.beside("eval").join(directory(&data.name, split)));
    let of = json!({
        "run_id": trained.run_id,
        "arch": trained.network.arch.to_string(),
        "data_sha256": data.sha256,
        "split": split.name(),
    });
    free(&out, &of)?;
    store::create_dir(&out).map_err(inference::elsewhere)?;
    // The directory may be there and still take nothing.
    scored::write_tables(&out, &names, &scores).map_err(inference::elsewhere)?;
    let flipped = if args.flip { Some(flipped(engine.as_mut(), &trained, &images, &logits)?) } else { None };
    if let Some(scores) = &flipped {
        let out = out.join("flip");
        store::create_dir(&out)?;
        scored::write_tables(&out, &names, scores)?;
    }
    let mut summary = json!({
        "model": trained.path.display().to_string(),
        "dataset": data.name.to_string(),
        "device": machine.device.to_string(),
        "engine": engine.name(),
        split.name(): scored::to_json(&names, &scores),
    });
    summary.as_object_mut().into_iter().zip(of.as_object()).for_each(|(all, of)| all.extend(of.clone()));
    summary["temperature_scaled"] = calibrated.to_json();
    if let Some(scores) = &flipped {
        summary[format!("{}_with_mirror_images", split.name())] = scored::to_json(&names, scores);
    }
    let without = args.mask.as_ref().map(|path| without(path, &images, &logits, classes)).transpose()?;
    if let Some((mask, scores)) = &without {
        let mut masked = scored::to_json(&names, scores);
        masked["file"] = json!(mask.path.display().to_string());
        masked["left_out"] = json!(images.rows.len() - scores.predictions.len());
        summary[format!("{}_masked", split.name())] = masked;
    }
    store::write_json(&out.join(files::SUMMARY), &summary)?;
    let title = format!("{} · {} · {}", trained.network.arch, data.name, split.name());
    picture(&out, "confusion", || {
        let confusion = Confusion::read(&out.join(files::CONFUSION))?;
        Ok(fm_report::confusion_heatmap(&confusion, &title))
    })?;
    calibrated.write(&out, &title)?;
    if args.logits {
        store::write(&out.join("logits.npy"), &npy::floats(&logits, classes)?)?;
    }
    if let Some(n) = args.hard {
        hard(&out, n, &title, &images, &names, &scores)?;
    }
    if as_json {
        return Ok(format!("{summary:#}\n"));
    }
    Ok(report(&title, (&scores, flipped.as_ref(), without.as_ref()), &calibrated, &names, &data, &out))
}

/// The directory of a data set's split: directories of data go by their last name.
fn directory(data: &DatasetName, split: Split) -> String {
    let name = match data {
        DatasetName::Published(set) => set.slug.to_owned(),
        DatasetName::Dir(path) => {
            path.file_name().map_or("data".into(), |n| n.to_string_lossy().into_owned())
        }
    };
    format!("{name}-{}", split.name())
}

/// Sees that a directory has no scores of another model or of other images, which would be mixed with these.
fn free(out: &Path, of: &Value) -> Result<()> {
    let path = out.join(files::SUMMARY);
    if !path.exists() {
        return Ok(());
    }
    let there = tables::read_json(&path).unwrap_or_default();
    let differs = |(key, here): (&String, &Value)| {
        (there[key] != *here).then(|| format!("{key}: there {}, here {here}", there[key]))
    };
    let lines: Vec<String> = of.as_object().into_iter().flatten().filter_map(differs).collect();
    if lines.is_empty() {
        return Ok(());
    }
    let text = format!("{} holds scores of another model or of other images", out.display());
    let error = lines.into_iter().fold(Error::new(Kind::Mismatch, text), Error::note);
    Err(error.help("remove the directory, or choose another one with --out"))
}

/// Scores of the images that a mask leaves.
fn without(path: &Path, images: &Chosen<'_>, logits: &[f32], classes: usize) -> Result<(Mask, Scores)> {
    let set = if images.source == Source::Test { "test" } else { "train" };
    let mask = mask(path, set, images.file.len())?;
    let kept = |at: &usize| !mask.left_out.contains(&(images.rows[*at] as usize));
    let kept: Vec<usize> = (0..images.rows.len()).filter(kept).collect();
    if kept.is_empty() {
        return Err(Error::usage(format!("{} leaves no image", path.display())));
    }
    let left: Vec<f32> = kept.iter().flat_map(|at| &logits[at * classes..][..classes]).copied().collect();
    let labels: Vec<u8> = kept.iter().map(|&at| images.labels[at]).collect();
    Ok((mask, Scores::new(&left, &labels, classes)))
}

/// Scores of the images together with their mirror images.
fn flipped(
    engine: &mut dyn Engine,
    trained: &Trained,
    images: &Chosen<'_>,
    logits: &[f32],
) -> Result<Scores> {
    let of_row = |&row: &u32| images.file.image(row as usize).iter().copied();
    let mut mirrored: Vec<u8> = images.rows.iter().flat_map(of_row).collect();
    fm_data::mirror(&mut mirrored, images.file.width);
    let other = inference::infer(engine, trained, Input::Images(&mirrored), Want::Output)?;
    let mean: Vec<f32> = logits.iter().zip(&other).map(|(a, b)| f32::midpoint(*a, *b)).collect();
    Ok(Scores::new(&mean, &images.labels, trained.network.classes.unwrap_or(0)))
}

/// Draws an SVG and writes it as SVG and PNG.
pub(crate) fn picture(
    dir: &Path,
    name: &str,
    draw: impl FnOnce() -> fm_report::Result<String>,
) -> Result<()> {
    let failed = |e: fm_report::Error| Error::new(Kind::Io, e.to_string());
    let svg = draw().map_err(failed)?;
    let png = fm_report::rasterize(&svg, 2.0).map_err(failed)?;
    store::write(&dir.join(format!("{name}.svg")), svg.as_bytes())?;
    store::write(&dir.join(format!("{name}.png")), &png)
}

/// The wrong predictions with the highest probability.
fn hard(
    dir: &Path,
    n: usize,
    title: &str,
    images: &Chosen<'_>,
    names: &[String],
    scores: &Scores,
) -> Result<()> {
    let mut wrong: Vec<(usize, &Prediction)> =
        scores.predictions.iter().enumerate().filter(|(_, p)| p.predicted != p.label).collect();
    wrong.sort_by(|a, b| b.1.p_predicted.total_cmp(&a.1.p_predicted));
    let all = wrong.len();
    wrong.truncate(n);
    let name = |class: u8| &names[usize::from(class)];
    let rows = wrong.iter().map(|(row, p)| {
        let (q, t) = (format!("{:.6}", p.p_predicted), format!("{:.6}", p.p_true));
        vec![images.rows[*row].to_string(), name(p.label).clone(), name(p.predicted).clone(), q, t]
    });
    store::write_table(
        &dir.join("hard.csv"),
        &["index", "true", "predicted", "p_predicted", "p_true"],
        rows,
    )?;
    let tiles: Vec<Tile> = wrong
        .iter()
        .map(|(row, p)| Tile {
            pixels: images.file.image(images.rows[*row] as usize).to_vec(),
            size: (images.file.height, images.file.width),
            captions: vec![
                name(p.predicted).clone(),
                if p.p_predicted < 0.9999 {
                    format!("{:.2} %", 100.0 * p.p_predicted)
                } else {
                    "over 99.99 %".to_owned()
                },
                format!("is {}", name(p.label)),
                format!("image {}", images.rows[*row]),
            ],
        })
        .collect();
    let shown = tiles.len();
    let note = format!(
        "{shown} of {all} mistakes, the most confident first: predicted class, confidence, true class"
    );
    picture(dir, "hard", || {
        fm_report::contact_sheet(&tiles, COLUMNS, &format!("{title}: hard images"), &note)
    })
}

fn report(
    title: &str,
    (scores, flipped, without): (&Scores, Option<&Scores>, Option<&(Mask, Scores)>),
    calibrated: &Calibrated<'_>,
    names: &[String],
    data: &Dataset,
    out: &Path,
) -> String {
    let mut text = format!("{title}, {} images in {}\n", scores.predictions.len(), data.dir.display());
    let _ = writeln!(text, "  loss            {:.4}", scores.loss);
    let _ = writeln!(text, "  accuracy        {:.4}", scores.accuracy);
    let _ = writeln!(text, "  macro F1        {:.4}", scores.macro_f1());
    if let Some(flipped) = flipped {
        let _ =
            writeln!(text, "  with mirror     accuracy {:.4}, loss {:.4}", flipped.accuracy, flipped.loss);
    }
    if let Some((mask, left)) = without {
        let Scores { accuracy, loss, .. } = left;
        let out = scores.predictions.len() - left.predictions.len();
        let (f1, path) = (left.macro_f1(), mask.path.display());
        let _ = writeln!(
            text,
            "  without {out:<7} accuracy {accuracy:.4}, loss {loss:.4}, macro F1 {f1:.4}: images of {path} left out"
        );
    }
    if let Some((class, recall)) = scores.weakest() {
        let _ = writeln!(text, "  weakest class   {} (recall {recall:.3})", names[class]);
    }
    text.push_str(&calibrated.text());
    let _ = writeln!(text, "  results         {}", out.display());
    text
}
