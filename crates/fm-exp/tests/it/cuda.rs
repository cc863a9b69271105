//! `--device cuda` on the emulated driver: training, what it leaves, and what can be wrong with a GPU.

use std::process::Command;

use crate::made::{Place, Ran, command, run};

/// Lets a command find the emulated driver before any other, with settings as `fm_cuda_emulated` lists them.
pub(crate) fn emulated<'c>(command: &'c mut Command, settings: &[(&str, &str)]) -> &'c mut Command {
    let mut path = std::ffi::OsString::from(fm_cuda_emulated::dir());
    if let Some(more) = std::env::var_os("LD_LIBRARY_PATH") {
        path.push(":");
        path.push(more);
    }
    command.env("LD_LIBRARY_PATH", path).env_remove("CUDA_VISIBLE_DEVICES");
    for (name, value) in settings {
        command.env(format!("FM_EMULATED_{name}"), value);
    }
    command
}

/// Trains on a place's data.
pub(crate) fn train(place: &Place, device: &str, settings: &[(&str, &str)], flags: &[&str]) -> Ran {
    let flags = [&["--device", device][..], flags].concat();
    run(emulated(&mut place.command(&flags), settings))
}

/// What `config.toml` of a run says under provenance.
fn provenance(place: &Place, name: &str) -> toml::Table {
    let text = std::fs::read_to_string(place.out().join(name).join("config.toml")).unwrap();
    let config: toml::Table = text.parse().unwrap();
    config["provenance"].as_table().unwrap().clone()
}

#[test]
fn every_fault_of_a_driver_or_device_is_exit_5_with_its_words() {
    let cases = [
        (&[("VERSION", "12010")][..], "too old: it runs CUDA 12.1, and 13.0 is needed", "NVIDIA driver 580"),
        (&[("INIT", "803")], "library and its kernel module do not match", "restart the machine"),
        (&[("INIT", "999")], "does not start: CUDA_ERROR_UNKNOWN (999", "nvidia-smi"),
        (&[("DEVICES", "0")], "the NVIDIA driver shows no device", "nvidia-smi"),
        (&[("CAPABILITY", "6.1")], "its compute capability is 6.1, and 8.0 is needed", "Ampere"),
        (&[("MODE", "prohibited")], "is closed to programs", "nvidia-smi -c DEFAULT"),
        (&[("MODE", "exclusive")], "is used by another process (compute mode: exclusive)", "nvidia-smi"),
        (&[("MODE", "unavailable")], "is busy or unavailable", "use another device"),
        (&[("CONTEXT", "2")], "out of GPU memory", "nvidia-smi what else uses the device"),
        (&[("MEMORY", "100000")], "out of GPU memory: ", "--batch-size"),
        (&[("CONTEXT", "214")], "CUDA_ERROR_ECC_UNCORRECTABLE (214", "memory is faulty"),
    ];
    let place = Place::new();
    for (settings, note, help) in cases {
        let ran = train(&place, "cuda", settings, &["--arch", "cnn"]);
        ran.fails(5, &[note, help, "help: "]);
        assert!(!place.out().exists(), "{settings:?}: nothing is written");
    }
}

#[test]
fn devices_that_are_hidden_or_not_there() {
    let place = Place::new();
    let mut hidden = place.command(&["--device", "cuda", "--arch", "cnn"]);
    run(emulated(&mut hidden, &[]).env("CUDA_VISIBLE_DEVICES", "-1"))
        .fails(5, &["shows no device; CUDA_VISIBLE_DEVICES is \"-1\"", "help: unset CUDA_VISIBLE_DEVICES"]);
    train(&place, "cuda:2", &[("DEVICES", "2")], &["--arch", "cnn"])
        .fails(5, &["--device cuda:2: no usable CUDA device", "2 devices are present", "the last is cuda:1"]);
    train(&place, "cuda:1", &[("DEVICES", "2")], &["--arch", "cnn"]).succeeds();
}

#[test]
fn auto_takes_the_gpu_and_says_when_it_cannot() {
    let place = Place::new();
    train(&place, "auto", &[], &["--name", "gpu"]).succeeds();
    let recorded = provenance(&place, "gpu");
    assert_eq!(recorded["device-name"].as_str(), Some("Emulated GPU, compute capability 9.0, 4.0 GiB"));
    assert!(recorded["driver"].as_str().unwrap().ends_with("CUDA 13.0"), "{recorded}");

    let ran = train(&place, "auto", &[("VERSION", "11040")], &["--name", "cpu"]);
    ran.succeeds();
    let warning = "computing on the CPU, though there is an NVIDIA driver: the NVIDIA driver is too old";
    assert!(ran.err.contains(warning), "{}", ran.err);
    assert!(!provenance(&place, "cpu").contains_key("driver"));
}

#[test]
fn only_what_needs_libtorch_asks_for_its_cuda_half() {
    if !matches!(fm_torch::cuda::devices(), Err(fm_torch::cuda::CudaError::NotLoaded(_))) {
        println!("skipped: this libtorch has a CUDA half, which knows other functions of a driver");
        return;
    }
    let place = Place::new();
    // The kernels cover this network.
    train(&place, "cuda", &[], &["--arch", "cnn", "--engine", "eager"])
        .fails(5, &["cuda:0: libtorch cannot use it", "libtorch_cuda", "help: "]);
    // And not this one.
    let other = "8C3-GAP";
    train(&place, "cuda", &[], &["--arch", other]).fails(5, &["libtorch_cuda", "--device cpu"]);
    let ran = train(&place, "auto", &[], &["--arch", other, "--name", "other"]);
    ran.succeeds();
    let warning =
        "computing on the CPU, though there is an NVIDIA GPU: this network needs libtorch with CUDA";
    assert!(ran.err.contains(warning), "{}", ran.err);
}

#[test]
fn a_device_that_fails_while_training_is_exit_5_and_the_run_resumes() {
    let place = Place::new();
    let flags = ["--arch", "cnn", "--epochs", "3", "--seed", "3"];
    let with_name = |name| [&flags[..], &["--name", name]].concat();
    train(&place, "cuda", &[], &with_name("whole")).succeeds();
    // Each step is five launches at least; three epochs of seven steps are more than a hundred.
    let ran = train(&place, "cuda", &[("FAIL", "90:700")], &with_name("cut"));
    ran.fails(
        5,
        &["the GPU failed while it was to", "CUDA_ERROR_ILLEGAL_ADDRESS (700", "help: give the same command"],
    );
    train(&place, "cuda", &[], &[&with_name("cut")[..], &["--resume"]].concat()).succeeds();
    let model = |name: &str| std::fs::read(place.out().join(name).join("model.safetensors")).unwrap();
    assert!(model("whole") == model("cut"), "interrupted and resumed is as uninterrupted");
}

#[test]
fn doctor_says_what_the_gpu_is() {
    let place = Place::new();
    let doctor = |settings: &[(&str, &str)]| {
        let mut command = command();
        command.arg("doctor").arg("--dataset").arg(place.data());
        run(emulated(&mut command, settings))
    };
    let ran = doctor(&[("CAPABILITY", "8.6"), ("VERSION", "13000"), ("DEVICES", "2")]);
    ran.succeeds();
    for line in ["cuda:1: Emulated GPU, compute capability 8.6, 4.0 GiB", "CUDA 13.0"] {
        assert!(ran.out.contains(line), "{}", ran.out);
    }
    // A GPU that cannot be used is a fact.
    let ran = doctor(&[("VERSION", "11040")]);
    ran.succeeds();
    assert!(
        ran.out.contains("cuda       not usable") && ran.out.contains("NVIDIA driver 580"),
        "{}",
        ran.out
    );
}
