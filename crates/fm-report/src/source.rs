//! Where a run's files come from: its directory, or a file that packs the runs of a directory of results.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use fm_run::tables::{self, Confusion, EpochRow, Prediction, ReadError};
use fm_run::{Identified, files, read_config, store};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::packed::{self, Left, Scored};

/// A run that can be read, at any of its lengths: its own (`None`), or one that was scored on the way.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// Its directory, or what that would be.
    pub dir: PathBuf,
    /// What a packed file has of it, where it comes from one.
    packed: Option<Arc<Left>>,
}

/// The runs of a place: a run's directory, one that holds runs, a packed file, or a run within one. A run that
/// has a directory is read from there, though a packed file has it too.
///
/// # Errors
/// When the place or its packed file cannot be read.
pub fn sources(place: &Path) -> Result<Vec<Source>> {
    if place.join(files::CONFIG).exists() {
        return Ok(vec![Source { dir: place.to_owned(), packed: None }]);
    }
    if place.is_file() {
        return packed(place, place.parent().unwrap_or(Path::new("")));
    }
    if let Some(parent) = place.parent() {
        let beside = packed(&parent.join(files::PACKED), parent)?;
        if let Some(run) = beside.into_iter().find(|run| run.dir == place) {
            return Ok(vec![run]);
        }
    }
    let unreadable = |source| ReadError::Unreadable { path: place.to_owned(), source };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(place).map_err(unreadable)? {
        let dir = entry.map_err(unreadable)?.path();
        if dir.join(files::CONFIG).exists() {
            found.push(Source { dir, packed: None });
        }
    }
    let directories = found.len();
    for run in packed(&place.join(files::PACKED), place)? {
        if !found[..directories].iter().any(|other| other.dir == run.dir) {
            found.push(run);
        }
    }
    found.sort_by(|a, b| a.dir.cmp(&b.dir));
    Ok(found)
}

/// The finished runs of a place, see [`sources`], and the directories of the others.
///
/// # Errors
/// As [`sources`].
pub fn finished(place: &Path) -> Result<(Vec<Source>, Vec<PathBuf>)> {
    let (finished, others): (Vec<_>, Vec<_>) = sources(place)?.into_iter().partition(Source::done);
    Ok((finished, others.into_iter().map(|run| run.dir).collect()))
}

/// The runs of a packed file, as if they were directories in `place`; none where there is no such file.
fn packed(file: &Path, place: &Path) -> Result<Vec<Source>> {
    if !file.is_file() {
        return Ok(Vec::new());
    }
    let runs = packed::decode(file, &ReadError::bytes(file)?)?.into_iter();
    Ok(runs.map(|run| Source { dir: place.join(&run.name), packed: Some(Arc::new(run)) }).collect())
}

impl Source {
    /// Whether the run is finished.
    pub fn done(&self) -> bool {
        self.packed.is_some() || store::done(&self.dir).is_some()
    }

    /// Whether it comes from a packed file.
    pub(crate) fn is_packed(&self) -> bool {
        self.packed.is_some()
    }

    /// The text of its `config.toml`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn config(&self) -> Result<String> {
        self.text(files::CONFIG, |left| &left.config)
    }

    /// What it is, by its `config.toml`, and the text of that.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn run(&self) -> Result<(Identified, String)> {
        let config = self.config()?;
        let path = || self.dir.join(files::CONFIG);
        let run =
            read_config(&config).map_err(|e| Error::File { path: path(), what: e.message().to_owned() })?;
        Ok((run, config))
    }

    /// The rows of its `epochs.csv`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn epochs(&self) -> Result<Vec<EpochRow>> {
        let text = self.text(files::EPOCHS, |left| &left.epochs)?;
        Ok(tables::parse(&self.dir.join(files::EPOCHS), text.as_bytes())?)
    }

    fn text(&self, file: &str, packed: fn(&Left) -> &String) -> Result<String> {
        if let Some(left) = &self.packed {
            return Ok(packed(left).clone());
        }
        let path = self.dir.join(file);
        String::from_utf8(ReadError::bytes(&path)?)
            .map_err(|_| Error::File { path, what: "not UTF-8".to_owned() })
    }

    /// The lengths at which it was scored.
    ///
    /// # Errors
    /// When its directory cannot be read.
    pub fn lengths(&self) -> Result<Vec<Option<u32>>> {
        if let Some(left) = &self.packed {
            return Ok(left.scored.iter().map(|scored| scored.at).collect());
        }
        let unreadable = |source| ReadError::Unreadable { path: self.dir.clone(), source };
        let mut lengths = Vec::new();
        for entry in std::fs::read_dir(&self.dir).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            lengths.extend(files::epochs_of(&path).filter(|_| path.join(files::SUMMARY).exists()).map(Some));
        }
        lengths.sort_unstable();
        lengths.push(None);
        Ok(lengths)
    }

    /// Whether it was scored on the way at that length.
    pub(crate) fn scored_at(&self, epochs: u32) -> bool {
        match &self.packed {
            Some(left) => left.at(Some(epochs)).is_some(),
            None => self.place(Some(epochs)).join(files::SUMMARY).exists(),
        }
    }

    /// Its `summary.json` at a length; none where it was not scored then.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn summary(&self, at: Option<u32>) -> Result<Option<Value>> {
        if let Some(left) = &self.packed {
            return Ok(left.at(at).map(|scored| scored.summary.clone()));
        }
        let path = self.place(at).join(files::SUMMARY);
        if at.is_some() && !path.exists() {
            return Ok(None);
        }
        Ok(Some(tables::read_json(&path)?))
    }

    /// Its tables at a length at which it was scored; no predictions where they were not kept.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn tables(&self, at: Option<u32>) -> Result<(Confusion, Vec<Prediction>)> {
        if let Some(left) = &self.packed {
            let lacking = || Error::File { path: self.place(at), what: "not scored".to_owned() };
            let scored = left.at(at).ok_or_else(lacking)?;
            return Ok((scored.confusion.clone(), scored.predictions.clone()));
        }
        let place = self.place(at);
        let predictions = place.join(files::PREDICTIONS);
        let predictions = if predictions.exists() { tables::read(&predictions)? } else { Vec::new() };
        Ok((Confusion::read(&place.join(files::CONFUSION))?, predictions))
    }

    /// Where its files of a length lie, or would.
    pub(crate) fn place(&self, at: Option<u32>) -> PathBuf {
        at.map_or(self.dir.clone(), |epochs| self.dir.join(files::scores_at(epochs)))
    }

    /// Everything that is packed of it.
    pub(crate) fn left(&self) -> Result<Arc<Left>> {
        if let Some(left) = &self.packed {
            return Ok(Arc::clone(left));
        }
        let mut scored = Vec::new();
        for at in self.lengths()? {
            let Some(summary) = self.summary(at)? else { continue };
            let (confusion, predictions) = self.tables(at)?;
            scored.push(Scored { at, summary, confusion, predictions });
        }
        let name = self.dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let epochs = self.text(files::EPOCHS, |left| &left.epochs)?;
        Ok(Arc::new(Left { name, config: self.config()?, epochs, scored }))
    }
}
