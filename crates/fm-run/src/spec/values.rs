//! Values of a run's keys.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use fm_images::Augment;
use fm_net::Arch;
use toml::Value;

use super::setting::{Setting, choice, to_text};
use crate::error::Error;

choice! {
    /// How the data set is divided.
    Protocol {
        /// One training image in twelve (or --holdout-share) validates, drawn by class (Fashion-MNIST: 55,000 train, 5,000 validate); the test set is scored once, last
        Holdout = "holdout",
        /// Every training image trains, nothing validates; the test set is scored once, last
        Notebook = "notebook",
    }
}

choice! {
    /// What to do when a published data set's files differ from the published ones.
    VerifyMode {
        /// Print a warning and continue
        Warn = "warn",
        /// Stop
        Strict = "strict",
    }
}

choice! {
    /// How exactly products are computed. Sums, weights and everything else are 32-bit floats either way.
    Precision {
        /// 32-bit floats
        Fp32 = "fp32",
        /// Inputs rounded to TF32's ten bits of mantissa, on NVIDIA GPUs since Ampere
        Tf32 = "tf32",
    }
}

choice! {
    /// Whether the encoder trains.
    EncoderMode {
        /// The head alone trains, on codes that are computed once
        Frozen = "frozen",
        /// Encoder and head train together
        Unfrozen = "unfrozen",
    }
}

choice! {
    /// What turns gradients into updates.
    Optimizer {
        /// Adam in Keras' form, without weight decay (Kingma & Ba 2015)
        Adam = "adam",
        /// Adam in PyTorch's form with decoupled weight decay (Loshchilov & Hutter 2019)
        AdamW = "adamw",
        /// Stochastic gradient descent with Nesterov momentum (Sutskever et al. 2013), decay decoupled
        Sgd = "sgd",
        /// Orthogonalised momentum for matrices and kernels (Jordan et al. 2024), AdamW for the rest
        Muon = "muon",
    }
}

/// Where the encoder's weights come from before the run's own training.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pretrain {
    /// The seed's initial values: the control.
    None,
    /// The encoder of an autoencoder, trained first.
    Autoencoder,
    /// The encoder of a `cnn`, whose first blocks are the same, trained first.
    Classifier,
    /// The encoder in an earlier run's `model.safetensors`.
    File(PathBuf),
}

impl Pretrain {
    /// Whether a phase of this run trains the encoder first.
    #[must_use]
    pub fn trains(&self) -> bool {
        matches!(self, Self::Autoencoder | Self::Classifier)
    }
}

impl fmt::Display for Pretrain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Autoencoder => f.write_str("autoencoder"),
            Self::Classifier => f.write_str("classifier"),
            Self::File(path) => f.write_str(&to_text(path.as_os_str())),
        }
    }
}

impl Setting for Pretrain {
    const NAME: &'static str = "HOW|FILE";
    fn offered() -> Vec<&'static str> {
        vec!["none", "autoencoder", "classifier"]
    }
    fn parse(text: &str) -> Result<Self, String> {
        Ok(match text {
            "none" => Self::None,
            "autoencoder" => Self::Autoencoder,
            "classifier" => Self::Classifier,
            path => Self::File(PathBuf::parse(path)?),
        })
    }
    fn show(&self) -> Option<Value> {
        Some(self.to_string().into())
    }
}

/// What `--device` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceRequest {
    /// The first CUDA device where there is one, the CPU otherwise.
    Auto,
    /// The CPU.
    Cpu,
    /// A CUDA device: the first, or one by number.
    Cuda(Option<usize>),
}

impl FromStr for DeviceRequest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(None)),
            _ => match text.strip_prefix("cuda:").map(str::parse) {
                Some(Ok(index)) => Ok(Self::Cuda(Some(index))),
                _ => Err(Error::usage(format!("unknown device '{text}'"))
                    .help("known are auto, cpu, cuda and cuda:N, such as cuda:0")),
            },
        }
    }
}

impl fmt::Display for DeviceRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(None) => f.write_str("cuda"),
            Self::Cuda(Some(index)) => write!(f, "cuda:{index}"),
        }
    }
}

impl Setting for DeviceRequest {
    const NAME: &'static str = "DEVICE";
    fn offered() -> Vec<&'static str> {
        vec!["auto", "cpu", "cuda", "cuda:0"]
    }
    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|e: Error| lines(&e))
    }
    fn show(&self) -> Option<Value> {
        Some(self.to_string().into())
    }
}

impl Setting for Augment {
    const NAME: &'static str = "OPERATION,OPERATION";
    const COMMAS: bool = true;
    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|e: fm_images::AugmentError| e.to_string())
    }
    fn show(&self) -> Option<Value> {
        Some(self.to_string().into())
    }
}

impl Setting for Arch {
    const NAME: &'static str = "NETWORK";
    fn offered() -> Vec<&'static str> {
        fm_net::arch::ALIASES.iter().map(|(name, _)| *name).collect()
    }
    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|e: fm_net::ArchError| lines(&Error::usage(e.render(text))))
    }
    fn show(&self) -> Option<Value> {
        Some(self.to_string().into())
    }
}

/// The network where none is named.
pub(super) fn default_arch() -> Arch {
    "cnn".parse().unwrap_or_else(|_| unreachable!("cnn is an alias"))
}

/// An error as a reason whose further lines are notes and remedies.
fn lines(error: &Error) -> String {
    error.to_string().replace("\n  note: ", "\n").replace("\n  help: ", "\nhelp: ")
}
