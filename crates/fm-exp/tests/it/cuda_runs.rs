//! Whole runs with `--device cuda` on the emulated driver: killed and resumed, every phase of a composition that the
//! kernels compute, scores, models in use, sweeps, memory that runs out.

use std::path::Path;
use std::process::{Child, Stdio};

use crate::composition::{column, model, part};
use crate::cuda::{emulated, train};
use crate::made::{Place, Ran, command, run, write};
use crate::recipes::ADAMW;
use crate::resume::{same, wait_for_rows};

/// A network of the kernels whose emulation is quick.
const ARCH: [&str; 2] = ["--arch", "4C3-MP2-6C3-MP2--8"];

fn start(place: &Place, flags: &[&str]) -> Child {
    let flags = [&["--device", "cuda"], flags].concat();
    let mut command = place.command(&flags);
    emulated(&mut command, &[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// A column of numbers of a run's `epochs.csv`.
fn numbers(place: &Place, name: &str, what: &str) -> Vec<f64> {
    let column = column(&place.out().join(name).join("epochs.csv"), what);
    column.iter().filter(|text| !text.is_empty()).map(|text| text.parse().unwrap()).collect()
}

/// The same run on the CPU, which must go the same way: losses of all epochs within `apart` of each other.
#[track_caller]
fn as_on_the_cpu(place: &Place, name: &str, flags: &[&str], apart: f64) {
    let cpu = format!("{name}-cpu");
    place.run(&[&["--name", &cpu, "--engine", "fused"], flags].concat()).succeeds();
    let [ours, theirs] = [name, &cpu].map(|name| numbers(place, name, "train_loss"));
    assert!(!ours.is_empty() && ours.len() == theirs.len(), "{name}: {ours:?} {theirs:?}");
    for (a, b) in ours.iter().zip(&theirs) {
        assert!((a - b).abs() < apart * b, "{name}: {ours:?} {theirs:?}");
    }
}

fn engine(place: &Place, name: &str) -> String {
    let bytes = std::fs::read(place.out().join(name).join("summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    summary["engine"].as_str().unwrap().to_owned()
}

#[test]
fn killed_and_stopped_runs_go_on_to_the_same_end() {
    let place = Place::new();
    let flags =
        |name| [&ARCH[..], &["--epochs", "40", "--seed", "3", "--patience", "60", "--name", name]].concat();
    train(&place, "cuda", &[], &flags("whole")).succeeds();
    for (rows, signal, code) in
        [(1, "KILL", None), (9, "TERM", Some(75)), (17, "KILL", None), (25, "INT", Some(130))]
    {
        let mut child = start(&place, &[&flags("cut")[..], &["--resume"]].concat());
        wait_for_rows(&place, "cut", rows);
        let pid = child.id().to_string();
        assert!(std::process::Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
        assert_eq!(child.wait().unwrap().code(), code, "{signal}");
    }
    let ran = train(&place, "cuda", &[], &[&flags("cut")[..], &["--resume"]].concat());
    assert!(ran.succeeds().err.contains("resuming "), "{}", ran.err);
    same(&place, "whole", "cut");
    assert_eq!(engine(&place, "cut"), "cuda");
}

#[test]
fn every_phase_that_the_kernels_compute() {
    let place = Place::new();
    let arch = ["--arch", "encoder-mlp@28x28", "--seed", "2", "--lr", "1e-3"];
    let first = [&arch[..], &["--epochs", "2"]].concat();
    train(&place, "cuda", &[], &[&first[..], &["--name", "first"]].concat()).succeeds();
    as_on_the_cpu(&place, "first", &first, 1e-2);
    let given = place.out().join("first/model.safetensors");
    let given = given.to_str().unwrap();
    let frozen = ["--encoder", "frozen"];
    let on = [&frozen[..], &["--pretrain", given]].concat();
    let classifier = [&frozen[..], &["--pretrain", "classifier", "--pretrain-epochs", "1"]].concat();
    let on_disk = [&on[..], &["--code-memory", "0"]].concat();
    let tuned = ["--pretrain", given, "--unfreeze-at", "1", "--encoder-lr", "1e-4"];
    // The last: whether it ends with the encoder of the first run.
    let cases: [(&str, &[&str], &[&str], bool); 5] = [
        ("random", &frozen, &["head", "head"], false),
        ("on-classifier", &classifier, &["pretrain-classifier", "head", "head"], false),
        ("given", &on, &["head", "head"], true),
        ("on-disk", &on_disk, &["head", "head"], true),
        ("tuned", &tuned, &["head", "train"], false),
    ];
    for (name, more, phases, keeps) in cases {
        let flags = [&arch[..], &["--epochs", "2"], more].concat();
        train(&place, "cuda", &[], &[&flags[..], &["--name", name]].concat()).succeeds();
        assert_eq!(engine(&place, name), "cuda");
        assert_eq!(column(&place.out().join(name).join("epochs.csv"), "phase"), phases, "{name}");
        as_on_the_cpu(&place, name, &flags, 1e-2);
        let [ours, first] = [name, "first"].map(|name| model(&place, name));
        assert_ne!(part(&ours, "head."), part(&first, "head."), "{name}");
        assert_eq!(part(&ours, "encoder.") == part(&first, "encoder."), keeps, "{name}");
    }
    assert_eq!(model(&place, "given"), model(&place, "on-disk"));
}

#[test]
fn recipes_protocols_and_scores_on_the_way() {
    let place = Place::new();
    let cases: [(&str, &[&str]); 3] = [
        ("adamw", &ADAMW),
        (
            "sgd",
            &[
                "--optimizer",
                "sgd",
                "--lr",
                "0.02",
                "--schedule",
                "one-cycle",
                "--augment",
                "flip,shift1,mixup0.2",
            ],
        ),
        (
            "averages",
            &[
                "--average",
                "ema:0.9,mean:2",
                "--augment",
                "erase2",
                "--warmup",
                "1.5",
                "--protocol",
                "notebook",
                "--score-at",
                "2",
            ],
        ),
    ];
    for (name, recipe) in cases {
        let flags = [&ARCH[..], &["--epochs", "4", "--seed", "1"], recipe].concat();
        train(&place, "cuda", &[], &[&flags[..], &["--name", name]].concat()).succeeds();
        assert_eq!(engine(&place, name), "cuda");
        as_on_the_cpu(&place, name, &flags, 1e-2);
    }
    for what in ["ema", "mean", "at-2"] {
        assert!(place.out().join("averages").join(what).exists(), "{what}");
    }
}

/// A subcommand on the run `r`.
fn on(place: &Place, subcommand: &str, device: &str, flags: &[&str]) -> Ran {
    let mut command = command();
    command
        .arg(subcommand)
        .arg(place.out().join("r"))
        .args(["--device", device, "--threads", "1"])
        .args(flags);
    run(emulated(&mut command, &[]))
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn models_in_use_give_what_the_run_found() {
    let place = Place::new();
    train(&place, "cuda", &[], &[&ARCH[..], &["--epochs", "20", "--name", "r"]].concat()).succeeds();
    let (dir, eval) = (place.out().join("r"), place.out().join("r/eval/data-test"));
    on(&place, "eval", "cuda", &["--logits"]).succeeds();
    for file in ["confusion.csv", "per_class.csv", "predictions.csv"] {
        assert_eq!(read(&eval.join(file)), read(&dir.join(file)), "{file}");
    }
    // Codes and scores are those of the CPU but for rounding.
    for (subcommand, flags, file) in [("encode", &[][..], "codes.npy"), ("eval", &["--logits"], "logits.npy")]
    {
        let values = |device: &str| {
            let out = place.out().join(format!("{subcommand}-{device}"));
            let flags = [flags, &["--out", out.to_str().unwrap()]].concat();
            on(&place, subcommand, device, &flags).succeeds();
            let bytes = read(&out.join(file));
            let header = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
            bytes[header..]
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
                .collect::<Vec<f32>>()
        };
        let (ours, theirs) = (values("cuda"), values("cpu"));
        assert!(ours.len() == theirs.len() && ours.len() >= 90);
        let top = theirs.iter().fold(0.0_f32, |top, v| top.max(v.abs()));
        assert!(ours.iter().zip(&theirs).all(|(a, b)| (a - b).abs() < 1e-5 * top), "{subcommand}");
    }
}

#[test]
fn memory_that_runs_out_is_exit_5_and_the_run_resumes() {
    let place = Place::new();
    let flags = |name| ["--arch", "cnn", "--epochs", "1", "--batch-size", "4", "--name", name];
    train(&place, "cuda", &[], &flags("whole")).succeeds();
    // Room for the weights and a batch, not for the images that are scored at a time.
    let ran = train(&place, "cuda", &[("MEMORY", "3500000")], &flags("cut"));
    // Scoring does: a smaller batch would not help.
    let doing = "note: while scoring, 2048 images at a time whatever --batch-size is";
    ran.fails(5, &["out of GPU memory: ", "asked for", "free", doing, "use one with more memory"]);
    assert!(!ran.err.contains("use a smaller --batch-size"), "{}", ran.err);
    assert!(!place.out().join("cut/model.safetensors").exists());
    train(&place, "cuda", &[], &[&flags("cut")[..], &["--resume"]].concat()).succeeds();
    assert_eq!(model(&place, "cut"), model(&place, "whole"));
}

#[test]
fn runs_of_a_sweep_are_those_alone() {
    let place = Place::new();
    let data = place.data();
    let mut planning = command();
    planning.args([
        "sweep",
        "plan",
        "--dataset",
        data.to_str().unwrap(),
        "--set",
        "device=cuda",
        "--batch-size",
        "8",
    ]);
    planning.args(ARCH).args(["--seeds", "0..2", "--epochs", "3"]);
    let plan = place.data().join("plan.json");
    write(&plan, run(emulated(&mut planning, &[])).succeeds().out.as_bytes());
    let mut sweeping = command();
    sweeping
        .args(["sweep", "run", "--jobs", "2", "--plan", plan.to_str().unwrap()])
        .arg("--out")
        .arg(place.out());
    run(emulated(&mut sweeping, &[])).succeeds();
    for seed in ["0", "1", "2"] {
        let (name, alone) = (format!("{}-3ep-seed{seed}", ARCH[1]), format!("alone-{seed}"));
        let flags = [&ARCH[..], &["--epochs", "3", "--seed", seed, "--name", &alone]].concat();
        train(&place, "cuda", &[], &flags).succeeds();
        assert_eq!(model(&place, &name), model(&place, &alone), "{name}");
        assert_eq!(engine(&place, &name), "cuda");
    }
}
