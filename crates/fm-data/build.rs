//! Gives this crate's tests the path to libtorch, so that nobody sets `LD_LIBRARY_PATH`.
//! `torch-sys` tells it to its direct dependents only, and link arguments do not travel further.

fn main() {
    println!("cargo:rerun-if-env-changed=DEP_TCH_LIBTORCH_LIB");
    if let Some(dir) = std::env::var_os("DEP_TCH_LIBTORCH_LIB") {
        // Not `-Wl,-rpath,DIR`: a comma in the path would end it.
        for arg in ["-rpath", &dir.to_string_lossy()] {
            println!("cargo:rustc-link-arg=-Xlinker");
            println!("cargo:rustc-link-arg={arg}");
        }
    }
}
