//! Gives the binary and the tests the path to libtorch, so that nobody sets `LD_LIBRARY_PATH`, and the program the
//! revision of its sources. `torch-sys` tells the path to its direct dependents only, and link arguments do not
//! travel further.

use std::path::Path;
use std::process::Command;

/// What a build is made of, from the workspace's root.
const SOURCES: [&str; 5] = ["crates", "Cargo.toml", "Cargo.lock", "rust-toolchain.toml", ".cargo"];
/// Parts of a crate that no build of the program has in it.
const NOT_BUILT: [&str; 4] = ["tests", "benches", "examples", "README.md"];

fn main() {
    println!("cargo:rerun-if-env-changed=DEP_TCH_LIBTORCH_LIB");
    if let Some(dir) = std::env::var_os("DEP_TCH_LIBTORCH_LIB") {
        // Not `-Wl,-rpath,DIR`: a comma in the path would end it.
        for arg in ["-rpath", &dir.to_string_lossy()] {
            println!("cargo:rustc-link-arg=-Xlinker");
            println!("cargo:rustc-link-arg={arg}");
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    // Asked again when a source changes, which is built again in any case, and not at each commit. Scripts that publish
    // measurements set the variable to what is checked out.
    println!("cargo:rerun-if-env-changed=FM_BUILD_REVISION");
    watch(&root);
    let (revision, changed) = revision(&root).unwrap_or(("unknown".to_owned(), ""));
    println!("cargo:rustc-env=FM_REVISION={revision}");
    println!("cargo:rustc-env=FM_SOURCES_CHANGED={changed}");
}

/// Tells cargo which files make a new answer.
fn watch(root: &Path) {
    for file in SOURCES.iter().filter(|name| **name != "crates").map(|name| root.join(name)) {
        if file.exists() {
            println!("cargo:rerun-if-changed={}", file.display());
        }
    }
    let list = |dir: &Path| std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    for part in list(&root.join("crates")).flat_map(|of_crate| list(&of_crate)) {
        let is_built = part.file_name().is_some_and(|name| NOT_BUILT.iter().all(|other| name != *other));
        if is_built {
            println!("cargo:rerun-if-changed={}", part.display());
        }
    }
}

/// The commit that is checked out, and whether the sources differ from it; none where this is no repository of its own,
/// or git does not say.
fn revision(root: &Path) -> Option<(String, &'static str)> {
    let git = |args: &[&str]| {
        let said = Command::new("git").arg("-C").arg(root).args(args).output().ok()?;
        said.status.success().then(|| String::from_utf8_lossy(&said.stdout).trim().to_owned())
    };
    // Within another repository its revision would say nothing about these files.
    let top = git(&["rev-parse", "--show-toplevel"])?;
    if Path::new(&top).canonicalize().ok()? != root.canonicalize().ok()? {
        return None;
    }
    let revision = git(&["rev-parse", "HEAD"])?;
    let changes = git(&[&["status", "--porcelain", "--"][..], &SOURCES[..]].concat())?;
    Some((revision, if changes.is_empty() { "false" } else { "true" }))
}
