//! What is committed beside the kernels' sources is what they make.

#![allow(clippy::missing_panics_doc, clippy::unwrap_used, reason = "tests assert")]

use std::path::PathBuf;

use sha2::{Digest as _, Sha256};

fn kernels() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("kernels")
}

#[test]
fn shapes_are_those_of_the_plan() {
    let committed = std::fs::read_to_string(kernels().join("shapes.h")).unwrap();
    assert!(committed == fm_cuda::shapes(), "kernels/shapes.h is old: run scripts/cuda/build.sh");
}

/// The compiler takes minutes and 280 MB, so the machine code is compared by the sources that it was made from;
/// `scripts/cuda/build.sh --check` compares it byte by byte.
#[test]
fn machine_code_is_that_of_the_sources() {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(kernels()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| {
        path.extension().is_some_and(|end| end == "h" || end == "cu") && !path.ends_with("emulate.h")
    });
    files.sort();
    let mut hash = Sha256::new();
    for path in files {
        hash.update(path.file_name().unwrap().as_encoded_bytes());
        hash.update([0]);
        hash.update(std::fs::read(&path).unwrap());
    }
    let made = hash.finalize().iter().fold(String::new(), |made, byte| made + &format!("{byte:02x}"));
    let committed = std::fs::read_to_string(kernels().join("built/sources.sha256")).unwrap();
    assert_eq!(committed.trim(), made, "the kernels have changed: run scripts/cuda/build.sh");
}
