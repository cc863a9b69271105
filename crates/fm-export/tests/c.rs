//! The C code compiled by the system's compiler, warnings as errors, and run: floats against the program's own, integers
//! against the reference bit for bit.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod common;

use std::path::Path;
use std::process::Command;

use common::{autoencoder, network};
use fm_export::c::{Program, Quantised, Sources};
use fm_net::{NamedTensor, Network, Operator};

fn images(network: &Network, n: usize) -> Vec<Vec<u8>> {
    let len = network.arch.height * network.arch.width * network.arch.channels;
    (0..n).map(|i| (0..len).map(|p| ((p * 7 + p / 28 * 31 + i * 101) % 256) as u8).collect()).collect()
}

/// Compiles the sources with a main function that reads images and writes the bits of logits; runs it.
#[expect(clippy::disallowed_methods, reason = "files of a test need no crash safety")]
fn run(dir: &Path, sources: &Sources, kind: &str, work: &str, input: &[u8]) -> Vec<u8> {
    std::fs::write(dir.join("net.h"), &sources.header).unwrap();
    std::fs::write(dir.join("net.c"), &sources.code).unwrap();
    std::fs::write(dir.join("input"), input).unwrap();
    let main = format!(
        "#include <stdio.h>\n#include \"net.h\"\nstatic {kind} image[NET_INPUTS];\nstatic float logits[NET_OUTPUTS];\n\
         static {work} memory[NET_WORK];\nint main(void) {{\n  while (fread(image, sizeof image, 1, stdin) == 1) {{\n    \
         net_run(image, logits, memory);\n    fwrite(logits, sizeof logits, 1, stdout);\n  }}\n  return 0;\n}}\n"
    );
    std::fs::write(dir.join("main.c"), main).unwrap();
    let compiled = Command::new("cc")
        .args(["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-O1", "-fsanitize=undefined"])
        .args(["-fno-sanitize-recover", "-o", "net", "main.c", "net.c", "-lm"])
        .current_dir(dir)
        .output()
        .unwrap();
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    let input = std::fs::File::open(dir.join("input")).unwrap();
    let ran = Command::new(dir.join("net")).stdin(input).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    ran.stdout
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

#[test]
fn floats_are_the_program_s() {
    for arch in [
        "cnn",
        "encoder-mlp",
        "8C3.same.bn-8R3-16R3.s2-GAP",
        "8C3.same.bn-12IR3.s2.se4-GAP--64.gelu-D30",
        "8C3.same.s2.gn4.silu-8R3-AP2-GMP--16",
        "4C3-MP2--8@12x10x3",
    ] {
        equal(arch, network(arch));
    }
}

#[test]
fn decoders_are_the_program_s() {
    for arch in ["4C3-MP2-6C3", "3C2-MP2-4C3-MP2-5C2@20x17x3"] {
        let (network, weights) = autoencoder(arch);
        let kinds: Vec<&str> = network.nodes.iter().map(|node| node.op.kind()).collect();
        for kind in ["upsample", "transposed-conv", "unflatten"] {
            assert!(kinds.contains(&kind), "{kind} in {kinds:?}");
        }
        equal(arch, (network, weights));
    }
}

/// The output of the C code is the program's.
fn equal(arch: &str, (network, weights): (Network, Vec<NamedTensor>)) {
    let program = Program::new(&network, &weights).unwrap();
    let images: Vec<Vec<f32>> = images(&network, 3)
        .into_iter()
        .map(|image| image.into_iter().map(|b| f32::from(b) / 255.0).collect())
        .collect();
    let dir = tempfile::tempdir().unwrap();
    let input: Vec<u8> = images.iter().flatten().flat_map(|v| v.to_le_bytes()).collect();
    let theirs = floats(&run(dir.path(), &program.to_c("net").unwrap(), "float", "float", &input));
    let ours: Vec<f32> = images.iter().flat_map(|image| program.run(image)).collect();
    assert_eq!(ours.len(), theirs.len());
    let most = ours.iter().fold(1.0_f32, |most, v| most.max(v.abs()));
    let least = ours.iter().fold(f32::MAX, |least, &v| least.min(v));
    assert!(most > least, "{arch}: every output is {most}");
    for (a, b) in ours.iter().zip(&theirs) {
        assert!((a - b).abs() <= 1e-5 * most, "{arch}: {a} and {b}, the largest is {most}");
    }
}

#[test]
fn integers_are_the_reference_s_bit_for_bit() {
    for arch in ["cnn", "encoder-mlp", "8C3.same.bn-8R3-16R3.s2-GAP", "4C3.same-AP2--8-8@12x10x3"] {
        let (network, weights) = network(arch);
        let images = images(&network, 12);
        let some: Vec<&[u8]> = images.iter().map(Vec::as_slice).collect();
        let quantised = Quantised::new(Program::new(&network, &weights).unwrap(), &some[..6]).unwrap();
        let sources = quantised.to_c("net").unwrap();
        let dir = tempfile::tempdir().unwrap();
        let theirs = floats(&run(dir.path(), &sources, "unsigned char", "int8_t", &images.concat()));
        let ours: Vec<f32> = some.iter().flat_map(|image| quantised.run(image)).collect();
        let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&ours), bits(&theirs), "{arch}");
        // And close to the floats they stand for.
        let floats: Vec<f32> = (some.iter())
            .flat_map(|image| {
                let image: Vec<f32> = image.iter().map(|&b| f32::from(b) / 255.0).collect();
                quantised.program().run(&image)
            })
            .collect();
        let most = floats.iter().fold(0.0_f32, |most, v| most.max(v.abs()));
        let off = floats.iter().zip(&ours).fold(0.0_f32, |off, (a, b)| off.max((a - b).abs()));
        assert!(off < 0.25 * most, "{arch}: {off} of {most}");
        if arch == "cnn" {
            assert!(sources.weight_bytes <= 70_000, "{}", sources.weight_bytes);
        }
    }
}

#[test]
fn what_has_no_integer_form_is_refused_by_name() {
    for (arch, piece) in [
        ("8C3.gelu-GAP", "has no operator `gelu`"),
        ("8C3.same.bn-8R3.se4-GAP", "has no operator `"),
        ("8C3.same.gn4-GAP", "has no operator `group-norm`"),
    ] {
        let (network, weights) = network(arch);
        let images = images(&network, 1);
        let error = Quantised::new(Program::new(&network, &weights).unwrap(), &[&images[0]]).unwrap_err();
        assert!(error.to_string().contains(piece), "{arch}: {error}");
    }
    let (network, weights) = network("cnn");
    let program = Program::new(&network, &weights).unwrap();
    assert!(program.to_c("9x").is_err() && program.to_c("a b").is_err());
    assert!(Quantised::new(program, &[]).unwrap_err().to_string().contains("no images"));
}
