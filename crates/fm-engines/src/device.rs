//! Where to compute: what the user asked for, and what is there.
//!
//! The driver answers whether a device is there; that is all that the engine `cuda` needs. Only the engine `eager`
//! needs libtorch's CUDA half besides, and asks for it when it is built.

use fm_cuda::driver::{Context, DeviceInfo, Driver, DriverError};
use fm_run::error::{Error, Kind, Result};
use fm_run::spec::DeviceRequest;
use fm_torch::cuda::{self, CudaError};
use fm_train::engine::{Device, Machine};
use tch::{Kind as TensorKind, TchError, Tensor};

/// The machine's CUDA devices, in the driver's order.
///
/// # Errors
/// Why there is none.
pub fn cuda_devices() -> Result<Vec<DeviceInfo>, DriverError> {
    Driver::load()?.devices()
}

/// The device to use. Only `auto` may choose the CPU where there is no CUDA device that can be used. None is used yet:
/// one that others hold or that has no memory left is found out when an engine is built.
///
/// # Errors
/// [`Kind::Device`] with what is missing.
pub fn resolve(request: DeviceRequest) -> Result<Device> {
    match request {
        DeviceRequest::Cpu => Ok(Device::Cpu),
        DeviceRequest::Auto => Ok(automatic(usable(&cuda_devices(), 0))),
        DeviceRequest::Cuda(index) => {
            let number = index.unwrap_or(0);
            usable(&cuda_devices(), number).map_err(|error| refuse(index, &error))?;
            Ok(Device::Cuda(number))
        }
    }
}

/// The machine for these engines (the names of a plan's): `machine`, but where libtorch would have to compute on a CUDA
/// device that it cannot use and the device was chosen by `auto`, the CPU.
#[must_use]
pub fn settle(request: DeviceRequest, machine: Machine, engines: &str) -> Machine {
    if request != DeviceRequest::Auto || machine.device == Device::Cpu || !engines.contains("eager") {
        return machine;
    }
    let Err(cause) = cuda::devices() else { return machine };
    tracing::warn!(
        "computing on the CPU, though there is an NVIDIA GPU: this network needs libtorch with CUDA: {cause}"
    );
    Machine { device: Device::Cpu, ..machine }
}

/// libtorch's name of a device on which it has been seen to compute.
///
/// # Errors
/// [`Kind::Device`] with what keeps libtorch from computing there.
pub fn to_tch(device: Device) -> Result<tch::Device> {
    let Device::Cuda(index) = device else { return Ok(tch::Device::Cpu) };
    // First the driver: libtorch would say less of what is wrong with it.
    usable(&cuda_devices(), index).map_err(|error| refuse(Some(index), &error))?;
    cuda::devices().map_err(|cause| without_libtorch(device, &cause))?;
    let found = tch::Device::Cuda(index);
    // A context, memory and a kernel, each of which may fail: later, tch would panic.
    let compute = || -> Result<f64, TchError> {
        let two = Tensor::f_ones([1], (TensorKind::Float, found))?.f_add_scalar(1.0)?;
        f64::try_from(two.f_to_device(tch::Device::Cpu)?)
    };
    compute().map_err(|e| Error::device(&e.to_string()).about(&device.to_string()))?;
    Ok(found)
}

/// Whether a device is there and can be used as far as one can tell without using it.
fn usable(found: &Result<Vec<DeviceInfo>, DriverError>, index: usize) -> Result<(), DriverError> {
    let devices = found.as_ref().map_err(Clone::clone)?;
    let info = devices.get(index).ok_or(DriverError::NoSuchDevice { index, count: devices.len() })?;
    Context::allows(info)
}

/// What `auto` makes of the first CUDA device.
fn automatic(first: Result<(), DriverError>) -> Device {
    match first {
        Ok(()) => Device::Cuda(0),
        Err(DriverError::NoDriver { .. }) => Device::Cpu,
        Err(cause) => {
            tracing::warn!("computing on the CPU, though there is an NVIDIA driver: {cause}");
            Device::Cpu
        }
    }
}

/// That a device which was asked for cannot be used, why, and what to do about it.
fn refuse(index: Option<usize>, cause: &DriverError) -> Error {
    let asked = index.map_or_else(|| "--device cuda".to_owned(), |index| format!("--device cuda:{index}"));
    Error::new(Kind::Device, format!("{asked}: no usable CUDA device"))
        .note(cause.to_string())
        .help(cause.help())
        .help("or compute on the CPU: --device cpu")
}

/// That libtorch is to compute on a CUDA device and cannot.
fn without_libtorch(device: Device, cause: &CudaError) -> Error {
    let error =
        Error::new(Kind::Device, format!("{device}: libtorch cannot use it, and --engine eager is libtorch"))
            .note(cause.to_string());
    match cause {
        CudaError::NotLoaded(_) => error.note("the NVIDIA driver and the device are there").help(
            "install libtorch with CUDA: scripts/setup.sh --cuda; or use a network that --engine cuda covers, or --device cpu",
        ),
        CudaError::NoDevice { cuda } => {
            let driver = Driver::load().map_or_else(|e| e.to_string(), |d| format!("the driver runs CUDA {}", d.version()));
            error.note(driver).help(format!(
                "install an NVIDIA driver for CUDA {}; or use a network that --engine cuda covers, or --device cpu",
                cuda / 1000
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use fm_cuda::driver::ComputeMode;

    use super::*;

    fn device(index: usize) -> DeviceInfo {
        DeviceInfo {
            index,
            name: "a GPU".to_owned(),
            capability: (8, 0),
            memory: 1 << 30,
            multiprocessors: 4,
            shared_per_block_optin: 99 << 10,
            compute_mode: ComputeMode::Shared,
            clock_khz: 0,
            l2_bytes: 0,
        }
    }

    fn no_driver() -> DriverError {
        DriverError::NoDriver { reason: "libcuda.so.1: cannot open".to_owned() }
    }

    #[test]
    fn prints_back_what_it_parsed() {
        for text in ["auto", "cpu", "cuda", "cuda:3"] {
            assert_eq!(text.parse::<DeviceRequest>().unwrap().to_string(), text);
        }
        for text in ["gpu", "cuda:", "cuda:-1", "cuda:x", "CPU"] {
            assert!(text.parse::<DeviceRequest>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_auto_falls_back() {
        assert_eq!(automatic(Err(no_driver())), Device::Cpu);
        assert_eq!(automatic(Err(DriverError::NoDevice { hidden: None })), Device::Cpu);
        assert_eq!(automatic(Ok(())), Device::Cuda(0));
        let text = refuse(None, &no_driver()).to_string();
        let start = "--device cuda: no usable CUDA device\n  note: no NVIDIA driver (libcuda.so.1: cannot open)\n  help: ";
        assert!(text.starts_with(start) && text.contains("--device cpu"), "{text}");
    }

    #[test]
    fn an_absent_device_is_named_with_those_present() {
        let two = Ok(vec![device(0), device(1)]);
        assert_eq!(usable(&two, 1), Ok(()));
        let text = refuse(Some(7), &usable(&two, 7).unwrap_err()).to_string();
        assert!(text.starts_with("--device cuda:7: no usable CUDA device"), "{text}");
        assert!(text.contains("note: there is no cuda:7; 2 devices are present"), "{text}");
        assert!(usable(&Err(no_driver()), 0).is_err());
    }

    #[test]
    fn devices_that_cannot_be_used_are_refused_before_they_are() {
        let old = Ok(vec![DeviceInfo { capability: (6, 1), ..device(0) }]);
        assert!(matches!(usable(&old, 0), Err(DriverError::ChipTooOld { .. })));
        let closed = Ok(vec![DeviceInfo { compute_mode: ComputeMode::Prohibited, ..device(0) }]);
        assert!(matches!(usable(&closed, 0), Err(DriverError::Busy { .. })));
        let exclusive = Ok(vec![DeviceInfo { compute_mode: ComputeMode::Exclusive, ..device(0) }]);
        assert_eq!(usable(&exclusive, 0), Ok(()), "it may be free");
    }

    #[test]
    fn what_libtorch_lacks_is_named() {
        let loader = CudaError::NotLoaded("libcudnn.so.9: cannot open".into());
        let text = without_libtorch(Device::Cuda(0), &loader).to_string();
        assert!(text.contains("libcudnn.so.9") && text.contains("scripts/setup.sh --cuda"), "{text}");
        let text = without_libtorch(Device::Cuda(0), &CudaError::NoDevice { cuda: 13000 }).to_string();
        assert!(
            text.contains("(CUDA 13.0) and sees no device") && text.contains("driver for CUDA 13"),
            "{text}"
        );
    }
}
