//! Which crates depend on which, as ARCHITECTURE.md says: most of the workspace needs neither libtorch nor a
//! command line.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// Every crate of the workspace that reaches libtorch.
const TORCH: [&str; 5] = ["fm-data", "fm-engines", "fm-exp", "fm-models", "fm-torch"];

/// What a crate is linked with, itself included.
fn tree(krate: &str) -> BTreeSet<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["tree", "--offline", "-p", krate, "-e", "normal", "--prefix", "none", "--format", "{p}"])
        .args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")])
        .output()
        .unwrap();
    let (tree, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let crates: BTreeSet<String> =
        tree.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect();
    assert!(output.status.success() && crates.contains(krate), "cargo tree -p {krate}: {errors}");
    crates
}

#[track_caller]
fn has_none(krates: &[&str], unwanted: &[&str]) {
    for krate in krates {
        let found = tree(krate);
        let bad: Vec<_> = unwanted.iter().filter(|name| found.contains(**name)).collect();
        assert!(bad.is_empty(), "{krate} depends on {bad:?}");
    }
}

#[test]
fn libtorch_is_reached_by_those_that_compute_with_it_alone() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut reach = BTreeSet::new();
    for entry in std::fs::read_dir(crates).unwrap() {
        let entry = entry.unwrap();
        if entry.path().join("Cargo.toml").is_file() {
            let name = entry.file_name().into_string().unwrap();
            let found = tree(&name);
            assert_eq!(found.contains("tch"), found.contains("torch-sys"), "{name}");
            if found.contains("tch") {
                reach.insert(name);
            }
        }
    }
    assert_eq!(reach, TORCH.map(str::to_owned).into());
}

#[test]
fn the_command_line_is_the_programs() {
    let libraries = [
        "fm-net",
        "fm-run",
        "fm-images",
        "fm-data",
        "fm-models",
        "fm-train",
        "fm-engines",
        "fm-kernels",
        "fm-torch",
        "fm-report",
    ];
    has_none(&libraries, &["clap", "clap_builder", "tracing-subscriber"]);
}

#[test]
fn downloads_and_bars_are_fm_datas() {
    has_none(&["fm-images", "fm-net", "fm-train", "fm-run", "fm-kernels"], &["ureq", "rustls", "indicatif"]);
}

#[test]
fn the_kernels_know_networks_and_the_networks_no_other_crate_of_the_workspace() {
    let ours = |krate| tree(krate).into_iter().filter(|name| name.starts_with("fm-")).collect::<Vec<_>>();
    for krate in ["fm-net", "fm-images", "fm-torch"] {
        assert_eq!(ours(krate), [krate]);
    }
    assert_eq!(ours("fm-kernels"), ["fm-kernels", "fm-net"]);
    // Data and models do not know each other: engines put them together.
    has_none(&["fm-data"], &["fm-net", "fm-models"]);
    has_none(&["fm-models"], &["fm-images", "fm-data"]);
    has_none(&["fm-train"], &["fm-data", "fm-models", "fm-kernels"]);
}
