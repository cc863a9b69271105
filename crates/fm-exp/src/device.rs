//! Where to compute: what the user asked for, and what is there.

use std::fmt;
use std::str::FromStr;

use fm_torch::cuda::{self, CudaError};
use tch::Device;

use crate::error::{Error, Kind, Result};

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

    fn from_str(text: &str) -> Result<Self> {
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

impl DeviceRequest {
    /// The device to use. Only `auto` may fall back to the CPU.
    ///
    /// # Errors
    /// [`Kind::Device`] with what is missing.
    pub fn resolve(self) -> Result<Device> {
        if self == Self::Cpu {
            return Ok(Device::Cpu);
        }
        let found = cuda::devices();
        if let (Self::Auto, Err(cause @ (CudaError::NotLoaded(_) | CudaError::NoDevice))) = (self, &found) {
            tracing::warn!("computing on the CPU, though there is an NVIDIA driver: {cause}");
        }
        self.choose(&found)
    }

    fn choose(self, found: &Result<usize, CudaError>) -> Result<Device> {
        match (self, found) {
            (Self::Cpu, _) | (Self::Auto, Err(_)) => Ok(Device::Cpu),
            (Self::Auto | Self::Cuda(None), Ok(_)) => Ok(Device::Cuda(0)),
            (Self::Cuda(Some(index)), Ok(n)) if index < *n => Ok(Device::Cuda(index)),
            (Self::Cuda(Some(index)), Ok(n)) => {
                let present =
                    if *n == 1 { "1 device present".to_owned() } else { format!("{n} devices present") };
                Err(Error::new(Kind::Device, format!("cuda:{index} requested, {present}"))
                    .help(format!("devices are numbered from 0; the last is cuda:{}", n - 1)))
            }
            (Self::Cuda(index), Err(error)) => {
                let message = index.map_or_else(
                    || "--device cuda: no usable CUDA device".to_owned(),
                    |index| format!("cuda:{index} requested, no usable CUDA device present"),
                );
                Err(explain(Error::new(Kind::Device, message), error))
            }
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

/// `cpu` or `cuda:N`.
#[must_use]
pub fn name(device: Device) -> String {
    match device {
        Device::Cuda(index) => format!("cuda:{index}"),
        _ => "cpu".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(text: &str, found: &Result<usize, CudaError>) -> Result<Device, String> {
        text.parse::<DeviceRequest>().unwrap().choose(found).map_err(|e| e.to_string())
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
