//! Successive halving: who goes on, what is left of the others, and what it says of the cost.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use crate::made::{Place, Ran, command, run, write};

/// Two good learning rates, one that hardly moves, one at which the loss is soon no number.
const GRID: [&str; 8] =
    ["--arch", "4C3-MP2--16", "--seeds", "0..2", "--epochs", "4", "--lr", "1e-7,3e-3,1e-2,1e30"];

/// A plan over 240 training images, of which 20 validate.
fn plan(place: &Place, flags: &[&str]) -> PathBuf {
    place.images("train", 240, 28, 28);
    place.labels("train", &(0..240u32).map(|i| (i % 3) as u8).collect::<Vec<u8>>());
    let common = ["--set", "device=cpu", "--set", "engine=fused", "--batch-size", "8"];
    let ran = run(command().args(["sweep", "plan", "--dataset"]).arg(place.data()).args(common).args(flags));
    let path = place.data().join("plan.json");
    write(&path, ran.succeeds().out.as_bytes());
    path
}

fn on(what: &str, plan: &Path, out: &Path, flags: &[&str]) -> Ran {
    run(command().args(["sweep", what, "--plan"]).arg(plan).arg("--out").arg(out).args(flags))
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Cells of `halving.csv`: epochs, configuration, verdict.
fn verdicts(out: &Path) -> Vec<(u32, String, String)> {
    let table = text(&out.join("halving.csv"));
    let rows = table.lines().skip(1).map(|row| row.split(',').collect::<Vec<_>>());
    rows.map(|row| (row[1].parse().unwrap(), row[3].to_owned(), row[9].to_owned())).collect()
}

#[test]
fn poor_configurations_stop_and_the_others_are_the_grids_own_runs() {
    let place = Place::new();
    let plan = plan(&place, &GRID);
    let out = place.out().join("halved");
    let ran = on("halve", &plan, &out, &["--jobs", "2", "--eta", "2"]);
    let said = &ran.succeeds().out;
    let verdicts = verdicts(&out);
    let first: Vec<&str> = verdicts.iter().filter(|v| v.0 == 1).map(|v| v.2.as_str()).collect();
    assert_eq!(first.len(), 4, "{verdicts:?}");
    assert_eq!(first.iter().filter(|v| **v == "diverged").count(), 1);
    let lost = |lr: &str| verdicts.iter().find(|v| v.1 == format!("lr={lr}") && v.2 == "dropped").unwrap().0;
    assert!(lost("1e-7") < 4, "{verdicts:?}");
    assert!(said.contains("chosen: lr=0.003") || said.contains("chosen: lr=0.01"), "{said}");
    assert!(said.contains("of the full grid's 48 epochs"), "{said}");

    // What was dropped has trained no longer, and has not been shown the test set.
    let slow = out.join("4C3-MP2--16-4ep-seed1-lr1e-7");
    assert_eq!(text(&slow.join("epochs.csv")).lines().count(), 1 + lost("1e-7") as usize);
    assert!(!slow.join("DONE").exists() && !slow.join("summary.json").exists());
    assert!(slow.join("checkpoint").exists());

    // The same command again trains nothing and says the same.
    let table = text(&out.join("halving.csv"));
    let again = on("halve", &plan, &out, &["--eta", "2"]);
    assert_eq!(again.succeeds().out, *said);
    assert!(!again.err.contains("is at epoch"), "{}", again.err);
    assert_eq!(text(&out.join("halving.csv")), table);

    // The chosen run is the one of the whole grid, and a sweep resumes from it with the rest.
    let whole = place.out().join("whole");
    on("run", &plan, &whole, &["--jobs", "2"]).fails(9, &["3 runs failed, 9 done"]);
    let chosen = said.lines().find(|line| line.contains("seed0")).unwrap().trim();
    let name = Path::new(chosen).file_name().unwrap();
    for file in ["model.safetensors", "predictions.csv", "DONE"] {
        assert_eq!(
            std::fs::read(out.join(name).join(file)).unwrap(),
            std::fs::read(whole.join(name).join(file)).unwrap(),
            "{file}"
        );
    }
    // Decisions and their cost are the same where everything has been trained before.
    let over = on("halve", &plan, &whole, &["--eta", "2", "--json"]);
    let over: serde_json::Value = serde_json::from_str(&over.succeeds().out).unwrap();
    let json: serde_json::Value =
        serde_json::from_str(&on("halve", &plan, &out, &["--eta", "2", "--json"]).succeeds().out).unwrap();
    assert_eq!((&over["chosen"], &over["rungs"]), (&json["chosen"], &json["rungs"]));
    assert_eq!(over["cost"]["epochs"], json["cost"]["epochs"]);
    assert!(json["cost"]["share"].as_f64().unwrap() < 0.75, "{json}");
    on("run", &plan, &out, &["--jobs", "2"]).fails(9, &["3 runs failed, 9 done"]);
    assert_eq!(
        std::fs::read(slow.join("model.safetensors")).unwrap(),
        std::fs::read(whole.join("4C3-MP2--16-4ep-seed1-lr1e-7/model.safetensors")).unwrap()
    );
}

#[test]
fn killed_anywhere_it_goes_on_to_the_same_decisions() {
    let place = Place::new();
    let plan = plan(
        &place,
        &["--arch", "4C3-MP2--16", "--seeds", "0..1", "--epochs", "2", "--lr", "1e-7,1e-3,1e-2"],
    );
    let expected = place.out().join("once");
    on("halve", &plan, &expected, &[]).succeeds();
    let out = place.out().join("killed");
    for pause in [700, 1500] {
        let mut halve = command();
        halve.args(["sweep", "halve", "--plan"]).arg(&plan).arg("--out").arg(&out).stderr(Stdio::null());
        let mut child = halve.stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(pause));
        let _ = child.kill();
        child.wait().unwrap();
    }
    // What the killed process had started saves and ends, but not at once.
    let mut last = on("halve", &plan, &out, &[]);
    while last.code == 75 {
        std::thread::sleep(Duration::from_millis(100));
        last = on("halve", &plan, &out, &[]);
    }
    last.succeeds();
    assert_eq!(text(&out.join("halving.csv")), text(&expected.join("halving.csv")));
}

#[test]
fn what_cannot_be_halved_is_refused() {
    let place = Place::new();
    let out = place.out();
    let refused = |flags: &[&str], pieces: &[&str]| {
        let plan = plan(&place, flags);
        on("halve", &plan, &out, &[]).fails(2, pieces);
    };
    refused(&["--seeds", "0", "--epochs", "3"], &["one seed for each configuration", "--seeds 0..2"]);
    refused(&["--seeds", "0..1", "--epochs", "1,3"], &["lengths on the way are scored on the test set"]);
    refused(&["--seeds", "0..1", "--set", "protocol=notebook"], &["notebook has no validation images"]);
    refused(&["--seeds", "0..1", "--set", "patience=2"], &["--patience ends runs by itself"]);
    let plan = plan(&place, &["--seeds", "0..1", "--epochs", "3"]);
    on("halve", &plan, &out, &["--eta", "1"]).fails(2, &["--eta must be at least 2"]);
    on("halve", &plan, &out, &["--risk", "0"]).fails(2, &["--risk must be between 0 and 1"]);
    on("halve", &plan, &out, &["--tolerance", "2"]).fails(2, &["--tolerance must be at least 0"]);
    on("halve", &plan, &out, &["--min-epochs", "4"]).fails(2, &["--min-epochs must be from 1 to 3, got 4"]);
}

#[test]
fn a_grid_with_ranges_is_the_same_plan_every_time() {
    let place = Place::new();
    let grid = place.data().join("grid.toml");
    let text = "lr = 'log 1e-4..1e-1'\nbatch-size = 'log integer 4..32'\nseeds = '0..1'\nepochs = 2\narch = '4C3-MP2--16'\n\
                device = 'cpu'\nengine = 'fused'\n[sample]\npoints = 8\nseed = 3\n";
    write(&grid, text.as_bytes());
    let made = || {
        run(command().args(["sweep", "plan"]).arg(&grid).arg("--dataset").arg(place.data()))
            .succeeds()
            .out
            .clone()
    };
    let first = made();
    assert_eq!(first, made());
    let json: serde_json::Value = serde_json::from_str(&first).unwrap();
    let runs = json["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 16);
    let points: std::collections::BTreeSet<String> =
        runs.iter().map(|run| format!("{} {}", run["flags"]["lr"], run["flags"]["batch-size"])).collect();
    assert_eq!(points.len(), 8, "{points:?}");
}
