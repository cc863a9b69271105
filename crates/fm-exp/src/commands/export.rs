//! `fm-exp export`: a trained model for elsewhere, as ONNX or as C99.

use std::path::PathBuf;

use clap::Args;
use fm_export::onnx::{self, Takes};
use fm_run::store;
use serde_json::json;

use super::inference::{self, DataArgs, ModelArgs};
use crate::error::{Error, Result};

/// Flags of `export`.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    model: ModelArgs,

    /// Write an ONNX model (operator set 17)
    #[arg(long, value_name = "FILE", required_unless_present = "c", help_heading = "Results")]
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

    #[command(flatten)]
    data: DataArgs,
}

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
    let _ = (progress, spec);
    if as_json {
        let files: Vec<_> = written
            .iter()
            .map(|(path, len)| json!({ "file": path.display().to_string(), "bytes": len }))
            .collect();
        return Ok(format!("{:#}\n", json!({ "arch": trained.network.arch.to_string(), "files": files })));
    }
    let lines = written.iter().map(|(path, len)| format!("{}: {len} bytes\n", path.display()));
    Ok(lines.collect())
}
