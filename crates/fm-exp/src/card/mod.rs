//! `fm-exp export --card`: a model card from a run's own files, with the front matter of Hugging Face's model cards
//! (Mitchell et al. 2019, arXiv:1810.03993; <https://huggingface.co/docs/hub/model-cards>).
//!
//! ```text
//! config.toml, summary.json, confusion.csv, model.safetensors ─ Facts ─┬─▸ front: YAML for programs
//!                                                                      └─▸ text: Markdown for people
//! ```
//!
//! A card is written when a model is passed on, and not by every run: it says nothing that the run's files do not, and
//! files beside it (ONNX, C) are those of the same command.

mod front;
mod text;

use std::path::{Path, PathBuf};

use fm_run::tables::{self, Confusion};
use fm_run::trained::Trained;
use fm_run::{Identified, files, read_config, store};
use serde_json::Value;

use crate::commands::compare::failed;
use crate::error::{Error, Kind, Result};

/// What a card says.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    /// The directory's name.
    name: String,
    trained: &'a Trained,
    /// The statement and where it comes from.
    run: Identified,
    /// `summary.json`.
    summary: Value,
    confusion: Confusion,
    /// Epochs at which the test set was scored on the way.
    scored_at: Vec<u32>,
    /// Files that the same command has written.
    beside: Vec<PathBuf>,
}

/// The card of the run that `trained` belongs to, as Markdown with YAML in front. `beside` are other files of the model.
///
/// # Errors
/// [`Kind::Mismatch`] when the model is not in a finished run's directory; else what its files lack.
pub(crate) fn card(trained: &Trained, beside: &[PathBuf]) -> Result<String> {
    let config = trained.beside(files::CONFIG);
    let dir = config.parent().unwrap_or_else(|| Path::new("."));
    let lacks = [files::CONFIG, files::SUMMARY, files::CONFUSION].into_iter().find(|f| !dir.join(f).exists());
    if let Some(file) = lacks {
        return Err(Error::new(Kind::Mismatch, format!("{} has no {file}", dir.display()))
            .help("a card is made from a finished run's files: give the run's directory"));
    }
    let run = read_config(&store::read_text(&config, store::MAX_KEYS)?)?;
    let summary = tables::read_json(&dir.join(files::SUMMARY)).map_err(|e| failed(e.into()))?;
    let confusion = Confusion::read(&dir.join(files::CONFUSION)).map_err(|e| failed(e.into()))?;
    let place = std::path::absolute(dir).map_err(|e| Error::io("find", dir, &e))?;
    let name = summary["name"]
        .as_str()
        .map_or_else(|| place.file_name().unwrap_or_default().to_string_lossy().into_owned(), str::to_owned);
    let scored_at = run.spec.score_at.iter().copied().filter(|&epochs| epochs != run.spec.epochs).collect();
    let facts = Facts { name, trained, run, summary, confusion, scored_at, beside: beside.to_vec() };
    Ok(format!("{}\n{}", front::front(&facts), text::text(&facts)))
}

impl Facts<'_> {
    /// A data set's name, or the last part of its directory.
    fn dataset(&self) -> String {
        let given = self.run.value("dataset").and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
        Path::new(&given).file_name().map_or(given.clone(), |name| name.to_string_lossy().into_owned())
    }

    /// A number of the scores on the test set.
    fn test(&self, what: &str) -> Option<f64> {
        self.summary["test"][what].as_f64()
    }

    /// The classes by label.
    fn classes(&self) -> &[String] {
        self.confusion.classes()
    }
}
