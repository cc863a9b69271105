//! What parses files from elsewhere stays small: no libtorch, network or terminal behind it.

use std::collections::BTreeSet;
use std::process::Command;

#[test]
fn neither_libtorch_nor_network_nor_terminal() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["tree", "-p", "fm-images", "-e", "normal,build", "--prefix", "none", "--format", "{p}"])
        .args(["--offline", "--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")])
        .output()
        .unwrap();
    let (tree, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let crates: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(output.status.success() && crates.contains("fm-images"), "{errors}");
    for unwanted in ["tch", "torch-sys", "fm-torch", "ureq", "rustls", "indicatif", "clap"] {
        assert!(!crates.contains(unwanted), "fm-images depends on {unwanted}:\n{tree}");
    }
}
