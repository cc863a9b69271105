//! Choosing by validation scores: in summaries, tables, `eval`, `compare` and `sweep best`.

use std::path::Path;

use fm_run::tables::{self, EpochRow, best_epoch};
use serde_json::Value;

use crate::made::{Place, Ran, command, run, write};

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn column(path: &Path, name: &str) -> Vec<String> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let index = reader.headers().unwrap().iter().position(|column| column == name).unwrap();
    reader.records().map(|row| row.unwrap()[index].to_owned()).collect()
}

fn eval(run_dir: &Path, flags: &[&str]) -> Ran {
    run(command().arg("eval").arg(run_dir).args(["--device", "cpu", "--threads", "1"]).args(flags))
}

#[test]
fn a_run_says_how_it_did_on_validation_images_and_eval_finds_the_same() {
    let place = Place::new();
    place.run(&["--arch", "encoder-mlp", "--epochs", "4", "--score-at", "2", "--name", "r"]).succeeds();
    let dir = place.out().join("r");
    let rows = tables::read::<EpochRow>(&dir.join("epochs.csv")).unwrap();
    for (summary, rows) in [("summary.json", &rows[..]), ("at-2/summary.json", &rows[..2])] {
        let summary = json(&dir.join(summary));
        let (last, val) = (rows.last().unwrap(), &summary["val"]);
        assert!((val["loss"].as_f64().unwrap() - last.val_loss.unwrap()).abs() < 1e-6, "{val}");
        assert!((val["accuracy"].as_f64().unwrap() - last.val_acc.unwrap()).abs() < 1e-6, "{val}");
        assert_eq!(summary["best_epoch"], best_epoch(rows).unwrap().epoch);
    }
    let all = place.out().join("runs.csv");
    assert_eq!(column(&all, "best_epoch"), [best_epoch(&rows).unwrap().epoch.to_string()]);

    eval(&dir, &["--split", "val", "--hard", "1"]).succeeds();
    let (found, known) = (json(&dir.join("eval/data-val/summary.json")), json(&dir.join("summary.json")));
    assert_eq!(
        (&found["val"]["loss"], &found["val"]["accuracy"]),
        (&known["val"]["loss"], &known["val"]["accuracy"])
    );
    assert_eq!((&found["val"]["images"], &found["split"]), (&5.into(), &"val".into()));

    // A model by itself does not say which images were held out, and notebooks hold none out.
    let alone = place.data().join("model.safetensors");
    std::fs::copy(dir.join("model.safetensors"), &alone).unwrap();
    let dataset = place.data();
    let of = ["--split", "val", "--dataset", dataset.to_str().unwrap()];
    eval(&alone, &of).fails(4, &["config.toml", "--split val is for a run's directory"]);
    place.run(&["--protocol", "notebook", "--epochs", "1", "--name", "n"]).succeeds();
    let notebook = place.out().join("n");
    eval(&notebook, &["--split", "val"]).fails(7, &["held out no images", "--split test or train"]);
    let other = json(&notebook.join("summary.json"));
    assert_eq!((&other["val"], &other["best_epoch"]), (&Value::Null, &Value::Null));
}

#[test]
fn patience_keeps_the_best_epoch_and_says_so() {
    let place = Place::new();
    // So fast that the loss soon rises again.
    place.run(&["--epochs", "30", "--lr", "0.02", "--patience", "2", "--name", "p"]).succeeds();
    let summary = json(&place.out().join("p/summary.json"));
    assert_eq!(summary["best_epoch"], summary["scored_epoch"]);
    assert_eq!(column(&place.out().join("runs.csv"), "best_epoch"), [summary["scored_epoch"].to_string()]);
}

#[test]
fn eval_keeps_data_sets_and_models_apart() {
    let place = Place::new();
    place.run(&["--epochs", "1", "--name", "r"]).succeeds();
    let (dir, other) = (place.out().join("r"), Place::new());
    other.labels("t10k", &(0..30).map(|i| (i + 1) % 3).collect::<Vec<u8>>());
    eval(&dir, &[]).succeeds();
    let elsewhere = place.data().join("three");
    std::fs::create_dir(&elsewhere).unwrap();
    for file in std::fs::read_dir(other.data()).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), elsewhere.join(file.file_name())).unwrap();
    }
    eval(&dir, &["--dataset", elsewhere.to_str().unwrap()]).succeeds();
    eval(&dir, &["--split", "train"]).succeeds();
    let data = |name: &str| json(&dir.join("eval").join(name).join("summary.json"))["data_sha256"].clone();
    assert!(data("data-test") == data("data-train") && data("data-test") != data("three-test"));

    // Another directory of the same name, or another model: nothing is mixed.
    let same_name = other.data();
    eval(&dir, &["--dataset", same_name.to_str().unwrap()])
        .fails(7, &["holds scores of another model or of other images", "data_sha256: there", "--out"]);
    place.run(&["--epochs", "1", "--seed", "1", "--name", "r", "--overwrite"]).succeeds();
    eval(&dir, &[]).fails(7, &["run_id: there"]);
    eval(&dir, &["--out", place.data().join("e").to_str().unwrap()]).succeeds();
}

/// Two learning rates, two seeds each, at two lengths.
fn sweep(place: &Place) -> std::path::PathBuf {
    let plan = place.data().join("plan.json");
    let mut command = command();
    command.args([
        "sweep",
        "plan",
        "--arch",
        "cnn",
        "--epochs",
        "1,3",
        "--seeds",
        "0..1",
        "--set",
        "device=cpu",
    ]);
    command.args(["--set", "threads=1", "--set", "batch-size=8", "--set", "lr=0.000001,0.001"]);
    let ran = run(command.args(["--set", &format!("dataset={}", place.data().display())]));
    write(&plan, ran.succeeds().out.as_bytes());
    plan
}

fn on(place: &Place, what: &str, plan: &Path, flags: &[&str]) -> Ran {
    run(command().args(["sweep", what, "--plan"]).arg(plan).arg("--out").arg(place.out()).args(flags))
}

#[test]
fn a_sweep_is_chosen_from_by_validation_and_scored_once() {
    let place = Place::new();
    let plan = sweep(&place);
    on(&place, "best", &plan, &[]).fails(9, &["4 of 4 runs are missing", "--allow-missing"]);
    on(&place, "run", &plan, &[]).succeeds();
    on(&place, "merge", &plan, &[]).succeeds();
    let table = place.out().join("runs.csv");
    let losses = column(&table, "val_loss");
    assert!(losses.len() == 8 && losses.iter().all(|loss| loss.parse::<f64>().unwrap() > 0.0), "{losses:?}");
    assert_eq!(column(&table, "best_epoch").len(), 8);

    for by in ["accuracy", "loss"] {
        let ran = on(&place, "best", &plan, &["--json", "--by", by]);
        let best: Value = serde_json::from_str(&ran.succeeds().out).unwrap();
        assert_eq!(best["choice"], "cnn, 3 epochs, learning rate 0.001", "{by}");
        let ranking = best["ranking"].as_array().unwrap();
        assert_eq!((ranking.len(), &ranking[0]["name"]), (4, &best["choice"]));
        // The mean of the choice's runs, from their own files.
        let runs = ["summary.json"].iter().flat_map(|file| {
            let dirs = std::fs::read_dir(place.out()).unwrap().map(|dir| dir.unwrap().path());
            dirs.filter(|dir| dir.join(file).exists()).map(|dir| json(&dir.join(file))).collect::<Vec<_>>()
        });
        let chosen =
            runs.filter(|run| run["lr"] == 0.001).map(|run| run["test"]["accuracy"].as_f64().unwrap());
        let chosen: Vec<f64> = chosen.collect();
        assert_eq!(chosen.len(), 2);
        let mean = f64::midpoint(chosen[0], chosen[1]);
        assert!((best["test"]["accuracy"]["mean"].as_f64().unwrap() - mean).abs() < 1e-12);
    }
    // The test set is asked about the choice alone.
    let text = on(&place, "best", &plan, &[]);
    let tests = text.succeeds().out.lines().filter(|line| line.contains("test set")).count();
    assert_eq!(tests, 1, "{}", text.out);

    // Packed runs say the same.
    let before = on(&place, "best", &plan, &["--json"]);
    for dir in std::fs::read_dir(place.out()).unwrap().map(|dir| dir.unwrap().path()) {
        if dir.join("DONE").exists() {
            std::fs::remove_dir_all(dir).unwrap();
        }
    }
    assert_eq!(on(&place, "best", &plan, &["--json"]).succeeds().out, before.out);
}

#[test]
fn groups_are_compared_on_validation_images() {
    let place = Place::new();
    for (lr, seed) in [("0.000001", "0"), ("0.000001", "1"), ("0.001", "0"), ("0.001", "1")] {
        let name = format!("{lr}-{seed}");
        place.run(&["--epochs", "3", "--lr", lr, "--seed", seed, "--name", &name]).succeeds();
    }
    let compare =
        |flags: &[&str]| run(command().arg("compare").arg(place.out()).args(["--on", "val"]).args(flags));
    let ran = compare(&["--json"]);
    let all: Value = serde_json::from_str(&ran.succeeds().out).unwrap();
    let groups = all["groups"].as_array().unwrap();
    assert_eq!(groups[1]["name"], "cnn, learning rate 0.001");
    let val =
        |name: &str| json(&place.out().join(name).join("summary.json"))["val"]["loss"].as_f64().unwrap();
    let mean = f64::midpoint(val("0.001-0"), val("0.001-1"));
    assert!((groups[1]["measures"]["validation loss"]["mean"].as_f64().unwrap() - mean).abs() < 1e-12);
    assert!(all["pairs"][0]["paired_by_seed"] == true);
    let difference = &all["pairs"][0]["differences"]["validation loss"]["difference"];
    assert!(difference.as_f64().unwrap() < 0.0, "{difference}");
    let text = compare(&[]);
    assert!(text.succeeds().out.contains("on validation images"), "{}", text.out);
    assert!(!text.out.contains("accuracy\n") && !text.out.contains("macro F1"), "{}", text.out);
    assert!(compare(&["--csv"]).succeeds().out.starts_with("what,first,second,measure,n,mean"));

    // Summaries of earlier versions have no validation scores: the epochs say them, to six decimals.
    for name in ["0.001-0", "0.001-1"] {
        let path = place.out().join(name).join("summary.json");
        let mut summary = json(&path);
        summary.as_object_mut().unwrap().retain(|key, _| key != "val" && key != "best_epoch");
        write(&path, summary.to_string().as_bytes());
    }
    let old: Value = serde_json::from_str(&compare(&["--json"]).succeeds().out).unwrap();
    let of = |all: &Value| all["groups"][1]["measures"]["validation loss"]["mean"].as_f64().unwrap();
    assert!((of(&old) - of(&all)).abs() < 1e-6 && old["groups"][1]["measures"]["best epoch"].is_object());

    place.run(&["--epochs", "1", "--protocol", "notebook", "--name", "n"]).succeeds();
    compare(&[]).fails(7, &["has no validation scores", "--protocol notebook holds no images out"]);
}
