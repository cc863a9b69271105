//! Compiles the shim against the libtorch that `torch-sys` found, and gives this crate's tests its path.

use std::path::PathBuf;

fn main() {
    println!("cargo:rerun-if-changed=shim/shim.cpp");
    println!("cargo:rerun-if-env-changed=DEP_TCH_LIBTORCH_LIB");
    let lib =
        PathBuf::from(std::env::var_os("DEP_TCH_LIBTORCH_LIB").expect("torch-sys tells where libtorch lies"));
    let include = lib.join("../include");
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .file("shim/shim.cpp")
        .include(&include)
        .include(include.join("torch/csrc/api/include"))
        .flag_if_supported("-Wno-unused-parameter")
        .compile("fm_torch_shim");
    // Not `-Wl,-rpath,DIR`: a comma in the path would end it.
    for arg in ["-rpath", &lib.display().to_string()] {
        println!("cargo:rustc-link-arg=-Xlinker");
        println!("cargo:rustc-link-arg={arg}");
    }
}
