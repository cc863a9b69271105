//! Where a result comes from: the command, the versions and the machine, for `config.toml` and `doctor`.

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
    set("fm-exp", env!("CARGO_PKG_VERSION").into());
    set("libtorch", fm_torch::version().into());
    set("started", fm_run::now().into());
    set("threads", Value::Integer(i64::from(tch::get_num_threads())));
    table
}

/// The processor's or the GPU's name.
pub(crate) fn device_name(device: Device) -> String {
    if device == Device::Cpu { cpu_name() } else { device.to_string() }
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
