//! The script of the web page, run by Node.js: outputs against the program's with the same rounded weights.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod common;

use std::fmt::Write as _;
use std::process::Command;

use common::network;
use fm_export::c::Program;
use fm_export::web::{Page, SCRIPT};

#[test]
fn weights_of_enough_bits_are_nearly_those_of_the_network() {
    let (program, page) = page("cnn", 12);
    let image: Vec<f32> = (0..784).map(|i| (i * 7 % 256) as f32 / 255.0).collect();
    let (exact, rounded) = (program.run(&image), page.program().run(&image));
    let largest = exact.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
    let furthest = exact.iter().zip(&rounded).fold(0.0_f32, |m, (a, b)| m.max((a - b).abs()));
    assert!(furthest > 0.0 && furthest < 0.01 * largest, "{furthest} of {largest}");
    let spec = page.spec();
    let levels = spec["levels"].as_u64().unwrap() as usize;
    // A byte and a half for each weight.
    let numbers = spec["numbers"].as_u64().unwrap() as usize;
    assert_eq!(page.bytes().len(), levels + levels.div_ceil(2) + 4 * numbers);
}

fn page(arch: &str, bits: u32) -> (Program, Page) {
    let (network, weights) = network(arch);
    let program = Program::new(&network, &weights).unwrap();
    (program.clone(), Page::new(program, bits))
}

#[test]
#[expect(clippy::disallowed_methods, reason = "files of a test need no crash safety")]
fn the_script_computes_what_the_program_computes() {
    if Command::new("node").arg("--version").output().is_err() {
        eprintln!("skipped: there is no Node.js to run the script");
        return;
    }
    let networks = [
        "cnn",
        "encoder-mlp",
        "8C3.same.bn-8R3-16R3.s2-GAP",
        "8C3.same.bn-12IR3.s2.se4-GAP--64.gelu-D30",
        "8C3.same.s2.gn4.silu-8R3-AP2-GMP--16.silu",
    ];
    let dir = tempfile::tempdir().unwrap();
    for (bits, arch) in networks.iter().enumerate().map(|(i, arch)| (7 + i as u32, arch)) {
        let (_, page) = page(arch, bits);
        let image: Vec<f32> = (0..784).map(|p| ((p * 7 + p / 28 * 31) % 256) as f32 / 255.0).collect();
        let mut script = SCRIPT.to_owned();
        let _ = writeln!(
            script,
            "const net = fmNet.load({}, Uint8Array.from({:?}));\nconsole.log(JSON.stringify([...fmNet.run(net, {image:?})]));",
            page.spec(),
            page.bytes()
        );
        let file = dir.path().join("run.js");
        std::fs::write(&file, script).unwrap();
        let ran = Command::new("node").arg(&file).output().unwrap();
        assert!(ran.status.success(), "{arch}: {}", String::from_utf8_lossy(&ran.stderr));
        let said: Vec<f32> = serde_json::from_slice(&ran.stdout).unwrap();
        let expected = page.program().run(&image);
        let largest = expected.iter().fold(1.0_f32, |m, v| m.max(v.abs()));
        assert_eq!(said.len(), expected.len(), "{arch}");
        for (a, b) in said.iter().zip(&expected) {
            assert!((a - b).abs() < 2e-5 * largest, "{arch}: {a} for {b}");
        }
    }
}
