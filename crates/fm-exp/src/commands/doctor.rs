//! `fm-exp doctor`: what this binary, this machine and the data set are, and what to do about problems.

use std::fmt::Write;
use std::path::PathBuf;

use clap::Args;
use fm_data::{DatasetName, LoadOptions};
use fm_run::spec::DeviceRequest;
use fm_torch::cuda;
use fm_train::engine::Device;
use serde_json::json;

use crate::error::{Error, Kind, Result};
use crate::{inputs, provenance};

/// Flags of `doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Data set to look for
    #[arg(long, env = "FM_DATASET", default_value = "fashion-mnist")]
    dataset: PathBuf,

    /// Directory that holds its files
    #[arg(long)]
    data_dir: Option<PathBuf>,

    /// Show the switches as `train --deterministic` sets them
    #[arg(long)]
    deterministic: bool,
}

/// One line of the report.
struct Finding {
    topic: &'static str,
    text: String,
    /// What is wrong and what to do, when something is.
    problem: Option<Error>,
}

pub(crate) fn run(args: &DoctorArgs, as_json: bool) -> Result<String> {
    if args.deterministic {
        fm_torch::make_deterministic().map_err(|e| fm_engines::failed(&e))?;
    }
    // As it is in runs without --precision tf32.
    fm_torch::allow_tf32(false).map_err(|e| fm_engines::failed(&e))?;
    // The CUDA question first: it may load libraries.
    let cuda = cuda_devices();
    let findings = [versions(), libtorch(), libraries(), cpu(), cuda, switches()?, data(args)];
    let broken =
        findings.iter().filter(|f| f.problem.as_ref().is_some_and(|p| p.kind() != Kind::Device)).count();
    let text = if as_json { as_json_text(&findings) } else { as_text(&findings) };
    if broken == 0 {
        return Ok(text);
    }
    // A missing GPU is a fact; anything else here keeps training from working.
    let first = findings.into_iter().find_map(|f| f.problem.filter(|p| p.kind() != Kind::Device));
    let _ = std::io::Write::write_all(&mut std::io::stdout(), fm_run::terminal::visible(&text).as_bytes());
    Err(first.unwrap_or_else(|| Error::new(Kind::Other, "something is wrong")))
}

fn versions() -> Finding {
    let text = format!(
        "fm-exp {} ({} build), revision {}",
        env!("CARGO_PKG_VERSION"),
        if cfg!(debug_assertions) { "dev" } else { "release" },
        provenance::revision()
    );
    Finding { topic: "program", text, problem: None }
}

fn libtorch() -> Finding {
    let built = fm_torch::version();
    let settings = fm_torch::build_settings().unwrap_or_default();
    let pick = |word: &str| settings.lines().find(|line| line.contains(word)).unwrap_or_default();
    let text = format!(
        "libtorch {built}; {}; {}",
        pick("Intel(R) MKL-DNN").trim().trim_start_matches("- "),
        pick("CPU capability usage").trim().trim_start_matches("- ")
    );
    Finding { topic: "libtorch", text, problem: None }
}

/// Which libtorch files this process has in memory: the answer to "which installation is it using?".
fn libraries() -> Finding {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let mut paths: Vec<&str> = maps
        .lines()
        .filter_map(|line| line.find('/').map(|at| &line[at..]))
        .filter(|path| ["libtorch", "libc10", "libgomp"].iter().any(|name| path.contains(name)))
        .collect();
    paths.sort_unstable();
    paths.dedup();
    Finding { topic: "libraries", text: paths.join("\n"), problem: None }
}

fn cpu() -> Finding {
    let text = format!(
        "{}; fused kernels on {}; {} threads for libtorch; denormals flushed: {}",
        format_args!("{}, {}", provenance::processor(), provenance::cores()),
        fm_kernels::Isa::detect(),
        tch::get_num_threads(),
        if fm_torch::flush_denormals() { "yes" } else { "no" }
    );
    Finding { topic: "cpu", text, problem: None }
}

/// The GPUs, their driver, and whether libtorch can use them, which networks need that no other engine covers.
fn cuda_devices() -> Finding {
    let mut lines = Vec::new();
    for info in fm_engines::cuda_devices().unwrap_or_default() {
        let device = Device::Cuda(info.index);
        lines.push(format!("{device}: {}", provenance::gpu_name(&info)));
    }
    if let Some(driver) = provenance::driver(Device::Cuda(0)) {
        lines.push(format!("driver {driver}"));
    }
    let problem = fm_engines::resolve(DeviceRequest::Cuda(None)).err();
    if problem.is_none() {
        lines.push(match cuda::devices() {
            Ok(_) if tch::Cuda::cudnn_is_available() => "libtorch with CUDA and cuDNN".to_owned(),
            Ok(_) => "libtorch with CUDA, without cuDNN".to_owned(),
            Err(cause) => format!("without libtorch, for networks that --engine cuda covers: {cause}"),
        });
    } else {
        lines.insert(0, "not usable".to_owned());
    }
    Finding { topic: "cuda", text: lines.join("\n"), problem }
}

/// What decides whether two runs on a GPU give the same bits.
fn switches() -> Result<Finding> {
    let now = fm_torch::switches().map_err(|e| fm_engines::failed(&e))?;
    let state = |is_on| if is_on { "on" } else { "off" };
    let variable = fm_torch::CUBLAS_VARIABLE;
    let workspace = std::env::var(variable).unwrap_or_else(|_| "unset".to_owned());
    let text = format!(
        "deterministic: algorithms {}, cuDNN {}, oneDNN {}; cuDNN benchmark {}; {variable} {workspace}\n\
         TF32: cuDNN {}, cuBLAS {}",
        state(now.deterministic_algorithms),
        state(now.deterministic_cudnn),
        state(now.deterministic_onednn),
        state(now.benchmark_cudnn),
        state(now.tf32_cudnn),
        state(now.tf32_cublas),
    );
    Ok(Finding { topic: "switches", text, problem: None })
}

fn data(args: &DoctorArgs) -> Finding {
    let options = LoadOptions { data_dir: args.data_dir.clone(), download: false, ..LoadOptions::default() };
    match fm_data::load(&DatasetName::from(args.dataset.clone()), &options) {
        Ok(data) => {
            let (train, test) = (data.train.len(), data.test.len());
            let mut text = format!(
                "{}: {train} + {test} images of {}, {} classes, in {}",
                data.name,
                data.shape(),
                data.classes,
                data.dir.display()
            );
            for file in &data.files {
                let _ = write!(text, "\n{}  {}  {}", file.sha256, file.name, file.verification);
            }
            Finding { topic: "data", text, problem: None }
        }
        Err(error) => {
            Finding { topic: "data", text: "not usable".to_owned(), problem: Some(inputs::failed(error)) }
        }
    }
}

fn as_text(findings: &[Finding]) -> String {
    let mut out = String::new();
    for finding in findings {
        for (i, line) in finding.text.lines().enumerate() {
            let _ = writeln!(out, "{:<10} {line}", if i == 0 { finding.topic } else { "" });
        }
        if let Some(problem) = &finding.problem {
            for line in problem.to_string().lines() {
                let _ = writeln!(out, "{:<10} {}", "", line.trim_start());
            }
        }
    }
    out
}

fn as_json_text(findings: &[Finding]) -> String {
    let entry = |f: &Finding| {
        let lines: Vec<&str> = f.text.lines().collect();
        (
            f.topic.to_owned(),
            json!({ "found": lines, "problem": f.problem.as_ref().map(ToString::to_string) }),
        )
    };
    format!("{:#}\n", serde_json::Value::Object(findings.iter().map(entry).collect()))
}
