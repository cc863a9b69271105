//! `verify` trains again and names what differs first.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::made::{COMPOSED, Place, Ran, command, run, write};

fn trained() -> (Place, PathBuf) {
    let place = Place::new();
    place.run(&["--epochs", "3", "--score-at", "1", "--engine", "fused", "--name", "r"]).succeeds();
    let dir = place.out().join("r");
    (place, dir)
}

fn verify(place: &Path, flags: &[&str]) -> Ran {
    run(command().arg("verify").arg(place).args(flags))
}

fn edit(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{from:?} in {text}");
    write(path, text.replacen(from, to, 1).as_bytes());
}

/// Changes a cell of a table.
fn change(path: &Path, row: usize, column: &str, to: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines: Vec<Vec<String>> =
        text.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect();
    let index = lines[0].iter().position(|name| name == column).unwrap();
    to.clone_into(&mut lines[row][index]);
    let lines: Vec<String> = lines.iter().map(|line| line.join(",") + "\r\n").collect();
    write(path, lines.concat().as_bytes());
}

fn first(ran: &Ran) -> (String, String, String) {
    let all: Value =
        serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("{e}: {} {}", ran.out, ran.err));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let run = &all["runs"][0];
    (text(&run["answer"]), text(&run["first_difference"]["what"]), text(&run["first_difference"]["text"]))
}

#[test]
fn a_run_comes_out_identical_from_its_directory_and_packed() {
    let (place, dir) = trained();
    place.run(&[&COMPOSED[..], &["--epochs", "2", "--seed", "3", "--name", "s"]].concat()).succeeds();
    let ran = verify(&dir, &[]);
    let said = &ran.succeeds().out;
    assert!(
        said.starts_with(
            "r: identical (3 epochs, scores after epoch 1, the last epoch, 60 predictions, weights)"
        ),
        "{said}"
    );
    assert!(said.ends_with("1 run: 1 identical\n"), "{said}");
    let part = verify(&dir, &["--epochs", "1"]);
    assert!(part.succeeds().out.starts_with("r: identical (1 epochs, scores after epoch 1"), "{}", part.out);
    // It leaves the run as it is, and nothing beside it.
    assert_eq!(std::fs::read_dir(place.out()).unwrap().count(), 4, "r, s, runs.csv and its lock");

    run(command().arg("pack").arg(place.out())).succeeds();
    for name in ["r", "s"] {
        std::fs::remove_dir_all(place.out().join(name)).unwrap();
    }
    let packed = verify(&place.out(), &[]);
    assert!(packed.succeeds().out.ends_with("2 runs: 2 identical\n"), "{}", packed.out);
    let sample = verify(&place.out(), &["--sample", "1", "--json"]);
    let all: Value = serde_json::from_str(&sample.succeeds().out).unwrap();
    assert_eq!((&all["counts"]["identical"], all["runs"].as_array().unwrap().len()), (&1.into(), 1));
    verify(&place.out(), &["--sample", "0"]).fails(2, &["at least 1"]);
    verify(&place.data(), &[]).fails(7, &["no finished run"]);
}

/// libtorch's sums depend on them.
#[test]
fn a_run_of_libtorch_is_trained_again_on_its_threads() {
    let place = Place::new();
    place.run(&["--epochs", "1", "--engine", "eager", "--threads", "3", "--name", "r"]).succeeds();
    let dir = place.out().join("r");
    let config = std::fs::read_to_string(dir.join("config.toml")).unwrap();
    assert!(config.contains("\nthreads = 3\n"), "{config}");
    let ran = verify(&dir, &["--json"]);
    assert_eq!(first(ran.succeeds()).0, "identical", "{}", ran.out);
}

#[test]
fn a_changed_setting_or_data_file_is_named() {
    let (place, dir) = trained();
    edit(&dir.join("config.toml"), "lr = 0.001", "lr = 0.002");
    let ran = verify(&dir, &["--json"]);
    ran.fails(7, &["1 of 1 runs do not come out as recorded"]);
    let (answer, what, text) = first(&ran);
    assert_eq!((answer.as_str(), what.as_str()), ("different", "setting"));
    assert_eq!(text, "lr: config.toml 0.002, summary.json 0.001");
    // Where the summary was changed with it, the id tells.
    edit(&dir.join("summary.json"), "\"lr\": 0.001", "\"lr\": 0.002");
    let (_, what, text) = first(&verify(&dir, &["--json"]));
    assert!(what == "setting" && text.starts_with("run id: config.toml gives "), "{text}");
    edit(&dir.join("summary.json"), "\"lr\": 0.002", "\"lr\": 0.001");
    edit(&dir.join("config.toml"), "lr = 0.002", "lr = 0.001");
    verify(&dir, &["--epochs", "1"]).succeeds();

    let mut labels: Vec<u8> = (0..30).map(|i| i % 3).collect();
    labels[7] = 2;
    place.labels("t10k", &labels);
    let ran = verify(&dir, &["--json"]);
    ran.fails(7, &[]);
    let (answer, what, text) = first(&ran);
    assert_eq!((answer.as_str(), what.as_str()), ("different", "data"));
    assert!(text.starts_with("recorded ") && text.contains("t10k-labels-idx1-ubyte"), "{text}");
    // The files as they were, in another place.
    let other = Place::new();
    verify(&dir, &["--data-dir", other.data().to_str().unwrap()]).succeeds();
}

#[test]
fn a_changed_table_is_named_by_epoch_and_column() {
    let (_place, dir) = trained();
    let epochs = std::fs::read(dir.join("epochs.csv")).unwrap();
    change(&dir.join("epochs.csv"), 2, "train_loss", "0.123456");
    let ran = verify(&dir, &["--json"]);
    let all: Value = serde_json::from_str(&ran.out).unwrap();
    let tables = &all["runs"][0]["first_in_tables"];
    assert_eq!(tables["what"], "epochs");
    assert!(
        tables["text"].as_str().unwrap().starts_with("epoch 2, train_loss: recorded 0.123456, found "),
        "{tables}"
    );
    // Times are no result.
    write(&dir.join("epochs.csv"), &epochs);
    change(&dir.join("epochs.csv"), 1, "train_seconds", "99");
    verify(&dir, &[]).succeeds();

    change(&dir.join("predictions.csv"), 6, "predicted", "2");
    change(&dir.join("predictions.csv"), 6, "p_predicted", "0.5");
    let (_, _, text) = first_in_tables(&verify(&dir, &["--json"]));
    assert!(text.contains("image 5: recorded class 2 at 0.500000"), "{text}");
}

fn first_in_tables(ran: &Ran) -> (String, String, String) {
    let all: Value = serde_json::from_str(&ran.out).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let run = &all["runs"][0];
    (text(&run["answer"]), text(&run["first_in_tables"]["what"]), text(&run["first_in_tables"]["text"]))
}

/// A reconstruction has no accuracy.
#[test]
fn epochs_without_an_accuracy_are_said_to_show_too_little() {
    let place = Place::new();
    place.run(&[&COMPOSED[..], &["--epochs", "1", "--name", "r"]].concat()).succeeds();
    let dir = place.out().join("r");
    edit(
        &dir.join("config.toml"),
        &format!("instruction-set = \"{}\"", fm_kernels::Isa::detect()),
        "instruction-set = \"sse9\"",
    );
    change(&dir.join("epochs.csv"), 1, "train_loss", "0.5");
    let some = verify(&dir, &["--epochs", "1"]);
    some.fails(7, &[]);
    assert!(
        some.out.contains("these epochs have no accuracy") && some.out.contains("more --epochs"),
        "{}",
        some.out
    );
    let all = verify(&dir, &[]);
    assert!(all.succeeds().out.starts_with("r: equivalent within 1 points"), "{}", all.out);
}

#[test]
fn another_instruction_set_is_equivalent_within_a_margin() {
    let (_place, dir) = trained();
    let set = fm_kernels::Isa::detect();
    edit(&dir.join("config.toml"), &format!("instruction-set = \"{set}\""), "instruction-set = \"sse9\"");
    // With the same numbers it does not matter.
    verify(&dir, &[]).succeeds();
    change(&dir.join("epochs.csv"), 3, "val_loss", "0.5");
    let ran = verify(&dir, &["--json"]);
    let (answer, what, text) = first(ran.succeeds());
    assert_eq!((answer.as_str(), what.as_str()), ("equivalent", "build"));
    assert!(text.contains(&format!("instruction-set: recorded \"sse9\", here \"{set}\"")), "{text}");
    let text = verify(&dir, &[]);
    assert!(
        text.succeeds().out.contains("in the tables: epochs: epoch 3, val_loss: recorded 0.5"),
        "{}",
        text.out
    );

    let path = dir.join("summary.json");
    let mut summary: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let accuracy = summary["test"]["accuracy"].as_f64().unwrap();
    summary["test"]["accuracy"] = (accuracy - 0.02).into();
    write(&path, summary.to_string().as_bytes());
    verify(&dir, &[]).fails(7, &["do not come out as recorded"]);
    verify(&dir, &["--margin", "2.5"]).succeeds();
}
