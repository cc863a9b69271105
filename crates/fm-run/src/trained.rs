//! A trained model from its file: bytes → tensors and metadata → a network that they fit.
//!
//! The file may be one of ours or one that was written from PyTorch with the same names. What does not fit
//! is listed all at once.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use fm_net::{Arch, NamedTensor, Network, Part};

use crate::error::Result;

mod file;

pub use file::{Contents, ModelFile};

/// The most classes: a label is a byte.
const MAX_CLASSES: usize = 256;

/// A network with its weights.
#[derive(Debug)]
pub struct Trained {
    /// The model file.
    pub path: PathBuf,
    /// What its tensors are.
    pub network: Network,
    /// The tensors, in canonical order.
    pub weights: Vec<NamedTensor>,
    /// By label, where the file says.
    pub class_names: Option<Vec<String>>,
    /// The run that wrote it, where the file says.
    pub run_id: Option<String>,
}

/// Loads a model. `arch` goes before what the file says of itself; without either, the number of its
/// convolutions tells, for 28×28 images.
///
/// # Errors
/// [`Kind::Io`](crate::error::Kind::Io) when there is no file, [`Kind::Mismatch`](crate::error::Kind::Mismatch) when it is not
/// a model of the architecture: every
/// missing, unexpected, wrongly shaped and wrongly typed tensor at once.
pub fn load(run: &Path, arch: Option<&Arch>) -> Result<Trained> {
    let file = ModelFile::read(run)?;
    let contents = file.contents()?;
    let said = contents.metadata.get("arch").map(|text| {
        if text.contains(char::is_control) {
            return Err(
                file.mismatch(format!("its architecture is unknown: {text:?} has control characters"))
            );
        }
        text.parse::<Arch>().map_err(|e| file.mismatch(format!("its architecture is unknown: {e}")))
    });
    let said = said.transpose()?;
    let help = match (arch, &said) {
        (Some(given), Some(said)) if given != said => format!("leave --arch out: the file says {said}"),
        _ => "--arch names another architecture".to_owned(),
    };
    let arch = match (arch.cloned(), said) {
        (Some(arch), _) | (None, Some(arch)) => arch,
        (None, None) => guess(&contents.tensors).ok_or_else(|| {
            file.mismatch("cannot tell the architecture from metadata or tensor names")
                .help("name it with --arch")
        })?,
    };
    let class_names = file.class_names(&contents)?;
    let last = last_bias(&arch, &contents.tensors);
    let named = class_names.as_ref().map(Vec::len);
    let classes = last.map(|w| w.data.len()).or(named).unwrap_or(1);
    let mut wrong = Vec::new();
    if classes > MAX_CLASSES {
        return Err(file.mismatch(format!("{classes} classes, at most {MAX_CLASSES} are possible")));
    }
    if let (Some(named), Some(last)) = (named, last.filter(|_| named.is_some_and(|n| n != classes))) {
        wrong.push(format!("{named} class names, and {} has {classes} values", last.name));
    }
    let network = Network::new(&arch, classes).map_err(|e| file.mismatch(e.to_string()))?;
    let Contents { tensors: mut weights, types, .. } = contents;
    let mut differences = fm_net::check(&network, &weights).err().map(|e| e.to_string());
    for line in wrong.into_iter().chain(types) {
        let lines = differences.get_or_insert_with(|| format!("weights do not fit {arch}:"));
        let _ = write!(lines, "\n  {line}");
    }
    if let Some(text) = differences {
        return Err(file.mismatch(text).help(help));
    }
    file.check_finite(&weights)?;
    weights.sort_by_key(|w| network.tensors().position(|t| t.name == w.name));
    let run_id = contents.metadata.get("run_id").cloned();
    Ok(Trained { path: file.path, network, weights, class_names, run_id })
}

/// The alias with the same tensors in its encoder.
fn guess(tensors: &[NamedTensor]) -> Option<Arch> {
    let encoder = |names: Vec<&str>| -> BTreeSet<String> {
        names.into_iter().filter(|name| Part::Encoder.owns(name)).map(str::to_owned).collect()
    };
    let found = encoder(tensors.iter().map(|w| w.name.as_str()).collect());
    Arch::aliases().find(|arch| {
        let network = Network::new(arch, 10);
        network.is_ok_and(|n| encoder(n.tensors().map(|t| t.name.as_str()).collect()) == found)
    })
}

/// The bias of `arch`'s last layer, whose values are one a class.
fn last_bias<'a>(arch: &Arch, tensors: &'a [NamedTensor]) -> Option<&'a NamedTensor> {
    let network = Network::new(arch, 1).ok()?;
    let last = network
        .tensors()
        .filter(|t| {
            Part::Head.owns(&t.name) && t.name.rsplit_once('.').is_some_and(|(_, last)| last == "bias")
        })
        .last()?;
    tensors.iter().find(|w| w.name == last.name && w.shape.len() == 1)
}

impl Trained {
    /// Class names: the file's, `otherwise` where there are as many, or numbers.
    pub fn names(&self, otherwise: &[String]) -> Vec<String> {
        let classes = self.network.classes.unwrap_or(0);
        match &self.class_names {
            Some(names) => names.clone(),
            None if otherwise.len() == classes => otherwise.to_vec(),
            None => (0..classes).map(|class| class.to_string()).collect(),
        }
    }

    /// Where results about it go unless said otherwise: `name` beside its file.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.path.parent().unwrap_or(Path::new(".")).join(name)
    }
}

#[cfg(test)]
mod tests {
    use safetensors::Dtype;
    use safetensors::tensor::TensorView;

    use super::*;
    use crate::error::Kind;
    use crate::{model_file, store};

    fn file(dir: &Path, weights: &[NamedTensor], metadata: &[(&str, &str)]) -> PathBuf {
        let metadata = metadata.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())).collect();
        let path = dir.join("m.safetensors");
        store::write(&path, &model_file::encode(weights, &metadata).unwrap()).unwrap();
        path
    }

    #[test]
    fn a_file_without_metadata_tells_what_it_is() {
        let dir = tempfile::tempdir().unwrap();
        for arch in Arch::aliases() {
            let network = Network::new(&arch, 7).unwrap();
            let mut weights = fm_net::init::initial(&network, 3);
            weights.reverse();
            let loaded = load(&file(dir.path(), &weights, &[]), None).unwrap();
            weights.reverse();
            assert_eq!((loaded.network, loaded.weights), (network, weights));
            assert_eq!(loaded.class_names, None);
        }
    }

    #[test]
    fn pytorchs_count_of_batches_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let arch: Arch = "4C3.bn-MP2--8".parse().unwrap();
        let network = Network::new(&arch, 10).unwrap();
        let weights = fm_net::init::initial(&network, 3);
        let bytes = |w: &NamedTensor| w.data.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
        let data: Vec<Vec<u8>> = weights.iter().map(bytes).collect();
        let write = |extra: &str| {
            let tensors = weights.iter().zip(&data);
            let view = |dtype, shape, data| TensorView::new(dtype, shape, data).unwrap();
            let mut views: Vec<_> =
                tensors.map(|(w, data)| (w.name.as_str(), view(Dtype::F32, w.shape.clone(), data))).collect();
            let count = 20_i64.to_le_bytes();
            views.push((extra, view(Dtype::I64, vec![], &count)));
            let path = dir.path().join("m.safetensors");
            store::write(&path, &safetensors::serialize(views, None).unwrap()).unwrap();
            path
        };
        let loaded = load(&write("encoder.norm1.num_batches_tracked"), Some(&arch)).unwrap();
        assert_eq!((loaded.network, loaded.weights), (network.clone(), weights.clone()));
        // Any other number of that type is no part of the network.
        let error = load(&write("encoder.norm1.steps"), Some(&arch)).unwrap_err().to_string();
        assert!(error.contains("unexpected encoder.norm1.steps"), "{error}");
    }

    #[test]
    fn class_names_are_as_many_as_the_last_bias_has_values_and_all_different() {
        let dir = tempfile::tempdir().unwrap();
        // More than nine dense layers: their names sort in another order than they stand.
        for (arch, classes) in [("4C3-MP2--8-8-8-8-8-8-8-8-8-8", 2), ("cnn", 10), ("4C3-MP2--8", 1)] {
            let network = Network::new(&arch.parse().unwrap(), classes).unwrap();
            let weights = fm_net::init::initial(&network, 0);
            let with =
                |names: &str| load(&file(dir.path(), &weights, &[("arch", arch), ("classes", names)]), None);
            let names: Vec<String> = (0..classes).map(|i| format!("class {i}")).collect();
            let good = with(&serde_json::to_string(&names).unwrap()).unwrap();
            assert_eq!((good.network.classes, good.names(&[])), (Some(classes), names));
            let many: Vec<String> = (0..300).map(|i| i.to_string()).collect();
            for (names, piece) in [
                ("[]", "0 class names, and head."),
                (r#"["a","b","c"]"#, "3 class names, and head."),
                (&serde_json::to_string(&many).unwrap(), "300 class names, and head."),
                (r#"["a","\u001b]0;x"]"#, "has control characters"),
                (r#"["a",""]"#, "is empty"),
                (r#"["a","a"]"#, "\"a\" is there twice"),
                ("{", "its class names are unusable"),
                ("[1]", "its class names are unusable"),
            ] {
                let error = with(names).unwrap_err();
                assert_eq!(error.kind(), Kind::Mismatch);
                assert!(error.to_string().contains(piece), "{arch}, {names}: {error}");
            }
        }
    }

    #[test]
    fn names_that_a_terminal_would_obey_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let network = Network::new(&"cnn".parse().unwrap(), 10).unwrap();
        let mut weights = fm_net::init::initial(&network, 0);
        let text = |weights: &[NamedTensor], arch| {
            load(&file(dir.path(), weights, &[("arch", arch)]), None).unwrap_err().to_string()
        };
        assert!(text(&weights, "cnn\n\u{1b}[2J").contains(r#""cnn\n\u{1b}[2J" has control characters"#));
        weights[0].name.push_str("\nerror: forged");
        let error = text(&weights, "cnn");
        assert!(error.contains(r"\nerror: forged") && !error.contains("\nerror: forged"), "{error}");
    }

    #[test]
    fn more_classes_than_labels_can_say_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let network = Network::new(&"4C3-MP2--8".parse().unwrap(), 300).unwrap();
        let weights = fm_net::init::initial(&network, 0);
        let error = load(&file(dir.path(), &weights, &[("arch", "4C3-MP2--8")]), None).unwrap_err();
        assert!(error.message().starts_with("300 classes, at most 256"), "{error}");
    }

    #[test]
    fn weights_that_are_no_numbers_are_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let network = Network::new(&"cnn".parse().unwrap(), 10).unwrap();
        let mut weights = fm_net::init::initial(&network, 0);
        weights[0].data.fill(f32::INFINITY);
        weights[9].data[3] = f32::NAN;
        let error = load(&file(dir.path(), &weights, &[("arch", "cnn")]), None).unwrap_err();
        assert_eq!(error.kind(), Kind::Mismatch);
        let text = error.to_string();
        assert!(text.contains("encoder.conv1.weight: 288 of 288"), "{text}");
        assert!(text.contains("head.dense2.bias: 1 of 10") && text.contains("m.safetensors"), "{text}");
    }

    #[test]
    fn everything_that_does_not_fit_is_told_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let network = Network::new(&"cnn".parse().unwrap(), 10).unwrap();
        let mut weights = fm_net::init::initial(&network, 0);
        weights[0].name = "encoder.convX.weight".to_owned();
        weights[2].shape = vec![9, 64, 32];
        let metadata = [("arch", "cnn"), ("classes", r#"["a","b","c"]"#)];
        let error = load(&file(dir.path(), &weights, &metadata), None).unwrap_err().to_string();
        for piece in [
            "missing encoder.conv1.weight",
            "unexpected encoder.convX.weight",
            "encoder.conv2.weight is [9, 64, 32], expected [64, 32, 3, 3]",
            "3 class names, and head.dense2.bias has 10 values",
            "m.safetensors",
        ] {
            assert!(error.contains(piece), "{piece} in:\n{error}");
        }
        assert!(load(&dir.path().join("none"), None).unwrap_err().to_string().contains("model.safetensors"));
    }
}
