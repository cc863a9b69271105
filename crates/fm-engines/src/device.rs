//! Where to compute: what the user asked for, and what is there.

use fm_run::error::{Error, Kind, Result};
use fm_run::spec::DeviceRequest;
use fm_torch::cuda::{self, CudaError};
use fm_train::engine::Device;

/// The device to use. Only `auto` may choose the CPU where there is no CUDA device.
///
/// # Errors
/// [`Kind::Device`] with what is missing.
pub fn resolve(request: DeviceRequest) -> Result<Device> {
    if request == DeviceRequest::Cpu {
        return Ok(Device::Cpu);
    }
    let found = cuda::devices();
    if let (DeviceRequest::Auto, Err(cause @ (CudaError::NotLoaded(_) | CudaError::NoDevice))) =
        (request, &found)
    {
        tracing::warn!("computing on the CPU, though there is an NVIDIA driver: {cause}");
    }
    choose(request, &found)
}

/// libtorch's name of a device.
#[must_use]
pub fn to_tch(device: Device) -> tch::Device {
    match device {
        Device::Cpu => tch::Device::Cpu,
        Device::Cuda(index) => tch::Device::Cuda(index),
    }
}

fn choose(request: DeviceRequest, found: &Result<usize, CudaError>) -> Result<Device> {
    match (request, found) {
        (DeviceRequest::Cpu, _) | (DeviceRequest::Auto, Err(_)) => Ok(Device::Cpu),
        (DeviceRequest::Auto | DeviceRequest::Cuda(None), Ok(_)) => Ok(Device::Cuda(0)),
        (DeviceRequest::Cuda(Some(index)), Ok(n)) if index < *n => Ok(Device::Cuda(index)),
        (DeviceRequest::Cuda(Some(index)), Ok(n)) => {
            let present =
                if *n == 1 { "1 device present".to_owned() } else { format!("{n} devices present") };
            Err(Error::new(Kind::Device, format!("cuda:{index} requested, {present}"))
                .help(format!("devices are numbered from 0; the last is cuda:{}", n - 1)))
        }
        (DeviceRequest::Cuda(index), Err(error)) => {
            let message = index.map_or_else(
                || "--device cuda: no usable CUDA device".to_owned(),
                |index| format!("cuda:{index} requested, no usable CUDA device present"),
            );
            Err(explain(Error::new(Kind::Device, message), error))
        }
    }
}

/// What there is and what to do about what is not.
fn explain(error: Error, cause: &CudaError) -> Error {
    let error = error.note(cause.to_string());
    match cause {
        CudaError::NoDriver => error
            .note("libtorch_cuda.so was not tried")
            .help("on a machine with an NVIDIA GPU, install its driver; elsewhere, use --device cpu"),
        CudaError::NotLoaded(_) => error
            .note("the NVIDIA driver is loaded")
            .help("install libtorch with CUDA: scripts/setup.sh --cuda; or use --device cpu"),
        CudaError::NoDevice => error
            .help("see what nvidia-smi says, and whether CUDA_VISIBLE_DEVICES hides the devices; or use --device cpu"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(text: &str, found: &Result<usize, CudaError>) -> Result<Device, String> {
        super::choose(text.parse().unwrap(), found).map_err(|e| e.to_string())
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
        assert_eq!(choose("auto", &Err(CudaError::NoDriver)), Ok(Device::Cpu));
        assert_eq!(choose("auto", &Ok(2)), Ok(Device::Cuda(0)));
        let text = choose("cuda", &Err(CudaError::NoDriver)).unwrap_err();
        assert!(text.starts_with("--device cuda: no usable CUDA device\n  note: no NVIDIA driver"), "{text}");
        let text =
            choose("cuda", &Err(CudaError::NotLoaded("libcudnn.so.9: cannot open".into()))).unwrap_err();
        assert!(text.contains("libcudnn.so.9") && text.contains("scripts/setup.sh --cuda"), "{text}");
    }

    #[test]
    fn an_absent_device_is_named_with_those_present() {
        assert_eq!(choose("cuda:1", &Ok(2)), Ok(Device::Cuda(1)));
        let text = choose("cuda:7", &Ok(1)).unwrap_err();
        assert!(text.starts_with("cuda:7 requested, 1 device present"), "{text}");
        let text = choose("cuda:7", &Err(CudaError::NoDriver)).unwrap_err();
        assert!(text.starts_with("cuda:7 requested, no usable CUDA device present"), "{text}");
    }
}
