//! Where a result comes from: the command, the versions and the machine, for `config.toml` and `doctor`.

use std::path::Path;

use fm_cuda::driver::{DeviceInfo, Driver};
use fm_run::terminal::{counted, shell_word};
use fm_train::engine::Device;
use toml::{Table, Value};

/// The commit of the sources that this program was built from; `unknown` outside a repository.
pub(crate) const REVISION: &str = env!("FM_REVISION");

/// Whether the sources differed from that commit; none where it is unknown.
pub(crate) fn sources_changed() -> Option<bool> {
    env!("FM_SOURCES_CHANGED").parse().ok()
}

/// The revision and what was changed, in words.
pub(crate) fn revision() -> String {
    match sources_changed() {
        Some(true) => format!("{REVISION}, changed"),
        Some(false) => format!("{REVISION}, clean"),
        None => REVISION.to_owned(),
    }
}

/// The keys of [`table`] that say what computed: they stand in `summary.json` too, and another value of one may change
/// the last bits of a result.
pub(crate) const COMPUTED_BY: [&str; 9] = [
    "fm-exp",
    "revision",
    "sources-changed",
    "libtorch",
    "processor",
    "instruction-set",
    "device-name",
    "driver",
    "threads",
];

/// What `config.toml` records besides flags, of a run that `command` trains, word by word, on so many CPU threads (none said:
/// as many as libtorch takes by itself).
pub(crate) fn table(device: Device, engine: &str, threads: Option<usize>, command: &[String]) -> Table {
    let mut table = Table::new();
    let mut set = |key: &str, value: Value| table.insert(key.to_owned(), value);
    // Where the program lay is the machine's business; a sweep starts it by its whole path.
    let program =
        |arg: &str| Path::new(arg).file_name().map_or(arg.into(), |name| name.to_string_lossy().into_owned());
    let words = command.iter().enumerate().map(|(i, arg)| if i == 0 { program(arg) } else { arg.clone() });
    let command: Vec<String> = words.map(|word| shell_word(&word)).collect();
    set("command", command.join(" ").into());
    set("device-name", device_name(device).into());
    if let Some(driver) = driver(device) {
        set("driver", driver.into());
    }
    set("fm-exp", env!("CARGO_PKG_VERSION").into());
    if let Some(set_of) = instruction_set(device, engine) {
        set("instruction-set", set_of.into());
    }
    set("processor", processor().into());
    set("revision", REVISION.into());
    if let Some(changed) = sources_changed() {
        set("sources-changed", changed.into());
    }
    set("libtorch", fm_torch::version().into());
    set("started", fm_run::now().into());
    // libtorch is told of them later, and only where it computes.
    let threads = threads.map_or_else(|| i64::from(tch::get_num_threads()), |threads| threads as i64);
    set("threads", threads.into());
    table
}

/// The vector instructions of the engines on the CPU; none on a GPU.
pub(crate) fn instruction_set(device: Device, engine: &str) -> Option<String> {
    if device != Device::Cpu {
        return None;
    }
    let of_libtorch = || {
        let settings = fm_torch::build_settings().unwrap_or_default();
        let said = settings
            .lines()
            .find_map(|line| line.split_once("CPU capability usage:").map(|(_, set)| set.trim()));
        format!("{} in libtorch", said.unwrap_or("unknown"))
    };
    let of = |name: &str| if name == "fused" { fm_kernels::Isa::detect().to_string() } else { of_libtorch() };
    Some(engine.split('+').map(of).collect::<Vec<_>>().join(", "))
}

/// The processor's model: its name, and the numbers that tell apart what shares a name.
pub(crate) fn processor() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let said = |key: &str| {
        let value =
            |line: &str| Some(line.strip_prefix(key)?.trim_start().strip_prefix(':')?.trim().to_owned());
        info.lines().find_map(value)
    };
    let name = said("model name").unwrap_or_else(|| "unknown processor".to_owned());
    let numbers = [("family", "cpu family"), ("model", "model"), ("stepping", "stepping")];
    let numbers = numbers.iter().filter_map(|(word, key)| Some(format!("{word} {}", said(key)?)));
    let numbers: Vec<String> = numbers.collect();
    if numbers.is_empty() { name } else { format!("{name} ({})", numbers.join(", ")) }
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
    format!("{name}, {}", cores())
}

/// How many cores this process may use.
pub(crate) fn cores() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    counted(cores as u64, "core")
}

#[cfg(test)]
mod tests {
    use fm_train::engine::Device;

    #[test]
    fn the_sources_have_a_revision_or_none() {
        let is_commit = super::REVISION.len() == 40 && super::REVISION.bytes().all(|b| b.is_ascii_hexdigit());
        assert!(is_commit || super::REVISION == "unknown", "{}", super::REVISION);
        assert_eq!(super::sources_changed().is_some(), is_commit);
    }

    #[test]
    fn the_instruction_set_is_that_of_the_engines() {
        let set = |engine: &str| super::instruction_set(Device::Cpu, engine).unwrap();
        assert_eq!(set("fused"), fm_kernels::Isa::detect().to_string());
        assert!(set("eager+fused").contains(" in libtorch, "), "{}", set("eager+fused"));
        assert_eq!(super::instruction_set(Device::Cuda(0), "cuda"), None);
        assert!(super::processor().contains("model "), "{}", super::processor());
    }
}
