//! Runs of a sweep side by side on the emulated GPU: each is, byte for byte, the run by itself.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::cuda::emulated;
use crate::made::{Place, Ran, command, run, write};
use crate::resume::{same, wait_for_rows};

/// A network of the kernels whose emulation is quick.
const ARCH: &str = "4C3-MP2-6C3-MP2--8";

/// A plan of three seeds and the given flags.
fn planned(place: &Place, flags: &[&str]) -> Ran {
    let data = place.data();
    let mut planning = command();
    planning.args(["sweep", "plan", "--dataset", data.to_str().unwrap(), "--set", "device=cuda"]);
    planning.args(["--batch-size", "8", "--arch", ARCH, "--seeds", "0..2"]).args(flags);
    run(emulated(&mut planning, &[]))
}

/// The same in a file.
fn plan(place: &Place, flags: &[&str]) -> PathBuf {
    let path = place.data().join("plan.json");
    write(&path, planned(place, flags).succeeds().out.as_bytes());
    path
}

fn names(plan: &Path) -> Vec<String> {
    let plan: serde_json::Value = serde_json::from_slice(&std::fs::read(plan).unwrap()).unwrap();
    plan["runs"].as_array().unwrap().iter().map(|run| run["name"].as_str().unwrap().to_owned()).collect()
}

fn on(what: &str, place: &Place, plan: &Path, out: &str, flags: &[&str]) -> Command {
    let mut command = command();
    command.args(["sweep", what, "--plan"]).arg(plan).arg("--out").arg(place.out().join(out)).args(flags);
    emulated(&mut command, &[]);
    command
}

fn sweep(place: &Place, plan: &Path, out: &str, beside: &str) -> Ran {
    run(&mut on("run", place, plan, out, &["--beside", beside]))
}

/// How many runs a run had beside it, by its record.
fn beside(place: &Place, name: &str) -> Option<i64> {
    let text = std::fs::read_to_string(place.out().join(name).join("config.toml")).unwrap();
    text.parse::<toml::Table>().unwrap()["provenance"].get("beside").map(|n| n.as_integer().unwrap())
}

/// All that the runs leave is what they leave alone, in `alone`.
#[track_caller]
fn as_alone(place: &Place, out: &str, names: &[String]) {
    for name in names {
        let [ours, alone] = [out, "alone"].map(|out| format!("{out}/{name}"));
        same(place, &ours, &alone);
        let [ours, alone] = [ours, alone].map(|name| {
            let dir = place.out().join(name);
            let mut summary: serde_json::Value =
                serde_json::from_slice(&std::fs::read(dir.join("summary.json")).unwrap()).unwrap();
            summary.as_object_mut().unwrap().retain(|key, _| !key.ends_with("seconds"));
            // A sweep shares the CPU's threads out among its processes.
            summary["provenance"].as_object_mut().unwrap().remove("threads");
            let mut files: Vec<_> = std::fs::read_dir(dir).unwrap().map(|f| f.unwrap().file_name()).collect();
            files.sort();
            (summary, files)
        });
        assert_eq!(ours, alone, "{out}/{name}");
    }
}

fn kill(signal: &str, pid: &str) {
    assert!(Command::new("kill").args(["-s", signal, pid]).status().unwrap().success());
}

/// The process that trains for a sweep.
fn trainer_of(sweep: &Child) -> String {
    let children = format!("/proc/{0}/task/{0}/children", sweep.id());
    for _ in 0..1000 {
        let text = std::fs::read_to_string(&children).unwrap();
        if let Some(pid) = text.split_ascii_whitespace().next() {
            return pid.to_owned();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("the sweep has started nothing");
}

#[test]
fn seeds_and_rates_side_by_side_are_each_alone() {
    let place = Place::new();
    let plan = plan(&place, &["--epochs", "2,3", "--lr", "1e-3,1e-2", "--label-smoothing", "0.1"]);
    let names = names(&plan);
    assert_eq!(names.len(), 6);
    let table = planned(&place, &["--epochs", "2", "--table"]);
    assert!(table.succeeds().out.contains("; less where they train side by side)"), "{}", table.out);
    sweep(&place, &plan, "six", "6").succeeds();
    sweep(&place, &plan, "four", "4").succeeds();
    sweep(&place, &plan, "alone", "1").succeeds();
    as_alone(&place, "six", &names);
    as_alone(&place, "four", &names);
    for name in &names {
        assert_eq!(beside(&place, &format!("six/{name}")), Some(5));
        assert_eq!(beside(&place, &format!("four/{name}")), Some(2), "two groups of equal size");
        assert_eq!(beside(&place, &format!("alone/{name}")), None);
    }
    let again = sweep(&place, &plan, "six", "6");
    assert!(again.succeeds().out.contains("6 runs done, 6 of them before"), "{}", again.out);
    // The record is that of the run alone: it may be trained again by itself.
    let mut verify = command();
    verify.arg("verify").arg(place.out().join("six")).args(["--sample", "2"]);
    run(emulated(&mut verify, &[])).succeeds();
}

#[test]
fn killed_and_stopped_groups_go_on_to_the_same_end() {
    let place = Place::new();
    // A phase in which the head trains alone, and one in which all does: runs may be in different ones.
    let plan = plan(&place, &["--epochs", "24", "--unfreeze-at", "6"]);
    let names = names(&plan);
    sweep(&place, &plan, "alone", "1").succeeds();
    // The first is ahead of the others.
    let mut alone = command();
    alone.args(["train", "--no-record", "--stop-after", "9", "--seed", "0", "--name", &names[0]]);
    alone.args(["--arch", ARCH, "--epochs", "24", "--unfreeze-at", "6", "--batch-size", "8"]);
    alone.args(["--device", "cuda", "--dataset", place.data().to_str().unwrap()]);
    let ran = run(emulated(&mut alone, &[]).arg("--out").arg(place.out().join("cut")));
    ran.fails(75, &["stopped after epoch 9"]);
    for (rows, signal, whom, code) in [
        (2, "KILL", "trainer", 9),
        (5, "TERM", "sweep", 75),
        (8, "TERM", "trainer", 75),
        (12, "KILL", "sweep", -1),
    ] {
        let mut sweeping = on("run", &place, &plan, "cut", &["--beside", "3"]);
        let mut sweeping = sweeping.stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        let trainer = trainer_of(&sweeping);
        wait_for_rows(&place, &format!("cut/{}", names[2]), rows);
        let whom = if whom == "trainer" { trainer.clone() } else { sweeping.id().to_string() };
        kill(signal, &whom);
        let ended = sweeping.wait().unwrap();
        assert_eq!(ended.code().unwrap_or(-1), code, "{signal}");
        // What the sweep has left behind saves and ends.
        while Path::new("/proc").join(&trainer).exists() {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    sweep(&place, &plan, "cut", "3").succeeds();
    as_alone(&place, "cut", &names);
}

#[test]
fn a_run_that_fails_leaves_those_beside_it_alone() {
    let place = Place::new();
    let plan = plan(&place, &["--epochs", "12", "--lr", "1e-3,1e30"]);
    let names = names(&plan);
    let (bad, good): (Vec<String>, Vec<String>) = names.into_iter().partition(|n| n.ends_with("1e30"));
    for name in &good {
        let flags = ["--epochs", "12", "--lr", "1e-3", "--arch", ARCH, "--device", "cuda"];
        let seed = name.split("seed").nth(1).unwrap().split('-').next().unwrap();
        let mut alone = place.command(&flags);
        alone.args(["--seed", seed, "--name", name, "--out"]).arg(place.out().join("alone"));
        run(emulated(&mut alone, &[])).succeeds();
    }
    // One whose directory cannot be made.
    let blocked = place.out().join("beside").join(&good[2]);
    std::fs::create_dir_all(blocked.parent().unwrap()).unwrap();
    write(&blocked, b"no directory");

    let mut sweeping = on("run", &place, &plan, "beside", &["--beside", "6"]);
    let sweeping = sweeping.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for_rows(&place, &format!("beside/{}", good[0]), 3);
    let look = || {
        let ran = run(&mut on("status", &place, &plan, "beside", &["--json"]));
        let status: serde_json::Value = serde_json::from_str(&ran.succeeds().out).unwrap();
        status["runs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|r| r["state"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let states = look();
    let ended = sweeping.wait_with_output().unwrap();
    let err = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(9), "{err}");
    assert!(err.contains("4 runs failed, 2 done"), "{err}");
    assert_eq!(err.matches("failed: exit code 6: loss became NaN").count(), 3, "{err}");
    assert!(err.contains(&format!("{} failed: exit code ", good[2])), "{err}");
    assert_eq!(
        states.iter().filter(|state| *state == "running" || *state == "done").count(),
        2,
        "{states:?}"
    );
    assert_eq!(look().iter().filter(|state| *state == "failed").count(), 3, "those that diverged");
    as_alone(&place, "beside", &good[..2]);

    // What was the machine's fault is tried again, what diverged is not.
    std::fs::remove_file(&blocked).unwrap();
    sweep(&place, &plan, "beside", "6").fails(9, &["failed before: exit code 6", "3 runs failed, 3 done"]);
    as_alone(&place, "beside", &good);
    assert!(bad.iter().all(|name| place.out().join("beside/logs").join(format!("{name}.failed")).exists()));
}

#[test]
fn what_the_kernels_do_not_compute_trains_alone() {
    let place = Place::new();
    let data = place.data();
    let mut planning = command();
    planning.args(["sweep", "plan", "--dataset", data.to_str().unwrap(), "--set", "device=cpu"]);
    planning.args(["--batch-size", "8", "--arch", ARCH, "--seeds", "0..1", "--epochs", "1"]);
    let plan = data.join("plan.json");
    write(&plan, run(&mut planning).succeeds().out.as_bytes());
    sweep(&place, &plan, "cpu", "8").succeeds();
    for name in names(&plan) {
        assert_eq!(beside(&place, &format!("cpu/{name}")), None);
    }
    run(&mut on("run", &place, &plan, "cpu", &["--beside", "0"])).fails(2, &["--beside must be from 1"]);
}

#[test]
fn memory_for_too_many_seeds_says_so() {
    let place = Place::new();
    let plan = plan(&place, &["--epochs", "1"]);
    let mut short = on("run", &place, &plan, "out", &["--beside", "3"]);
    // A sweep's processes do not have its variables: `beside` is called as a sweep calls it.
    let said = run(short.args(["--device", "cuda:7"]));
    said.fails(9, &["3 runs failed"]);
    let words = |seed: &str| {
        let out = place.out().join("out");
        vec![
            format!("--out={}", out.display()),
            format!("--name=s{seed}"),
            format!("--seed={seed}"),
            format!("--dataset={}", place.data().display()),
            "--arch=cnn".to_owned(),
            "--epochs=1".to_owned(),
            "--batch-size=8".to_owned(),
            "--device=cuda".to_owned(),
            "--no-record".to_owned(),
        ]
    };
    let mut beside = command();
    beside.args(["sweep", "beside"]).args([words("0"), vec!["+".to_owned()], words("1")].concat());
    std::fs::create_dir_all(place.out().join("out/logs")).unwrap();
    let beside = emulated(beside.stdin(Stdio::piped()), &[("MEMORY", "4500000")]);
    let mut child = beside.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    // Its end would be a request to stop.
    let input = child.stdin.take();
    let ended = child.wait_with_output().unwrap();
    drop(input);
    let said = String::from_utf8_lossy(&ended.stdout);
    let log = std::fs::read_to_string(place.out().join("out/logs/s0.log")).unwrap();
    for piece in ["error: out of GPU memory: ", "fewer runs train side by side: --beside"] {
        assert!(log.contains(piece), "{log}");
    }
    for run in ["s0", "s1"] {
        assert!(said.contains(&format!(r#"{{"run":"{run}","code":5}}"#)), "{said}");
    }
}
