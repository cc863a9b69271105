//! A model file: bytes → tensors, types and metadata, whatever network they belong to.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use fm_net::NamedTensor;
use safetensors::{Dtype, SafeTensors};

use crate::error::{Error, Kind, Result};
use crate::{files, model_file, store};

/// How the names of a tensor end that PyTorch writes and nothing here reads.
const BATCHES_TRACKED: &str = ".num_batches_tracked";

/// The most bytes of a model file: as many values as a network may have, and what describes them.
const MAX_BYTES: u64 = 4 * fm_net::limits::MAX_PARAMS + (128 << 20);

/// A model file's contents.
#[derive(Debug)]
pub struct ModelFile {
    /// Where it was read.
    pub path: PathBuf,
    /// All of it.
    pub bytes: Vec<u8>,
}

/// Tensors and what the file says of itself.
#[derive(Debug)]
pub struct Contents {
    /// Every tensor, by name.
    pub tensors: Vec<NamedTensor>,
    /// Tensors that are no 32-bit floats, as lines; they hold zeros.
    pub types: Vec<String>,
    pub(super) metadata: BTreeMap<String, String>,
}

impl ModelFile {
    /// Reads `run`'s `model.safetensors`, or `run` itself where that is a file.
    ///
    /// # Errors
    /// [`Kind::Io`] when there is none.
    pub fn read(run: &Path) -> Result<Self> {
        let path = if run.is_dir() { run.join(files::MODEL) } else { run.to_owned() };
        let bytes = store::read(&path, MAX_BYTES).map_err(|error| {
            if run.is_dir() && !path.exists() {
                return error
                    .help("the directory holds no finished run; give one that does, or a model.safetensors");
            }
            error.help("give a run's directory or a model.safetensors")
        })?;
        Ok(Self { path, bytes })
    }

    /// An error about this file.
    pub fn mismatch(&self, text: impl Into<String>) -> Error {
        Error::new(Kind::Mismatch, text).note(format!("file {}", self.path.display()))
    }

    /// Sees that every value is a finite number: anything else makes all that is computed from it meaningless.
    ///
    /// # Errors
    /// [`Kind::Mismatch`] that names each tensor with other values.
    pub fn check_finite(&self, tensors: &[NamedTensor]) -> Result<()> {
        let mut lines = String::new();
        for tensor in tensors {
            let wrong = tensor.data.iter().filter(|value| !value.is_finite()).count();
            if wrong > 0 {
                let _ = write!(lines, "\n  {}: {wrong} of {}", tensor.name, tensor.data.len());
            }
        }
        if lines.is_empty() {
            return Ok(());
        }
        Err(self
            .mismatch(format!("weights that are infinite or not a number:{lines}"))
            .help("the training that wrote it has diverged; take an earlier model, or train again with a smaller --lr"))
    }

    /// The class names in the metadata, where there are any.
    pub(super) fn class_names(&self, contents: &Contents) -> Result<Option<Vec<String>>> {
        let Some(text) = contents.metadata.get("classes") else { return Ok(None) };
        let bad = |what: String| self.mismatch(format!("its class names are unusable: {what}"));
        let names: Vec<String> = serde_json::from_str(text).map_err(|e| bad(e.to_string()))?;
        let mut seen = BTreeSet::new();
        if let Some(name) = names.iter().find(|name| name.is_empty() || name.contains(char::is_control)) {
            return Err(bad(format!("{name:?} is empty or has control characters")));
        }
        match names.iter().find(|name| !seen.insert(name.as_str())) {
            Some(name) => Err(bad(format!("{name:?} is there twice"))),
            None => Ok(Some(names)),
        }
    }

    /// Every tensor, whatever network it belongs to. PyTorch's count of batches, `*.num_batches_tracked`, is left
    /// out: it is a number beside every batch norm that computes nothing here.
    ///
    /// # Errors
    /// [`Kind::Mismatch`] when it is no safetensors file.
    pub fn contents(&self) -> Result<Contents> {
        let bad = |e: safetensors::SafeTensorError| self.mismatch(format!("not a safetensors file: {e}"));
        let file = SafeTensors::deserialize(&self.bytes).map_err(bad)?;
        let (_, header) = SafeTensors::read_metadata(&self.bytes).map_err(bad)?;
        let metadata = header.metadata().iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect();
        let (mut tensors, mut types) = (Vec::new(), Vec::new());
        for (name, view) in file.iter().filter(|(name, _)| !name.ends_with(BATCHES_TRACKED)) {
            if name.contains(char::is_control) {
                return Err(self.mismatch(format!("tensor {name:?} has control characters in its name")));
            }
            let (shape, dtype) = (view.shape().to_vec(), view.dtype());
            let data = if dtype == Dtype::F32 {
                model_file::floats(view.data())
            } else {
                types.push(format!("{name} is {dtype:?}, expected F32"));
                vec![0.0; shape.iter().product()]
            };
            tensors.push(NamedTensor { name: name.to_owned(), shape, data });
        }
        tensors.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Contents { tensors, types, metadata })
    }
}
