//! Compiles the driver twice, with the program's kernels and with those of the binding's tests.

use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it"));
    println!("cargo:rerun-if-changed=driver");
    println!("cargo:rerun-if-changed=../fm-cuda/kernels");
    compile(&out.join("program"), "kernels.cu", "table.h");
    compile(&out.join("probe"), "probe.cu", "probe_table.h");
}

fn compile(dir: &Path, source: &str, table: &str) {
    std::fs::create_dir_all(dir).expect("OUT_DIR can be written to");
    let to = dir.join("libcuda.so.1");
    // Not of this crate's profile: an emulated training step takes seconds without optimisation.
    let compiler = cc::Build::new().cpp(true).opt_level(2).debug(false).cargo_metadata(false).get_compiler();
    let mut command: Command = compiler.to_command();
    command
        .args(["-std=c++17", "-shared", "-fPIC", "-fvisibility=hidden", "-pthread", "-Wno-unknown-pragmas"])
        // As on a GPU, products are added without rounding in between.
        .args([
            "-mavx2",
            "-mfma",
            "-Wl,-soname,libcuda.so.1",
            "-Wl,--version-script,driver/exports.map",
            "-Idriver",
            "-I../fm-cuda/kernels",
        ])
        .arg(format!("-DKERNEL_SOURCE=\"{source}\""))
        .arg(format!("-DKERNEL_TABLE=\"{table}\""))
        .args(["-x", "c++", "driver/driver.cpp", "-o"])
        .arg(&to);
    let status = command.status().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(status.success(), "{command:?}: {status}");
}
