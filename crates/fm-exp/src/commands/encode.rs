//! `fm-exp encode`: the codes of a data set's images, and their two widest directions.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use fm_run::store;
use fm_train::engine::{Input, Want};
use serde_json::json;

use super::eval::picture;
use super::inference::{self, DataArgs, ModelArgs};
use crate::error::Result;
use crate::npy;
use crate::pca::Pca;

/// Flags of `encode`.
#[derive(Debug, Args)]
pub(crate) struct EncodeArgs {
    #[command(flatten)]
    model: ModelArgs,

    #[command(flatten)]
    data: DataArgs,

    /// Directory for the files [default: codes, beside the model]
    #[arg(long, value_name = "DIR", help_heading = "Results")]
    out: Option<PathBuf>,

    /// Leave out codes.csv, which takes 10 kB per image
    #[arg(long, help_heading = "Results")]
    no_csv: bool,
}

pub(crate) fn run(args: &EncodeArgs, as_json: bool, progress: bool) -> Result<String> {
    let (trained, spec) = inference::model(&args.model, Some(&args.data))?;
    let data = inference::data(&trained, &spec, progress)?;
    let images = args.data.split.of(&data, &trained)?;
    let (mut engine, machine) = inference::engine(&trained, &spec, Some(&data))?;
    let codes =
        inference::infer(&mut *engine, &trained, Input::Rows(images.source, &images.rows), Want::Codes)?;
    let len = trained.network.code_len();
    let names = trained.names(&data.class_names);
    fm_engines::set_threads(machine.threads)?;
    let pca = Pca::new(&codes, len).map_err(|e| fm_engines::failed(&e))?;
    let shares = pca.explained;

    let out = args.out.clone().unwrap_or_else(|| trained.beside("codes"));
    store::create_dir(&out).map_err(inference::elsewhere)?;
    store::write(&out.join("codes.npy"), &npy::floats(&codes, len)?).map_err(inference::elsewhere)?;
    store::write(&out.join("labels.npy"), &npy::bytes(&images.labels)?)?;
    let class = |label: u8| names[usize::from(label)].clone();
    if !args.no_csv {
        let numbered: Vec<String> = (0..len).map(|i| format!("code{i}")).collect();
        let header: Vec<&str> =
            ["index", "label", "class"].into_iter().chain(numbered.iter().map(String::as_str)).collect();
        let rows = codes.chunks_exact(len).zip(&images.labels).enumerate().map(|(i, (code, &label))| {
            let mut row = vec![i.to_string(), label.to_string(), class(label)];
            row.extend(code.iter().map(store::number));
            row
        });
        store::write_table(&out.join("codes.csv"), &header, rows)?;
    }
    let rows = pca.points.iter().zip(&images.labels).enumerate().map(|(i, (&(x, y), &label))| {
        vec![i.to_string(), label.to_string(), class(label), format!("{x:.6}"), format!("{y:.6}")]
    });
    store::write_table(&out.join("pca.csv"), &["index", "label", "class", "pc1", "pc2"], rows)?;
    let title = format!("codes of {} · {} · {}", trained.network.arch, data.name, args.data.split.name());
    let axes =
        [0, 1].map(|i| format!("principal component {} ({:.1} % of the variance)", i + 1, 100.0 * shares[i]));
    let points: Vec<(f64, f64, u8)> =
        pca.points.iter().zip(&images.labels).map(|(&(x, y), &label)| (x, y, label)).collect();
    picture(&out, "pca", || Ok(fm_report::scatter(&points, &names, [&axes[0], &axes[1]], &title)))?;

    if as_json {
        let result = json!({
            "images": images.rows.len(), "code_length": len, "explained_variance": shares,
            "total_variance": pca.total, "results": out.display().to_string(),
        });
        return Ok(format!("{result:#}\n"));
    }
    let mut text = format!("{title}: {} images, {len} values each\n", images.rows.len());
    for axis in axes {
        let _ = writeln!(text, "  {axis}");
    }
    let _ = writeln!(text, "  results  {}", out.display());
    Ok(text)
}
