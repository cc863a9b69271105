//! Losses, outputs, codes and gradients.

use fm_kernels::{Isa, Recipe};
use fm_net::{Network, Scope, arbitrary};

use crate::case::{CLASSES, Case, DRAWS, isas};

/// One network for each operator and option, on odd sizes.
const NETWORKS: [&str; 33] = [
    "5C3@9x7",
    "3C1-4C2@7x6",
    "4C3.same.s2@9x8",
    "4C5.same@8x7",
    "3C7.same.s3@11x10",
    "6C3.same.g3-4C3.s2.g2@10x9x3",
    "7C3.same.bn@8x6",
    "3C3.same.bn-5C2.bn.s2@9x9",
    "4C3.same.gn2@7x5",
    "4C3.same.ws.bn-6C1.ws@6x6",
    "6C3.same.pre.bn@6x6x2",
    "DW3.same@9x9x3",
    "DW5.same.bn.s2@11x8x4",
    "6DS3-5DS3.s2@9x8",
    "4C3.same.gelu-5C3.silu@9x8",
    "4C3.linear-4C3@9x8",
    "4C3.same-MP2@7x9",
    "4C3.same-MP3.s2@8x7",
    "4C3.same-MP2.s1-AP2@8x7",
    "4C3.same-AP3.s2@9x8",
    "4C3.same-GMP@6x5",
    "5C3.same.bn-MP2@7x9",
    "6C3.same.bn-MP3-4C3.bn-MP2@17x19",
    "5C3.same.bn-GAP--6.silu-5.gelu@6x5",
    "4C3-D30-SD40--7-D50@8x7",
    "4C3.same-GMP-D40--8@6x6",
    "4C3.same.bn-4R3-7R3.s2@8x7",
    "6R3.pre-6R3.pre-4R3.pre.s2@8x7",
    "6R3.gn2.silu.se2@6x5",
    "4C3.same.bn-4R3.se2-6IR3.e2.se4.s2-6IR3.e1@8x8",
    "5R5.ws.s2@9x9x3",
    "20C3.same.bn-18C3.s2-17C1-MP2--19@12x12",
    "8IR3.silu.gn4@7x7",
];

fn close(case: &Case, isa: Isa, threads: usize, rows: &[u32], scope: Scope, what: &str) {
    within(2e-5, case, isa, threads, rows, scope, what);
}

fn within(most: f64, case: &Case, isa: Isa, threads: usize, rows: &[u32], scope: Scope, what: &str) {
    let mut trainer = case.trainer(isa, threads);
    let kernels = match scope {
        Scope::All => fm_kernels::Scope::All,
        Scope::Encoder => fm_kernels::Scope::Encoder,
        Scope::Head => fm_kernels::Scope::Head,
    };
    trainer.begin(Recipe { scope: kernels, ..Recipe::default() }).unwrap();
    let (loss, gradient) = trainer.gradients(&case.images, &case.labels, rows, &DRAWS).unwrap();
    let answer = case.reference(rows, Some(scope));
    assert!(
        (loss - answer.loss).abs() < 2e-5 * answer.loss.abs().max(0.1),
        "{what}: loss {loss} {}",
        answer.loss
    );
    let (name, off) = case.worst(&gradient, &answer.gradient);
    assert!(off < most, "{what}: {name} is off by {off:e}");

    let mut out = vec![0.0; rows.len() * trainer.output_len()];
    trainer.evaluate(&case.images, rows, &mut out).unwrap();
    let mut code = vec![0.0; rows.len() * trainer.code_len()];
    trainer.encode(&case.images, rows, &mut code).unwrap();
    let answer = case.reference(rows, None);
    for (what_of, ours, theirs) in [("output", &out, &answer.output), ("code", &code, &answer.code)] {
        let top = theirs.data.iter().fold(1e-3_f64, |top, v| top.max(v.abs()));
        assert_eq!(ours.len(), theirs.data.len(), "{what}: {what_of}");
        for (a, b) in ours.iter().zip(&theirs.data) {
            assert!((f64::from(*a) - b).abs() < 2e-5 * top, "{what}: {what_of} {a} {b}");
        }
    }
}

#[test]
fn every_operator_on_every_instruction_set() {
    for arch in NETWORKS {
        let case = Case::new(arch);
        for isa in isas() {
            let rows: Vec<u32> = (0..21).map(|i| i * 11 % 40).collect();
            close(&case, isa, 2, &rows, Scope::All, &format!("{arch} on {isa}"));
        }
    }
}

/// Odd widths and sizes, no padding, biases, several pieces a slice, several slots a piece, and both sides of a transposed
/// convolution.
#[test]
fn winograds_forms() {
    for (case, arch, images) in [
        (Case::new as fn(&str) -> Case, "19C3.same.bn-21C3.same@9x7", 21),
        (Case::new, "12C3-10C3-9C3@12x11", 21),
        (Case::new, "20C3-25C3-21C3@13x12", 21),
        (Case::new, "14C5.same-18C5.same@9x10", 21),
        (Case::new, "40C3.same-48C3.same@18x19", 21),
        (Case::new, "44C3.same.bn-44C3.same@7x7", 75),
        (Case::mirror, "20C3-18C3@10x14", 21),
        (Case::mirror, "24C3-28C3@9x12", 21),
    ] {
        let case = case(arch);
        for isa in isas() {
            let report = case.trainer(isa, 2).explain();
            for form in ["Winograd F(", "weight gradient in Winograd's form"] {
                assert!(report.iter().any(|stage| stage.kernel.contains(form)), "{arch} on {isa}: {form}");
            }
            let rows: Vec<u32> = (0..images).map(|i| i * 11 % 80).collect();
            close(&case, isa, 2, &rows, Scope::All, &format!("{arch} on {isa}"));
        }
    }
}

/// Rows that windows leave over, several pieces of rows, kernels with a bias, and maps that others take too.
#[test]
fn the_map_behind_a_first_convolution_is_not_kept_where_only_a_maximum_takes_it() {
    for (arch, kept) in [
        ("5C3.same.bn-MP2@7x9", false),
        ("24C3.same.bn-MP2-3C3@29x28", false),
        ("4C5.same-MP3-6C3@14x13", false),
        ("40C3-MP2-4C3@30x29", false),
        ("4C3.same.bn.silu-MP2@8x8", true),
        ("4C3.same-MP3.s2@8x7", true),
        ("4C3.same-4C3.same.bn-MP2@8x8", true),
    ] {
        let case = Case::new(arch);
        for isa in isas() {
            let made = case.trainer(isa, 2).explain().iter().any(|stage| stage.kernel.contains("not kept"));
            assert_eq!(made, !kept, "{arch} on {isa}");
            let rows: Vec<u32> = (0..21).map(|i| i * 11 % 40).collect();
            close(&case, isa, 2, &rows, Scope::All, &format!("{arch} on {isa}"));
            close(&case, isa, 2, &rows, Scope::Head, &format!("{arch}, head on {isa}"));
        }
    }
}

#[test]
fn parts_that_do_not_train_are_in_inference_mode() {
    for arch in ["4C3.same.bn-MP2-SD20-4R3--7-D30-6@8x8", "4C3.same.gn2-D20-GAP-D20--6@8x8"] {
        let case = Case::new(arch);
        for scope in [Scope::Encoder, Scope::Head] {
            for isa in isas() {
                close(&case, isa, 2, &[3, 9, 0, 21, 22], scope, &format!("{arch}, {scope:?} on {isa}"));
            }
        }
    }
}

#[test]
fn autoencoders() {
    for arch in ["5C3-MP2-6C3-MP2@14x15", "4C2-7C3-MP2@9x10x3", "3C3-MP2--5@8x8"] {
        let case = Case::mirror(arch);
        for isa in isas() {
            close(&case, isa, 2, &[3, 9, 0, 21, 22], Scope::All, &format!("mirror of {arch} on {isa}"));
        }
    }
}

/// With how many transposed convolutions that are computed before the doubling. Kernels of even sides reach an odd number of copies,
/// a code of one pixel is a product of matrices, and of two doublings in a row the first is a copy.
#[test]
fn transposed_convolutions_behind_doublings() {
    for (arch, merged) in [
        ("4C3-MP2-6C3-MP2@14x15", 2),
        ("3C3-MP2-4C3-MP2@10x10", 2),
        ("3C1-MP2-5C2-MP2@11x12", 2),
        ("2C5-MP2-3C4-MP2@22x20x2", 2),
        ("4C3-MP2-3C3-2C3-MP2-MP2@30x31", 2),
        ("3C6-MP2@12x11", 0),
    ] {
        let case = Case::mirror(arch);
        for isa in isas() {
            let stages = case.trainer(isa, 2).explain();
            let count = stages.iter().filter(|stage| stage.kernel.contains("col2im")).count();
            assert_eq!(count, merged, "mirror of {arch} on {isa}");
            let rows: Vec<u32> = (0..21).map(|i| i * 11 % 40).collect();
            for rows in [&rows[..], &rows[..5], &rows[..1]] {
                close(&case, isa, 2, rows, Scope::All, &format!("mirror of {arch} on {isa}"));
            }
        }
    }
}

#[test]
fn batches_of_any_size() {
    let case = Case::new("5C3.same.bn-MP2-6R3.s2-GAP--6@13x12");
    for isa in isas() {
        for count in [1, 2, 7, 8, 9, 15, 16, 17, 32, 33, 40] {
            let rows: Vec<u32> = (0..count).map(|i| i * 7 % 40).collect();
            close(&case, isa, 3, &rows, Scope::All, &format!("{count} images on {isa}"));
        }
    }
}

#[test]
fn random_networks() {
    for seed in 0..60 {
        let arch = arbitrary::arch(seed);
        let Ok(network) = Network::new(&arch, CLASSES) else { continue };
        if network.macs() > 600_000 {
            continue;
        }
        let case = Case::of(network);
        let isa = isas()[seed as usize % isas().len()];
        // Some have layers of one channel before a norm, where nothing but rounding is left of a gradient, and
        // group norms of constant images, which make much of it.
        let what = format!("seed {seed}, {arch} on {isa}");
        within(5e-4, &case, isa, 2, &[3, 9, 0, 21, 22, 30, 1], Scope::All, &what);
    }
}

/// Networks as they are used, in whole. In so many ReLUs some value is so near to zero that its rounding decides
/// whether a gradient passes, so the exact comparison is with a smooth activation.
#[test]
fn whole_networks() {
    for (arch, most) in [
        ("16C3.same.bn.gelu-3x16R3.gelu-3x32R3.s2.gelu-3x64R3.s2.gelu-GAP@10x10", 1e-5),
        ("10C3.same.bn.silu-3x10R3.silu-3x20R3.s2.silu-3x40R3.s2.silu-GAP@10x10", 1e-5),
        ("24C3.same.bn.gelu-AP2-2x32R3.gelu-AP2-2x48R3.gelu-GAP@14x14", 1e-5),
        ("32C5.same.silu-AP2-64C5.same.silu-AP2@12x12", 1e-5),
        ("16C3.same.bn-3x16R3-3x32R3.s2-3x64R3.s2-GAP@10x10", 5e-2),
        ("24C3.same.bn-MP2-2x32R3-MP2-2x48R3-GAP@14x14", 5e-2),
        ("32C5.same-MP2-64C5.same-MP2@12x12", 5e-2),
        ("16C3.same.bn-MP2-48DS3-MP2-96DS3-128DS3-MP2-160DS3-GAP", 5e-2),
    ] {
        let case = Case::new(arch);
        for isa in isas() {
            let rows: Vec<u32> = (0..17).map(|i| i * 11 % 40).collect();
            let rows = &rows[..if arch.contains('@') { 17 } else { 3 }];
            within(most, &case, isa, 2, rows, Scope::All, &format!("{arch} on {isa}"));
        }
    }
}
