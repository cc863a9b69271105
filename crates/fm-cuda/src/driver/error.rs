//! What can be wrong with a GPU, in words of its own, each with its cure.

use std::ffi::c_int;
use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

use super::ComputeMode;
use super::symbols::code;

/// Results of this module.
pub type Result<T, E = DriverError> = std::result::Result<T, E>;

/// A version of CUDA as the driver counts: 12020 is 12.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0 / 1000, self.0 % 1000 / 10)
    }
}

/// Why a GPU cannot be used, or why it failed. [`DriverError::help`] says what to do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DriverError {
    /// `libcuda.so.1` is nowhere; the loader's words.
    #[error("no NVIDIA driver ({reason})")]
    NoDriver {
        /// What the loader says.
        reason: String,
    },
    /// A library of that name lacks a function that drivers have.
    #[error("{} is not an NVIDIA driver that can be used: it has no {symbol}", path.display())]
    Incomplete {
        /// The library.
        path: PathBuf,
        /// What it lacks.
        symbol: String,
    },
    /// A toolkit's stand-in for linking was found instead of the driver.
    #[error("{} is a CUDA toolkit's stub, not a driver", path.display())]
    Stub {
        /// The library.
        path: PathBuf,
    },
    /// The driver is older than the kernels.
    #[error("the NVIDIA driver is too old: it runs CUDA {version}, and {oldest} is needed")]
    TooOld {
        /// What it runs.
        version: Version,
        /// What is needed.
        oldest: Version,
    },
    /// The driver's library and kernel module are of different releases.
    #[error("the NVIDIA driver's library and its kernel module do not match ({name})")]
    Mismatch {
        /// The error's name and number.
        name: String,
    },
    /// The driver does not start.
    #[error("the NVIDIA driver does not start: {name}")]
    Start {
        /// The error's name and number.
        name: String,
    },
    /// There is a driver and no device.
    #[error("{}", match hidden {
        Some(value) => format!("the NVIDIA driver shows no device; CUDA_VISIBLE_DEVICES is \"{value}\""),
        None => "the NVIDIA driver shows no device".to_owned(),
    })]
    NoDevice {
        /// `CUDA_VISIBLE_DEVICES`, if it is set.
        hidden: Option<String>,
    },
    /// A device's number is too high.
    #[error("there is no cuda:{index}; {} present", match count {
        1 => "1 device is".to_owned(),
        _ => format!("{count} devices are"),
    })]
    NoSuchDevice {
        /// What was asked for.
        index: usize,
        /// How many there are.
        count: usize,
    },
    /// The chip is older than what the kernels use.
    #[error(
        "cuda:{index} ({name}) is too old: its compute capability is {}.{}, and {}.{} is needed",
        capability.0, capability.1, super::OLDEST_CHIP.0, super::OLDEST_CHIP.1
    )]
    ChipTooOld {
        /// Which device.
        index: usize,
        /// Its name.
        name: String,
        /// Its capability.
        capability: (u32, u32),
    },
    /// Another process has the device, or its administrator has closed it.
    #[error("cuda:{index} ({name}) {}", match mode {
        ComputeMode::Prohibited => "is closed to programs (compute mode: prohibited)",
        ComputeMode::Exclusive => "is used by another process (compute mode: exclusive)",
        ComputeMode::Shared => "is busy or unavailable",
    })]
    Busy {
        /// Which device.
        index: usize,
        /// Its name.
        name: String,
        /// Who may use it.
        mode: ComputeMode,
    },
    /// The device's memory ran out.
    #[error("out of GPU memory{}", match (asked, free) {
        (Some(asked), Some(free)) => format!(": {} asked for, {} free", size(*asked), size(*free)),
        (Some(asked), None) => format!(": {} asked for", size(*asked)),
        _ => format!(" ({action})"),
    })]
    OutOfMemory {
        /// What was being done.
        action: String,
        /// Bytes that were asked for, where that is known.
        asked: Option<u64>,
        /// Bytes that were free.
        free: Option<u64>,
    },
    /// Page-locked memory of the host ran out.
    #[error("out of page-locked memory: {} asked for", size(*asked))]
    OutOfHostMemory {
        /// Bytes that were asked for.
        asked: u64,
    },
    /// The driver does not take the kernels.
    #[error("the NVIDIA driver does not take the kernels: {name}{}", if log.is_empty() { String::new() } else { format!(": {log}") })]
    Image {
        /// The error's name and number.
        name: String,
        /// What its compiler says.
        log: String,
    },
    /// A kernel failed, or the device did; the context is lost.
    #[error("the GPU failed while it was to {action}: {name}")]
    Fault {
        /// What was being done when it was noticed, which may be later than when it happened.
        action: String,
        /// The error's name and number.
        name: String,
        /// The number.
        code: i32,
    },
    /// Something was done that may not be done while a stream records a graph.
    #[error("cannot {action} while a graph is recorded: {name}")]
    Capture {
        /// What was being done.
        action: String,
        /// The error's name and number.
        name: String,
    },
    /// A launch that this chip cannot do.
    #[error("{name} cannot start a kernel before the last one has ended (compute capability 9.0 is needed)")]
    NoOverlap {
        /// The device's name.
        name: String,
    },
    /// Anything else.
    #[error("cannot {action}: {name}")]
    Other {
        /// What was being done.
        action: String,
        /// The error's name and number.
        name: String,
        /// The number.
        code: i32,
    },
}

impl DriverError {
    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::NoDriver { .. } => {
                "on a machine with an NVIDIA GPU, install its driver (in a container: start it with the GPU, such as docker run --gpus all)"
            }
            Self::Incomplete { .. } | Self::Stub { .. } => {
                "let LD_LIBRARY_PATH and the loader find the driver's libcuda.so.1 first"
            }
            Self::TooOld { .. } => "install NVIDIA driver 535 or newer",
            Self::Mismatch { .. } => {
                "the driver was updated while it was in use: restart the machine, or reload the nvidia kernel module; in a container, mount the host's libcuda.so.1"
            }
            Self::Start { .. } => {
                "see whether nvidia-smi works and what dmesg says; the nvidia_uvm kernel module and /dev/nvidia* must be there; restarting the machine often helps"
            }
            Self::NoDevice { hidden: Some(_) } => "unset CUDA_VISIBLE_DEVICES, or let it name a device of nvidia-smi -L",
            Self::NoDevice { hidden: None } => {
                "see what nvidia-smi says; in a container, start it with the GPU (docker run --gpus all)"
            }
            Self::NoSuchDevice { count, .. } => {
                return format!("devices are numbered from 0; the last is cuda:{}", count.saturating_sub(1));
            }
            Self::ChipTooOld { .. } => "use a Volta, Turing or later GPU, or --device cpu",
            Self::Busy { mode: ComputeMode::Prohibited, .. } => {
                "nvidia-smi -c DEFAULT opens it (as root); or use another device"
            }
            Self::Busy { .. } => "see with nvidia-smi who uses it, wait for that to end, or use another device",
            Self::OutOfMemory { .. } => {
                "see with nvidia-smi what else uses the device and close it, or use a smaller --batch-size"
            }
            Self::OutOfHostMemory { .. } => "raise the limit (ulimit -l), or use a machine with more memory",
            Self::Image { .. } => "install a newer NVIDIA driver",
            Self::Fault { code: code::ECC_UNCORRECTABLE, .. } => {
                "the GPU's memory is faulty (nvidia-smi -q -d ECC): reset or replace it; resume the run on another device"
            }
            Self::Fault { code: code::LAUNCH_TIMEOUT, .. } => {
                "a display's watchdog ended the kernel: use a GPU without a display"
            }
            Self::Fault { .. } => {
                "give the same command again to resume; if it fails in the same way, see what dmesg says about Xid errors and report it"
            }
            Self::Capture { .. } | Self::NoOverlap { .. } => "this is a bug: please report it",
            Self::Other { .. } => "see what nvidia-smi and dmesg say",
        }
        .to_owned()
    }

    pub(crate) fn no_device() -> Self {
        Self::NoDevice { hidden: std::env::var("CUDA_VISIBLE_DEVICES").ok() }
    }

    /// Of `cuInit`.
    pub(crate) fn start(number: c_int, name: &str, text: &str) -> Self {
        let name = named(number, name, text);
        match number {
            code::DRIVER_MISMATCH | code::COMPAT_NOT_SUPPORTED => Self::Mismatch { name },
            _ => Self::Start { name },
        }
    }

    /// Of any other call.
    pub(crate) fn of(action: &str, number: c_int, name: &str, text: &str) -> Self {
        let (name, action) = (named(number, name, text), action.to_owned());
        match number {
            code::OUT_OF_MEMORY => Self::OutOfMemory { action, asked: None, free: None },
            code::NO_DEVICE => Self::no_device(),
            code::SYSTEM_NOT_READY => Self::Start { name },
            code::DRIVER_MISMATCH | code::COMPAT_NOT_SUPPORTED => Self::Mismatch { name },
            code::ECC_UNCORRECTABLE
            | code::ILLEGAL_ADDRESS
            | code::LAUNCH_TIMEOUT
            | code::ASSERT
            | code::HARDWARE_STACK..=code::LAUNCH_FAILED => Self::Fault { action, name, code: number },
            code::CAPTURE_FIRST..=code::CAPTURE_LAST => Self::Capture { action, name },
            _ => Self::Other { action, name, code: number },
        }
    }

    /// Of loading kernels.
    pub(crate) fn image(self, number: c_int, log: &str) -> Self {
        match (number, self) {
            (
                code::INVALID_IMAGE
                | code::NO_BINARY_FOR_GPU
                | code::INVALID_PTX
                | code::JIT_COMPILER_NOT_FOUND
                | code::UNSUPPORTED_PTX_VERSION,
                Self::Other { name, .. },
            ) => Self::Image { name, log: log.trim().to_owned() },
            (_, error) => error,
        }
    }
}

/// `CUDA_ERROR_UNKNOWN (999: unknown error)`.
fn named(number: c_int, name: &str, text: &str) -> String {
    let name = if name.is_empty() { "CUDA error" } else { name };
    if text.is_empty() { format!("{name} ({number})") } else { format!("{name} ({number}: {text})") }
}

/// Bytes for people.
fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} bytes"),
        1024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        1_048_576..1_073_741_824 => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
        _ => format!("{:.2} GiB", bytes as f64 / 1_073_741_824.0),
    }
}
