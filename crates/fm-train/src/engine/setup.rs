//! What an engine is built from: a device, data, and a place for codes.

use std::fmt;
use std::path::Path;

use fm_images::Dataset;
use fm_run::error::{Error, Kind};
use fm_run::spec::Precision;

use crate::plan::Plan;

/// A kind of device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    /// The CPU.
    Cpu,
    /// A CUDA device by number.
    Cuda(usize),
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
        }
    }
}

/// A device, its threads and its precision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Machine {
    /// The device.
    pub device: Device,
    /// CPU threads; all cores where it is not said.
    pub threads: Option<usize>,
    /// How exactly it computes products. An engine that does not compute so does not cover the machine.
    pub precision: Precision,
}

impl Machine {
    /// Why an engine that computes on the CPU, or in fp32 alone, does not cover this machine, if that is so.
    ///
    /// # Errors
    /// The reason, for [`EngineDef::covers`](super::EngineDef::covers).
    pub fn in_fp32(self) -> Result<(), String> {
        match self.precision {
            Precision::Fp32 => Ok(()),
            Precision::Tf32 => Err(format!("--precision tf32: it computes in fp32 on {}", self.device)),
        }
    }

    /// The CPU with all its cores.
    pub const CPU: Self = Self { device: Device::Cpu, threads: None, precision: Precision::Fp32 };
}

/// Where codes of a frozen encoder are kept.
#[derive(Debug, Clone, Copy)]
pub struct CodeStore<'a> {
    /// Bytes of memory that they may take; beyond, they go to the disk.
    pub limit: u64,
    /// The directory for those that do.
    pub dir: &'a Path,
}

impl CodeStore<'_> {
    /// All codes in memory.
    #[must_use]
    pub fn unlimited() -> Self {
        Self { limit: u64::MAX, dir: Path::new(".") }
    }

    /// Whether the codes of `rows` images, `len` values each, stay in memory; logs which.
    #[must_use]
    pub fn in_memory(&self, rows: usize, len: usize) -> bool {
        let bytes = (rows * len * size_of::<f32>()) as u64;
        let fits = bytes <= self.limit;
        let place = if fits { "in memory".to_owned() } else { format!("on disk, in {}", self.dir.display()) };
        tracing::info!("codes of {rows} images, computed once: {} MB {place}", bytes / 1_000_000);
        fits
    }
}

/// What an engine is built from, besides a network and its tensors.
#[derive(Debug, Clone, Copy)]
pub struct Setup<'a> {
    /// The data that it trains on and evaluates; none for inference on images from outside alone.
    pub data: Option<&'a Dataset>,
    /// What computes.
    pub machine: Machine,
    /// The most images in a step.
    pub batch_size: usize,
    /// What dropout's masks are keyed by, [`Seeds::order`](fm_run::spec::Seeds::order).
    pub seed: u64,
    /// Where a frozen encoder's codes are kept.
    pub codes: CodeStore<'a>,
}

impl<'a> Setup<'a> {
    /// For a plan on a data set, all codes in memory.
    #[must_use]
    pub fn new(data: &'a Dataset, plan: &Plan, machine: Machine) -> Self {
        let Plan { batch_size, seeds, .. } = *plan;
        Self { data: Some(data), machine, batch_size, seed: seeds.order, codes: CodeStore::unlimited() }
    }
}

/// The error of an engine that was built without data and is asked for rows.
#[must_use]
pub fn no_data() -> Error {
    Error::new(Kind::Other, "the engine was built without a data set, for images from outside alone")
}
