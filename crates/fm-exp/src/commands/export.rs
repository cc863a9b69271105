//! `fm-exp export`: a trained model for elsewhere, as ONNX or as C99, and a card that says what it is.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use fm_data::Labelled;
use fm_export::c::{Program, Quantised};
use fm_export::onnx::{self, Takes};
use fm_run::store;
use serde_json::json;

use super::inference::{self, Chosen, DataArgs, ModelArgs};
use crate::card::card;
use crate::error::{Error, Result};

/// Flags of `export`.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    model: ModelArgs,

    /// Write an ONNX model (operator set 17)
    #[arg(long, value_name = "FILE", required_unless_present_any = ["c", "card"], help_heading = "Results")]
    onnx: Option<PathBuf>,

    /// The ONNX model takes bytes from 0 to 255 instead of numbers from 0 to 1
    #[arg(long, requires = "onnx", help_heading = "Results")]
    bytes: bool,

    /// Write a C99 file and its header, which need nothing but the C library's maths
    #[arg(long, value_name = "DIR", help_heading = "Results")]
    c: Option<PathBuf>,

    /// In C, 8-bit integers instead of 32-bit floats, on scales that training images calibrate
    #[arg(long, requires = "c", help_heading = "Results")]
    int8: bool,

    /// The name of the C files and functions
    #[arg(long, value_name = "NAME", requires = "c", default_value = "model", help_heading = "Results")]
    name: String,

    /// Score the C code's arithmetic, floats and 8-bit integers, on all images of --split
    #[arg(long, requires = "int8", help_heading = "Results")]
    score: bool,

    /// Write a model card: network, data, recipe, scores, mistakes, calibration, provenance, use and limits
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    card: Option<PathBuf>,

    #[command(flatten)]
    data: DataArgs,
}

/// Training images that choose the scales of 8-bit integers.
const CALIBRATING: usize = 200;

pub(crate) fn run(args: &ExportArgs, as_json: bool, progress: bool) -> Result<String> {
    let data = args.int8.then_some(&args.data);
    let (trained, spec) = inference::model(&args.model, data)?;
    let failed = |e: fm_export::Error| Error::usage(e.to_string());
    let mut written = Vec::new();
    if let Some(path) = &args.onnx {
        let takes = if args.bytes { Takes::Bytes } else { Takes::Numbers };
        let mut metadata = vec![("arch".to_owned(), trained.network.arch.to_string())];
        if let Some(names) = &trained.class_names {
            metadata.push(("classes".to_owned(), json!(names).to_string()));
        }
        metadata.extend(trained.run_id.iter().map(|id| ("run_id".to_owned(), id.clone())));
        let bytes = onnx::model(&trained.network, &trained.weights, takes, &metadata).map_err(failed)?;
        store::write(path, &bytes)?;
        written.push((path.clone(), bytes.len()));
    }
    let mut scored = None;
    if let Some(dir) = &args.c {
        let program = Program::new(&trained.network, &trained.weights).map_err(failed)?;
        let sources = if args.int8 {
            let data = inference::data(&trained, &spec, progress)?;
            let n = data.train.len().min(CALIBRATING);
            // Evenly over the file, which may be in the order of its classes.
            let images: Vec<&[u8]> = (0..n).map(|i| data.train.image(i * data.train.len() / n)).collect();
            let quantised = Quantised::new(program, &images).map_err(failed)?;
            if args.score {
                let Chosen { file, rows, .. } = args.data.split.of(&data, &trained)?;
                scored = Some(score(&quantised, &file.select(&rows)));
            }
            quantised.to_c(&args.name).map_err(failed)?
        } else {
            program.to_c(&args.name).map_err(failed)?
        };
        store::create_dir(dir)?;
        for (ending, text) in [("h", &sources.header), ("c", &sources.code)] {
            let path = dir.join(format!("{}.{ending}", args.name));
            store::write(&path, text.as_bytes())?;
            let bytes = if ending == "c" { sources.weight_bytes } else { 0 };
            written.push((path, bytes));
        }
    }
    if let Some(path) = &args.card {
        let beside: Vec<PathBuf> = written.iter().map(|(path, _)| path.clone()).collect();
        let text = card(&trained, &beside)?;
        store::write(path, text.as_bytes())?;
        written.push((path.clone(), text.len()));
    }
    if as_json {
        let files: Vec<_> = written
            .iter()
            .map(|(path, len)| json!({ "file": path.display().to_string(), "bytes": len }))
            .collect();
        let [float, int8] = scored.unwrap_or_default();
        let accuracy = scored.map(|_| json!({ "float": float, "int8": int8 }));
        let arch = trained.network.arch.to_string();
        return Ok(format!("{:#}\n", json!({ "arch": arch, "files": files, "accuracy": accuracy })));
    }
    let mut text = String::new();
    for (path, len) in &written {
        let _ = match path.extension().and_then(|e| e.to_str()) {
            Some("h") => writeln!(text, "{}", path.display()),
            Some("c") => writeln!(text, "{}: {len} bytes of weights", path.display()),
            _ => writeln!(text, "{}: {len} bytes", path.display()),
        };
    }
    if let Some([float, int8]) = scored {
        let _ = writeln!(text, "accuracy: {float:.4} in floats, {int8:.4} in 8-bit integers");
    }
    Ok(text)
}

/// Shares of right answers in floats and in 8-bit integers.
fn score(quantised: &Quantised, images: &Labelled) -> [f64; 2] {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(16);
    let right = |from: usize| {
        let mut right = [0_usize; 2];
        for i in (from..images.len()).step_by(threads) {
            let (image, label) = (images.image(i), usize::from(images.labels[i]));
            let numbers: Vec<f32> = image.iter().map(|&byte| fm_images::pixel(byte)).collect();
            let both = [quantised.program().run(&numbers), quantised.run(image)];
            for (right, logits) in right.iter_mut().zip(both) {
                *right += usize::from(largest(&logits) == label);
            }
        }
        right
    };
    let counts: Vec<[usize; 2]> = std::thread::scope(|scope| {
        let started: Vec<_> = (0..threads).map(|from| scope.spawn(move || right(from))).collect();
        started.into_iter().filter_map(|thread| thread.join().ok()).collect()
    });
    [0, 1].map(|of| counts.iter().map(|c| c[of]).sum::<usize>() as f64 / images.len() as f64)
}

/// The first of the largest.
pub(crate) fn largest(logits: &[f32]) -> usize {
    (0..logits.len()).fold(0, |best, i| if logits[i] > logits[best] { i } else { best })
}
