//! What a command computes with: the machine, and the data set.

use std::io::ErrorKind;

use fm_data::{DataError, Dataset, DatasetName, LoadOptions, Verify};
use fm_run::RunSpec;
use fm_run::spec::{DeviceRequest, VerifyMode};
use fm_train::Machine;

use crate::error::{Error, Kind, Result};

/// The device and threads of a run. libtorch is told of the threads by what uses it: the eager engine alone, so
/// that the fused one starts none but its own.
///
/// # Errors
/// When the device is not there.
pub(crate) fn machine(spec: &RunSpec) -> Result<Machine> {
    if spec.deterministic {
        // Before the first question about CUDA.
        fm_torch::make_deterministic().map_err(|e| fm_engines::failed(&e))?;
    }
    let device = fm_engines::resolve(spec.device)?;
    Ok(Machine { device, threads: spec.threads, precision: spec.precision })
}

/// The machine for a plan's engines, which `names` tells: `auto` may have chosen a device that only some can use.
///
/// # Errors
/// Those of `names`.
pub(crate) fn settled(
    device: DeviceRequest,
    machine: Machine,
    names: impl Fn(Machine) -> Result<String>,
) -> Result<(Machine, String)> {
    let engines = names(machine)?;
    let settled = fm_engines::settle(device, machine, &engines);
    Ok(if settled == machine { (machine, engines) } else { (settled, names(settled)?) })
}

/// The data set; `progress` draws a bar if it must be downloaded.
///
/// # Errors
/// When it is missing, damaged, or with `--verify strict` not the published one.
pub(crate) fn load(spec: &RunSpec, progress: bool) -> Result<Dataset> {
    let verify = match spec.verify {
        VerifyMode::Warn => Verify::Warn,
        VerifyMode::Strict => Verify::Strict,
    };
    let options = LoadOptions { data_dir: spec.data_dir.clone(), verify, progress, ..LoadOptions::default() };
    let data = fm_data::load(&DatasetName::from(spec.dataset.clone()), &options).map_err(failed)?;
    for warning in &data.warnings {
        tracing::warn!("{warning}");
    }
    Ok(data)
}

/// The data set if it is on this machine.
///
/// # Errors
/// When it is not, or is damaged.
pub(crate) fn load_local(spec: &RunSpec) -> Result<Dataset> {
    let options = LoadOptions { data_dir: spec.data_dir.clone(), download: false, ..LoadOptions::default() };
    fm_data::load(&DatasetName::from(spec.dataset.clone()), &options).map_err(failed)
}

/// A data set's error as one of the run's.
#[expect(clippy::needless_pass_by_value, reason = "it is what map_err hands over")]
pub(crate) fn failed(error: DataError) -> Error {
    let kind = match error.kind() {
        _ if matches!(&error, DataError::Unreadable { source, .. } if source.kind() == ErrorKind::OutOfMemory) => {
            Kind::Device
        }
        fm_data::ErrorKind::Data => Kind::Data,
        fm_data::ErrorKind::Io => Kind::Io,
    };
    let with_notes = error.notes().into_iter().fold(Error::new(kind, error.to_string()), Error::note);
    error.help().into_iter().fold(with_notes, Error::help)
}
