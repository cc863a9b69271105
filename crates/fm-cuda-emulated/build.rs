//! Compiles the driver: with the program's kernels, with those of the binding's tests, and with the program's kernels
//! and a detector of races.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

fn main() {
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it"));
    println!("cargo:rerun-if-changed=driver");
    println!("cargo:rerun-if-changed=../fm-cuda/kernels");
    println!("cargo:rerun-if-env-changed={SANITIZERS}");
    let names = std::env::var(SANITIZERS).unwrap_or_default();
    let sanitize: Vec<String> = names.split_whitespace().map(|name| format!("-fsanitize={name}")).collect();
    thread::scope(|scope| {
        for (name, source, table) in
            [("program", "kernels.cu", "table.h"), ("probe", "probe.cu", "probe_table.h")]
        {
            let (dir, sanitize) = (out.join(name), &sanitize);
            scope.spawn(move || link(&dir, &[driver(&dir, source, table, sanitize)], sanitize));
        }
        let dir = out.join("races");
        scope.spawn(move || {
            // GCC's part of its thread sanitizer calls functions at each access: those of races.cpp, so the linker is
            // not told of it.
            let watched = ["-fsanitize=thread", "--param", "tsan-instrument-func-entry-exit=0"];
            let objects = [
                driver(&dir, "kernels.cu", "table.h", &watched.map(str::to_owned)),
                object(&dir, "driver/races.cpp", &[]),
            ];
            link(&dir, &objects, &[]);
        });
    });
}

/// Names of sanitizers for GCC's `-fsanitize`, with which `scripts/cuda/sanitize.sh` runs the tests.
const SANITIZERS: &str = "FM_EMULATED_SANITIZE";

fn compiler() -> Command {
    // Not of this crate's profile: an emulated training step takes seconds without optimisation.
    cc::Build::new().cpp(true).opt_level(2).debug(false).cargo_metadata(false).get_compiler().to_command()
}

fn run(mut command: Command) {
    let what = format!("{} {:?}", command.get_program().display(), command.get_args());
    let status = command.status().unwrap_or_else(|e| panic!("{what}: {e}"));
    assert!(status.success(), "{what}: {status}");
}

fn driver(dir: &Path, source: &str, table: &str, flags: &[String]) -> PathBuf {
    let kernels = [format!("-DKERNEL_SOURCE=\"{source}\""), format!("-DKERNEL_TABLE=\"{table}\"")];
    object(dir, "driver/driver.cpp", &[&kernels, flags].concat())
}

fn object(dir: &Path, source: &str, flags: &[String]) -> PathBuf {
    std::fs::create_dir_all(dir).expect("OUT_DIR can be written to");
    let to = dir.join(Path::new(source).with_extension("o").file_name().expect("it is a file"));
    let mut command = compiler();
    command
        .args(["-std=c++17", "-fPIC", "-fvisibility=hidden", "-pthread", "-Wno-unknown-pragmas"])
        // As on a GPU, products are added without rounding in between.
        .args(["-mavx2", "-mfma", "-Idriver", "-I../fm-cuda/kernels"])
        .args(flags)
        .args(["-c", source, "-o"])
        .arg(&to);
    run(command);
    to
}

fn link(dir: &Path, objects: &[PathBuf], flags: &[String]) {
    let mut command = compiler();
    command
        .args([
            "-shared",
            "-pthread",
            "-Wl,-soname,libcuda.so.1",
            "-Wl,--version-script,driver/exports.map",
            "-Wl,-z,defs",
        ])
        .args(flags)
        .args(objects)
        .arg("-o")
        .arg(dir.join("libcuda.so.1"));
    run(command);
}
