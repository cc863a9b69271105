//! What spreadsheets open: no number that one of them would read as another, and workbooks.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::made::{Place, command, run, write};

/// Every CSV file in a directory and those in it.
fn tables(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { tables(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|end| end == "csv"))
        .collect()
}

/// Cells that a decimal comma turns into thousands.
fn misread(path: &Path) -> Vec<String> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_path(path).unwrap();
    let cells = reader.records().flat_map(|row| row.unwrap().iter().map(str::to_owned).collect::<Vec<_>>());
    let is_misread = |cell: &String| {
        cell.parse::<f64>().is_ok() && cell.rsplit_once('.').is_some_and(|(_, decimals)| decimals.len() == 3)
    };
    cells.filter(is_misread).collect()
}

#[test]
fn no_table_has_a_number_with_three_decimals() {
    let place = Place::new();
    let plan = place.data().join("plan.json");
    let mut sweep = command();
    sweep.args([
        "sweep",
        "plan",
        "--arch",
        "encoder-mlp",
        "--epochs",
        "1,2",
        "--seeds",
        "0..1",
        "--lr",
        "0.001,0.125",
    ]);
    sweep.args([
        "--set",
        "device=cpu",
        "--set",
        "batch-size=8",
        "--set",
        "momentum=0.875",
        "--set",
        "optimizer=sgd",
    ]);
    let ran = run(sweep.args(["--set", &format!("dataset={}", place.data().display())]));
    write(&plan, ran.succeeds().out.as_bytes());
    let on = |what: &str, flags: &[&str]| {
        run(command().args(["sweep", what, "--plan"]).arg(&plan).arg("--out").arg(place.out()).args(flags))
    };
    on("run", &[]).succeeds();
    on("merge", &["--xlsx"]).succeeds();
    let one = place.out().join("single");
    place.run(&["--epochs", "2", "--lr", "0.001", "--out", one.to_str().unwrap(), "--name", "r"]).succeeds();
    let run_dir = one.join("r");
    run(command().arg("eval").arg(&run_dir).args(["--hard", "3", "--device", "cpu"])).succeeds();
    run(command().arg("encode").arg(&run_dir).args(["--device", "cpu"])).succeeds();
    let compare = place.out().join("compare.csv");
    let workbook = place.out().join("compare.xlsx");
    let mut comparison = command();
    comparison.arg("compare").arg(place.out()).args(["--csv", "--xlsx"]).arg(&workbook);
    write(&compare, run(&mut comparison).succeeds().out.as_bytes());
    run(command().arg("report").arg(place.out()).arg("--xlsx")).succeeds();

    let all = tables(&place.out());
    assert!(all.len() > 20, "{all:?}");
    for table in all {
        assert_eq!(misread(&table), Vec::<String>::new(), "{}", table.display());
    }
    let merged = std::fs::read_to_string(place.out().join("runs.csv")).unwrap();
    assert!(
        merged.contains(",0.0010,") && merged.contains(",0.1250,") && merged.contains(",0.8750,"),
        "{merged}"
    );
    for file in ["runs.xlsx", "compare.xlsx", "report/report.xlsx"] {
        assert!(std::fs::read(place.out().join(file)).unwrap().starts_with(b"PK"), "{file}");
    }
}

#[test]
fn the_loss_comes_back_from_the_predictions_also_packed() {
    let place = Place::new();
    place.run(&["--epochs", "6", "--lr", "0.01", "--name", "r"]).succeeds();
    let dir = place.out().join("r");
    let summary: Value = serde_json::from_slice(&std::fs::read(dir.join("summary.json")).unwrap()).unwrap();
    let loss = summary["test"]["loss"].as_f64().unwrap();
    let read = || fm_run::tables::read::<fm_run::tables::Prediction>(&dir.join("predictions.csv")).unwrap();
    let losses: Vec<f64> = read().iter().map(|p| p.loss.unwrap()).collect();
    assert!((losses.iter().sum::<f64>() / losses.len() as f64 - loss).abs() < 1e-6);

    run(command().arg("pack").arg(place.out())).succeeds();
    let packed = std::fs::read(place.out().join("runs.npz")).unwrap();
    assert!(packed.windows(19).any(|name| name == b"loss_millionths.npy"));
    // Tables of earlier versions have no such column.
    let text = std::fs::read_to_string(dir.join("predictions.csv")).unwrap();
    let old: Vec<String> =
        text.lines().map(|line| line.rsplit_once(',').unwrap().0.to_owned() + "\r\n").collect();
    write(&dir.join("predictions.csv"), old.concat().as_bytes());
    assert!(read().iter().all(|p| p.loss.is_none()));
    run(command().arg("compare").arg(place.out())).succeeds();
    run(command().arg("verify").arg(&dir)).succeeds();
}
