//! What a run leaves behind.

use std::collections::BTreeSet;
use std::path::Path;

use crate::made::{Place, command, run};

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The rows of a CSV without its timing columns.
pub(crate) fn untimed(path: &Path) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let keep: Vec<bool> = reader
        .headers()
        .unwrap()
        .iter()
        .map(|h| !h.ends_with("seconds") && !h.ends_with("per_second"))
        .collect();
    let rows = reader.records().map(|row| {
        row.unwrap().iter().zip(&keep).filter(|(_, keep)| **keep).map(|(field, _)| field.to_owned()).collect()
    });
    rows.collect()
}

#[test]
fn a_run_leaves_every_file_and_learns() {
    let place = Place::new();
    place.run(&["--arch", "encoder-mlp", "--epochs", "15", "--name", "r"]).succeeds();
    let dir = place.out().join("r");
    let files: BTreeSet<String> =
        std::fs::read_dir(&dir).unwrap().map(|f| f.unwrap().file_name().into_string().unwrap()).collect();
    // All but what pretraining and keeping every epoch's predictions add.
    let added =
        |file: &&str| file.starts_with("reconstructions.") || *file == fm_run::files::PREDICTIONS_BY_EPOCH;
    let expected: BTreeSet<String> = fm_run::files::RUN_FILES
        .into_iter()
        .chain([".lock", "checkpoint"])
        .filter(|file| !added(file))
        .map(str::to_owned)
        .collect();
    assert_eq!(files, expected);

    let epochs = read(&dir.join("epochs.csv"));
    let header = "run_id,arch,seed,phase,epoch,train_loss,train_acc,val_loss,val_acc,lr,trainable_params,\
                  train_seconds,eval_seconds,images_per_second,ema_val_loss,ema_val_acc,mean_val_loss,mean_val_acc";
    assert_eq!(epochs.lines().next().unwrap(), header);
    assert!(epochs.ends_with("\r\n"), "RFC 4180 ends lines with CRLF");
    let rows = untimed(&dir.join("epochs.csv"));
    assert_eq!(rows.len(), 15);
    assert_eq!(rows[0][1..5], ["encoder-mlp", "0", "train", "1"]);
    let loss = |row: &[String]| row[5].parse::<f64>().unwrap();
    assert!(loss(&rows[14]) < 0.5 * loss(&rows[0]), "{} then {}", loss(&rows[0]), loss(&rows[14]));

    let confusion = read(&dir.join("confusion.csv"));
    let lines: Vec<&str> = confusion.lines().collect();
    assert_eq!(lines.len(), 4);
    for line in &lines[1..] {
        assert_eq!(line.split(',').skip(1).map(|n| n.parse::<u32>().unwrap()).sum::<u32>(), 10, "{line}");
    }
    let summary: serde_json::Value = serde_json::from_str(&read(&dir.join("summary.json"))).unwrap();
    let correct =
        (0..3).map(|i| lines[i + 1].split(',').nth(i + 1).unwrap().parse::<f64>().unwrap()).sum::<f64>();
    assert!((summary["test"]["accuracy"].as_f64().unwrap() - correct / 30.0).abs() < 1e-12);
    assert_eq!(untimed(&dir.join("predictions.csv")).len(), 30);

    let png = std::fs::read(dir.join("confusion.png")).unwrap();
    assert!(png.starts_with(b"\x89PNG"));
    assert!(read(&dir.join("curves.svg")).contains("<svg"));
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let place = Place::new();
    for (name, seed) in [("a", "5"), ("b", "5"), ("c", "6")] {
        place.run(&["--epochs", "3", "--seed", seed, "--name", name, "--patience", "2"]).succeeds();
    }
    let file = |name: &str, file: &str| std::fs::read(place.out().join(name).join(file)).unwrap();
    for same in ["model.safetensors", "predictions.csv", "confusion.csv"] {
        assert!(file("a", same) == file("b", same), "{same}");
    }
    assert!(file("a", "model.safetensors") != file("c", "model.safetensors"));
    let rows = |name: &str| untimed(&place.out().join(name).join("epochs.csv"));
    assert_eq!(rows("a"), rows("b"));
    assert_eq!(read(&place.out().join("runs.csv")).lines().count(), 4, "a row a run");
}

#[test]
fn deterministic_changes_nothing_on_the_cpu() {
    let place = Place::new();
    for engine in ["fused", "eager"] {
        let train = |name: &str, more: &[&str]| {
            let flags = ["--epochs", "3", "--patience", "2", "--engine", engine, "--name", name];
            place.run(&[&flags[..], more].concat()).succeeds();
            let dir = place.out().join(name);
            let files = ["model.safetensors", "predictions.csv", "checkpoint/3.safetensors"];
            let bytes = files.map(|file| std::fs::read(dir.join(file)).unwrap());
            (bytes, untimed(&dir.join("epochs.csv")))
        };
        let with = train(&format!("{engine}-with"), &["--deterministic"]);
        assert!(train(&format!("{engine}-without"), &[]) == with, "{engine}");
        let config = read(&place.out().join(format!("{engine}-with/config.toml")));
        assert!(config.contains("--deterministic"), "the command is on record: {config}");
    }
}

#[test]
fn the_model_file_says_what_it_is() {
    let place = Place::new();
    place.run(&["--arch", "cnn", "--epochs", "0", "--name", "r"]).succeeds();
    let bytes = std::fs::read(place.out().join("r/model.safetensors")).unwrap();
    let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let said = metadata.metadata().clone().unwrap();
    assert_eq!((said["arch"].as_str(), said["classes"].as_str()), ("cnn", r#"["0","1","2"]"#));
    let model = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(model.tensor("encoder.conv2.weight").unwrap().shape(), [64, 32, 3, 3]);
    assert_eq!(model.tensor("head.dense2.bias").unwrap().shape(), [3]);
    assert_eq!(model.len(), 10);
}

#[test]
fn the_written_configuration_runs_again_as_the_same_run() {
    let place = Place::new();
    place.run(&["--epochs", "1", "--lr", "0.002", "--name", "first"]).succeeds();
    let config = place.out().join("first/config.toml");
    let mut again = command();
    again.args(["--config", config.to_str().unwrap(), "--name", "again", "--out"]).arg(place.out());
    run(again.args(["--threads", "1"])).succeeds();
    let model = |name: &str| std::fs::read(place.out().join(name).join("model.safetensors")).unwrap();
    assert!(model("first") == model("again"));
}

#[test]
fn results_go_to_stdout_and_progress_to_stderr() {
    let place = Place::new();
    let ran = place.run(&["--epochs", "2", "--name", "r"]);
    assert!(ran.succeeds().out.contains("test accuracy"), "{}", ran.out);
    assert!(ran.err.contains("epoch 1/2") && ran.err.contains("epoch 2/2"), "{}", ran.err);
    assert!(!ran.err.contains('\x1b'), "no colours where there is no terminal");
    let ran = place.run(&["--epochs", "1", "--name", "q", "-q", "--json"]);
    assert_eq!(ran.succeeds().err, "");
    let json: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(json["arch"], "cnn");
}

#[test]
fn fast_dev_run_can_be_repeated() {
    let place = Place::new();
    for _ in 0..2 {
        let mut command = command();
        command
            .args(["--device", "cpu", "--fast-dev-run", "--batch-size", "4", "--dataset"])
            .arg(place.data());
        run(command.arg("--out").arg(place.out())).succeeds();
    }
    assert!(place.out().join("fast-dev-run/DONE").exists());
    // Under a name there may be something that one wants to keep.
    place.run(&["--name", "kept"]).succeeds();
    place.run(&["--name", "kept", "--fast-dev-run"]).fails(7, &["a finished run"]);
}

#[test]
fn bench_explains_a_step_stage_by_stage() {
    let place = Place::new();
    let bench = |arch: &str, more: &[&str]| {
        let mut bench = command();
        bench.args([
            "bench",
            "--device",
            "cpu",
            "--engine",
            "fused",
            "--rounds",
            "1",
            "--batch-size",
            "8",
            "--explain",
        ]);
        run(bench.args(["--arch", arch, "--dataset"]).arg(place.data()).args(more)).succeeds().out.clone()
    };
    let json: serde_json::Value = serde_json::from_str(&bench("4C3.same.bn-GAP", &["--json"])).unwrap();
    let stages = json["results"][0]["stages"].as_array().unwrap();
    let names: Vec<&str> = stages.iter().map(|stage| stage["stage"].as_str().unwrap()).collect();
    assert_eq!(names, ["encoder.conv1", "encoder.relu1", "encoder.gap", "head.dense1", "the rest"]);
    // 28 x 28 positions of 9 taps by 4 filters for 8 images; forward and weight gradient, as images have no gradient.
    let gflop = f64::from(28 * 28 * 9 * 4 * 8 * 2 * 2) / 1e9;
    assert!((stages[0]["gflop"].as_f64().unwrap() - gflop).abs() < 1e-12, "{stages:?}");
    assert!(
        stages[0]["forward_ms"].as_f64().unwrap() > 0.0 && stages[0]["share_of_peak"].as_f64().unwrap() > 0.0
    );
    let text = bench("4C3.same.bn-GAP", &[]);
    assert!(
        text.contains("direct convolution 3x3 + batch statistics") && text.contains("a step of"),
        "{text}"
    );
    let text = bench("cnn", &[]);
    assert!(text.contains("it does not time the stages of a step apart"), "{text}");
}

#[test]
fn bench_times_every_engine_in_turn() {
    let place = Place::new();
    let mut bench = command();
    bench.args(["bench", "--device", "cpu", "--rounds", "3", "--batch-size", "8", "--json", "--dataset"]);
    let ran = run(bench.arg(place.data()));
    let json: serde_json::Value = serde_json::from_str(&ran.succeeds().out).unwrap();
    let results = json["results"].as_array().unwrap();
    let engines: Vec<&str> = results.iter().map(|r| r["engine"].as_str().unwrap()).collect();
    assert_eq!(engines, ["eager", "fused"]);
    assert_eq!(json["steps_timed"], json["steps"], "so small an epoch is timed whole");
    for result in results {
        assert_eq!(result["samples"].as_array().unwrap().len(), 3);
        assert!(result["min"].as_f64() <= result["seconds_per_epoch"].as_f64());
    }
    assert!(!place.out().exists(), "a benchmark writes no results");
}

#[test]
fn summary_counts_the_notebooks_parameters() {
    for (arch, total) in [("cnn", "65354"), ("encoder-mlp", "123690")] {
        let ran = run(command().args(["summary", "--arch", arch]));
        let line = ran.succeeds().out.lines().find(|line| line.starts_with("total")).unwrap();
        assert!(line.contains(total), "{line}");
    }
}

#[test]
fn doctor_shows_versions_libraries_and_data() {
    let place = Place::new();
    let ran = run(command().arg("doctor").arg("--dataset").arg(place.data()));
    for piece in ["libtorch 2.11.0", "libtorch_cpu.so", "60 + 30 images of 28x28, 3 classes"] {
        assert!(ran.succeeds().out.contains(piece), "{piece} in {}", ran.out);
    }
    assert!(ran.out.contains("deterministic: algorithms off, cuDNN off, oneDNN off"), "{}", ran.out);
    let mut strict = command();
    strict.env_remove("CUBLAS_WORKSPACE_CONFIG").args(["doctor", "--deterministic", "--dataset"]);
    let ran = run(strict.arg(place.data()));
    let switches = "deterministic: algorithms on, cuDNN on, oneDNN on; cuDNN benchmark off; \
                    CUBLAS_WORKSPACE_CONFIG :4096:8";
    assert!(ran.succeeds().out.contains(switches), "{}", ran.out);
    place.remove("t10k-labels-idx1-ubyte");
    let ran = run(command().arg("doctor").arg("--dataset").arg(place.data()));
    ran.fails(3, &["cannot find t10k-labels-idx1-ubyte"]);
    assert!(ran.out.contains("libtorch 2.11.0"), "the rest is shown all the same");
}

#[test]
fn completions_for_every_shell() {
    for shell in ["bash", "zsh", "fish"] {
        let ran = run(command().args(["completions", shell]));
        // It asks this binary; what that answers, real shells show in `terminal`.
        assert!(ran.succeeds().out.contains("FM_EXP_COMPLETE"), "{shell}: {}", ran.out);
        assert!(ran.out.contains(env!("CARGO_BIN_EXE_fm-exp")), "{shell}: {}", ran.out);
    }
}
