//! Sweeps: the plan, shards in any order with deaths among them, failures, lengths on the way.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::made::{Place, Ran, command, run, write};

fn sweep(flags: &[&str]) -> Command {
    let mut command = command();
    command.arg("sweep").args(flags);
    command
}

/// A plan over a place's data, in a file.
fn plan(place: &Place, flags: &[&str]) -> PathBuf {
    let data = place.data();
    let common = ["--set", "device=cpu", "--set", "engine=fused", "--batch-size", "8"];
    let ran = run(sweep(&["plan", "--dataset", data.to_str().unwrap()]).args(common).args(flags));
    let path = place.data().join("plan.json");
    write(&path, ran.succeeds().out.as_bytes());
    path
}

fn on(what: &str, plan: &Path, out: &Path, flags: &[&str]) -> Ran {
    run(sweep(&[what, "--plan", plan.to_str().unwrap(), "--out", out.to_str().unwrap()]).args(flags))
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

const GRID: [&str; 6] = ["--arch", "encoder-mlp,cnn", "--seeds", "0..2", "--epochs", "1,3"];

#[test]
fn a_plan_does_not_depend_on_the_order_of_its_grid() {
    let place = Place::new();
    let first = read(&plan(&place, &GRID));
    let again = read(&plan(&place, &["--epochs", "3,1", "--seeds", "2,0..1", "--arch", "cnn,encoder-mlp"]));
    assert_eq!(String::from_utf8(first.clone()).unwrap(), String::from_utf8(again).unwrap());
    let json: serde_json::Value = serde_json::from_slice(&first).unwrap();
    let runs = json["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 6, "one training for both lengths");
    assert_eq!(
        (&runs[0]["flags"]["epochs"], &runs[0]["flags"]["score-at"]),
        (&3.into(), &serde_json::json!([1]))
    );
    // With patience a shorter run is another one; a learning rate stands in the name.
    let path = plan(&place, &["--epochs", "1,3", "--set", "patience=2", "--lr", "1e-3,1e-2"]);
    let json: serde_json::Value = serde_json::from_slice(&read(&path)).unwrap();
    let names: Vec<&str> =
        json["runs"].as_array().unwrap().iter().map(|r| r["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), 4);
    assert!(names.contains(&"cnn-1ep-seed0-lr0.001") && names.contains(&"cnn-3ep-seed0-lr0.01"), "{names:?}");
}

/// A comma within a value separates nothing; a flag said twice gives two values.
#[test]
fn values_with_commas_stay_whole() {
    let place = Place::new();
    let flags = ["--seeds", "0", "--augment", "flip,shift2", "--augment", "none"];
    let path = plan(&place, &[&flags[..], &["--set", "schedule=step:0.1@0.5,0.75"]].concat());
    let json: serde_json::Value = serde_json::from_slice(&read(&path)).unwrap();
    let said = |run: &serde_json::Value, key: &str| run["flags"][key].as_str().unwrap().to_owned();
    let runs = json["runs"].as_array().unwrap();
    let augments: std::collections::BTreeSet<String> = runs.iter().map(|r| said(r, "augment")).collect();
    assert_eq!(augments.into_iter().collect::<Vec<_>>(), ["flip,shift2", "none"]);
    assert!(runs.iter().all(|run| said(run, "schedule") == "step:0.1@0.5,0.75"));
}

#[test]
fn tables_are_the_same_for_any_shards_and_after_a_death() {
    let place = Place::new();
    let plan = plan(&place, &GRID);
    let merged = |out: &Path| {
        on("merge", &plan, out, &[]).succeeds();
        read(&out.join("runs.csv"))
    };
    let one = place.out().join("one");
    on("run", &plan, &one, &["--jobs", "2"]).succeeds();
    assert!(!one.join(".runs.lock").exists(), "no file is shared between processes");
    let expected = merged(&one);
    assert_eq!(String::from_utf8_lossy(&expected).lines().count(), 1 + 2 * 3 * 2);
    assert!(String::from_utf8_lossy(&read(&one.join("timings.csv"))).lines().count() == 13);
    // What is packed is merged as the directories are.
    let packed = place.out().join("packed");
    std::fs::create_dir_all(&packed).unwrap();
    write(&packed.join("runs.npz"), &read(&one.join("runs.npz")));
    assert_eq!(merged(&packed), expected);
    // And it is done: a run is trained again only where its directory says that it is not.
    let ran = on("run", &plan, &packed, &["--json"]);
    let said: serde_json::Value = serde_json::from_str(&ran.succeeds().out).unwrap();
    assert_eq!((&said["done"], &said["skipped"]), (&6.into(), &6.into()));
    assert!(!packed.join("cnn-3ep-seed0").exists());

    let text = std::fs::read_to_string(one.join("cnn-3ep-seed0/DONE")).unwrap();
    let planned: serde_json::Value = serde_json::from_slice(&read(&plan)).unwrap();
    assert_eq!(planned["runs"][0]["run_id"], text.trim());

    // Backwards, and the sweep with what it started killed at some moment of the first shard.
    let three = place.out().join("three");
    let mut first = sweep(&["run", "--plan", plan.to_str().unwrap(), "--out", three.to_str().unwrap()])
        .args(["--shard", "2/3"])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(150));
    first.kill().unwrap();
    first.wait().unwrap();
    on("merge", &plan, &three, &[]).fails(9, &["of 6 runs are missing", "not begun", "sweep run"]);
    // What the killed process had started notices, saves and ends, but not at once: until then a run is someone
    // else's, to wait for.
    for shard in ["2/3", "1/3", "0/3"] {
        while on("run", &plan, &three, &["--shard", shard]).code == 75 {
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    assert_eq!(merged(&three), expected);

    let eight = place.out().join("eight");
    for id in (1..=8).rev() {
        let mut command = sweep(&["run", "--plan", plan.to_str().unwrap(), "--out", eight.to_str().unwrap()]);
        command.env("SLURM_ARRAY_TASK_ID", id.to_string()).env("SLURM_ARRAY_TASK_COUNT", "8");
        run(command.env("SLURM_ARRAY_TASK_MIN", "1")).succeeds();
    }
    assert_eq!(merged(&eight), expected);
    let again = on("run", &plan, &eight, &[]);
    assert!(again.succeeds().out.contains("6 of them before"), "{}", again.out);
}

#[test]
fn a_failing_run_leaves_the_others_alone() {
    let place = Place::new();
    // A learning rate at which the loss is soon no number.
    let plan = plan(&place, &["--arch", "cnn", "--seeds", "0..1", "--epochs", "3", "--lr", "1e-3,1e30"]);
    let out = place.out();
    let ran = on("run", &plan, &out, &["--jobs", "2"]);
    ran.fails(9, &["2 runs failed, 2 done", "exit code 6: loss became NaN", "--retry-failed"]);
    on("run", &plan, &out, &[]).fails(9, &["failed before: exit code 6", "2 done"]);
    on("run", &plan, &out, &["--retry-failed"]).fails(9, &["[3/4]", "failed: exit code 6"]);
    on("merge", &plan, &out, &[]).fails(9, &["2 of 4 runs are missing", "seed0-lr1e30: failed, exit code 6"]);
    on("merge", &plan, &out, &["--allow-missing"]).succeeds();
    assert_eq!(String::from_utf8(read(&out.join("runs.csv"))).unwrap().lines().count(), 3);
}

#[test]
fn scores_on_the_way_are_those_of_shorter_runs() {
    let place = Place::new();
    let flags = |epochs, name| {
        [
            "--arch",
            "encoder-mlp",
            "--pretrain",
            "classifier",
            "--pretrain-epochs",
            "1",
            "--unfreeze-at",
            "1",
            "--epochs",
            epochs,
            "--name",
            name,
        ]
    };
    place.run(&[&flags("5", "long")[..], &["--score-at", "4,2"]].concat()).succeeds();
    for epochs in ["2", "4"] {
        place.run(&flags(epochs, epochs)).succeeds();
        let (there, here) = (place.out().join(format!("long/at-{epochs}")), place.out().join(epochs));
        for file in ["confusion.csv", "confusion_normalized.csv", "per_class.csv", "predictions.csv"] {
            assert_eq!(read(&there.join(file)), read(&here.join(file)), "{epochs}: {file}");
        }
        let summary = |dir: &Path| -> serde_json::Value {
            let mut summary: serde_json::Value =
                serde_json::from_slice(&read(&dir.join("summary.json"))).unwrap();
            for key in ["name", "train_seconds", "test_seconds"] {
                summary.as_object_mut().unwrap().remove(key);
            }
            summary
        };
        assert_eq!(summary(&there), summary(&here), "{epochs}");
    }
    place
        .run(&["--epochs", "2", "--score-at", "2"])
        .fails(2, &["--score-at must be from 1 to below --epochs (2)"]);
    place.run(&["--epochs", "5", "--score-at", "2", "--patience", "1"]).fails(2, &["--score-at"]);
    place.run(&[&flags("5", "long")[..], &["--overwrite"]].concat()).succeeds();
    assert!(!place.out().join("long/at-2").exists(), "overwritten with the rest");
}

#[test]
fn a_stopped_sweep_goes_on() {
    let place = Place::new();
    let plan = plan(&place, &["--arch", "cnn", "--seeds", "0..1", "--epochs", "400"]);
    let out = place.out();
    let mut child =
        sweep(&["run", "--plan", plan.to_str().unwrap(), "--out", out.to_str().unwrap(), "--jobs", "2"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
    while !out.join("cnn-400ep-seed1/checkpoint").exists() {
        assert_eq!(child.try_wait().unwrap(), None);
        std::thread::sleep(Duration::from_millis(10));
    }
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-USR1", &pid]).status().unwrap().success());
    let ended = child.wait_with_output().unwrap();
    let err = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(75), "{err}");
    assert!(err.contains("stopped by SIGUSR1") && err.contains("the same command resumes them"), "{err}");
    on("merge", &plan, &out, &[]).fails(9, &["not finished"]);
}

#[test]
fn row_41_and_other_flags_that_make_no_sense() {
    let place = Place::new();
    let path = plan(&place, &["--epochs", "1"]);
    on("run", &path, &place.out(), &["--shard", "5/4"]).fails(2, &["shard index 5 out of 0 to 3"]);
    on("run", &path, &place.out(), &["--jobs", "0"]).fails(2, &["--jobs"]);
    let not = place.data().join("train-labels-idx1-ubyte");
    on("run", &not, &place.out(), &[]).fails(7, &["is no plan", "fm-exp sweep plan"]);
    run(&mut sweep(&["plan", "--arch", "cmn"])).fails(2, &["cmn"]);
    run(&mut sweep(&["plan", "--epochs", "3", "--seeds", "5..1"])).fails(2, &["5..1"]);
    // A directory that holds something else is not taken for the run's.
    on("run", &path, &place.out(), &[]).succeeds();
    let other = plan(&place, &["--epochs", "1", "--set", "protocol=notebook"]);
    let text = String::from_utf8(read(&other)).unwrap().replace("cnn-notebook-1ep-seed0", "cnn-1ep-seed0");
    write(&other, text.as_bytes());
    let ran = on("run", &other, &place.out(), &[]);
    ran.fails(9, &["holds another run", "protocol: there \"holdout\", planned \"notebook\"", "1 run failed"]);
    // A grid that grows trains again what it must; data that have changed are not trained on.
    let ran = on("run", &plan(&place, &["--epochs", "1,2"]), &place.out(), &[]);
    assert!(ran.succeeds().out.starts_with("1 run done, in"), "{}", ran.out);
    let ran = on("run", &plan(&place, &["--epochs", "0,1,2"]), &place.out(), &[]);
    assert!(ran.succeeds().out.contains("2 runs done, 1 of them before"), "{}", ran.out);
    assert!(
        on("run", &plan(&place, &["--epochs", "2,3"]), &place.out(), &[])
            .succeeds()
            .out
            .starts_with("1 run ")
    );
    let longer = on("run", &plan(&place, &["--epochs", "1,2,3"]), &place.out(), &[]);
    assert!(longer.succeeds().err.contains("trained again: other lengths"), "{}", longer.err);
    let before = plan(&place, &["--epochs", "4"]);
    place.labels("train", &(0..60).map(|i| (i + 1) % 3).collect::<Vec<u8>>());
    on("run", &before, &place.out(), &[]).fails(9, &["exit code 7", "the plan's is"]);
}

#[test]
fn scripts_for_schedulers() {
    let slurm =
        run(&mut sweep(&["emit", "slurm", "--shards", "8", "--parallel", "2", "--plan", "my plan.json"]));
    for piece in [
        "#SBATCH --array=0-7%2\n",
        "--requeue",
        "--open-mode=append",
        "--signal=B:USR1@90",
        "exec fm-exp sweep run --plan 'my plan.json'",
    ] {
        assert!(slurm.succeeds().out.contains(piece), "{piece} in\n{}", slurm.out);
    }
    let lines = run(&mut sweep(&["emit", "parallel", "--shards", "3"]));
    assert!(lines.succeeds().out.ends_with("--shard 2/3\n"), "{}", lines.out);
    let job = run(&mut sweep(&["emit", "k8s"]));
    assert!(job.succeeds().out.contains("completionMode: Indexed"), "{}", job.out);
}
