//! Where a result comes from: the command, the versions and the machine, for `config.toml` and `doctor`.

use fm_cuda::driver::{DeviceInfo, Driver};
use fm_train::engine::Device;
use toml::{Table, Value};

/// What `config.toml` records besides flags.
pub(crate) fn table(device: Device) -> Table {
    let mut table = Table::new();
    let mut set = |key: &str, value: Value| table.insert(key.to_owned(), value);
    // Where the program lay is the machine's business; a sweep starts it by its whole path.
    let program =
        |arg: std::ffi::OsString| std::path::Path::new(&arg).file_name().map_or(arg.clone(), Into::into);
    let args = std::env::args_os().enumerate().map(|(i, arg)| if i == 0 { program(arg) } else { arg });
    let command: Vec<String> = args.map(|arg| quoted(&arg.to_string_lossy())).collect();
    set("command", command.join(" ").into());
    set("device-name", device_name(device).into());
    if let Some(driver) = driver(device) {
        set("driver", driver.into());
    }
    set("fm-exp", env!("CARGO_PKG_VERSION").into());
    set("libtorch", fm_torch::version().into());
    set("started", fm_run::now().into());
    set("threads", Value::Integer(i64::from(tch::get_num_threads())));
    table
}

/// The processor's or the GPU's name.
pub(crate) fn device_name(device: Device) -> String {
    let Device::Cuda(index) = device else { return cpu_name() };
    let found = fm_engines::cuda_devices().ok().and_then(|devices| devices.get(index).map(gpu_name));
    found.unwrap_or_else(|| device.to_string())
}

/// A GPU's name, what it can do, and its memory.
pub(crate) fn gpu_name(info: &DeviceInfo) -> String {
    let DeviceInfo { name, capability: (major, minor), memory, .. } = info;
    format!("{name}, compute capability {major}.{minor}, {:.1} GiB", *memory as f64 / f64::from(1 << 30))
}

/// The driver of a GPU: its release, where the system tells, and the newest CUDA that it runs.
pub(crate) fn driver(device: Device) -> Option<String> {
    let driver = (device != Device::Cpu).then(Driver::load)?.ok()?;
    let release = driver.release().map_or(String::new(), |release| format!("{release}, "));
    Some(format!("{release}CUDA {}", driver.version()))
}

/// The processor's name and its number of cores, as Linux tells them.
pub(crate) fn cpu_name() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let name = name.map_or("unknown processor", |(_, name)| name.trim());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{name}, {cores} {}", if cores == 1 { "core" } else { "cores" })
}

/// An argument as one would type it in a shell.
fn quoted(arg: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@+".contains(c);
    if !arg.is_empty() && arg.chars().all(plain) {
        arg.to_owned()
    } else {
        format!("'{}'", arg.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn arguments_can_be_typed_again() {
        assert_eq!(quoted("--lr=1e-3"), "--lr=1e-3");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
        assert_eq!(quoted(""), "''");
    }
}
