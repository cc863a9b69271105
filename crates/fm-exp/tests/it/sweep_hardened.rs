//! Sweeps whose runs, plans, grids and flags others have had their hands in.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::hardened::{plan, sweep, text};
use crate::made::{Place, command, run, write};

#[test]
fn done_means_done_whatever_is_noted() {
    let place = Place::new();
    let plan = plan(&place, &["--epochs", "1", "--seeds", "0..1"]);
    let out = place.out();
    sweep("run", &plan, &out, &[]).succeeds();
    // As after a death between the run's last word and its exit.
    let note = out.join("logs/cnn-1ep-seed0.failed");
    write(&note, b"signal: 9\n");
    sweep("merge", &plan, &out, &[]).succeeds();
    let ran = sweep("run", &plan, &out, &[]);
    assert!(ran.succeeds().out.contains("2 of them before") && !note.exists(), "{}", ran.out);

    // And nothing else does.
    write(&out.join("cnn-1ep-seed1/DONE"), b"junk\n");
    sweep("merge", &plan, &out, &[]).fails(9, &["1 of 2 runs are missing", "not finished"]);
    let ran = sweep("run", &plan, &out, &[]);
    assert!(ran.succeeds().out.contains("1 of them before"), "{}", ran.out);
    sweep("merge", &plan, &out, &[]).succeeds();
}

#[test]
fn a_child_that_ends_badly_after_it_is_done_is_done() {
    if Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_err() {
        return;
    }
    let place = Place::new();
    let plan = plan(&place, &["--epochs", "1"]);
    let mut traced = Command::new("strace");
    traced.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=exit_group"]);
    traced.args(["-e", "inject=exit_group:signal=KILL:when=1", env!("CARGO_BIN_EXE_fm-exp"), "sweep", "run"]);
    traced.arg("--plan").arg(&plan).arg("--out").arg(place.out());
    let ran = run(&mut traced);
    assert!(ran.err.contains("cnn-1ep-seed0 done in"), "{}", ran.err);
    assert!(!place.out().join("logs/cnn-1ep-seed0.failed").exists());
    sweep("merge", &plan, &place.out(), &[]).succeeds();
}

#[test]
fn a_child_that_dies_before_it_begins_is_not_what_was_there_before() {
    if Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_err() {
        return;
    }
    let place = Place::new();
    sweep("run", &plan(&place, &["--epochs", "3"]), &place.out(), &[]).succeeds();
    // The same run, to be scored on the way too: its directory says DONE until the new one removes that.
    let plan = plan(&place, &["--epochs", "1,3"]);
    let mut traced = Command::new("strace");
    traced.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=flock"]);
    traced.args(["-e", "inject=flock:signal=KILL:when=1", env!("CARGO_BIN_EXE_fm-exp"), "sweep", "run"]);
    let ran = run(traced.arg("--plan").arg(&plan).arg("--out").arg(place.out()));
    ran.fails(9, &["trained again", "signal: 9", "1 run failed, 0 done"]);
    sweep("run", &plan, &place.out(), &[]).succeeds();
    sweep("merge", &plan, &place.out(), &[]).succeeds();
}

#[test]
fn what_was_nobodys_fault_is_tried_again() {
    let place = Place::new();
    let plan = plan(&place, &["--epochs", "20000"]);
    let out = place.out();
    let run_dir = out.join("cnn-20000ep-seed0");
    // What an earlier attempt said is not what this one died of.
    std::fs::create_dir_all(out.join("logs")).unwrap();
    write(&out.join("logs/cnn-20000ep-seed0.log"), b"error: of an earlier attempt\n");
    let mut parent = command();
    parent.args(["sweep", "run", "--plan"]).arg(&plan).arg("--out").arg(&out).stderr(Stdio::piped());
    let mut parent = parent.process_group(0).spawn().unwrap();
    while text_or_none(&run_dir.join("epochs.csv")).is_none_or(|text| text.lines().count() <= 3) {
        assert_eq!(parent.try_wait().unwrap(), None);
        std::thread::sleep(Duration::from_millis(5));
    }
    let lock = text(&run_dir.join(".lock"));
    let child = lock.split(' ').nth(1).unwrap();
    assert!(Command::new("kill").args(["-KILL", child]).status().unwrap().success());
    let ended = parent.wait_with_output().unwrap();
    let err = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(9), "{err}");
    assert!(err.contains("signal: 9 (SIGKILL): no message") && err.contains("the same command"), "{err}");
    assert!(!out.join("logs/cnn-20000ep-seed0.failed").exists());
    // The next attempt trains: it would end at once if the failure were remembered.
    let mut again = command();
    again.args(["sweep", "run", "--plan"]).arg(&plan).arg("--out").arg(&out).stderr(Stdio::null());
    let mut again = again.spawn().unwrap();
    let rows = text(&run_dir.join("epochs.csv")).lines().count();
    while text(&run_dir.join("epochs.csv")).lines().count() <= rows {
        assert_eq!(again.try_wait().unwrap(), None);
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(Command::new("kill").args(["-TERM", &again.id().to_string()]).status().unwrap().success());
    assert_eq!(again.wait().unwrap().code(), Some(75));
}

fn text_or_none(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

#[test]
fn a_slip_of_sweep_run_costs_no_run() {
    let place = Place::new();
    let plan = plan(&place, &["--epochs", "1"]);
    for (flags, piece) in [
        (["--threads", "0"], "--threads"),
        (["--threads", "many"], "--threads"),
        (["--device", "gpu"], "unknown device 'gpu'"),
        (["--device", ""], "unknown device ''"),
    ] {
        sweep("run", &plan, &place.out(), &flags).fails(2, &[piece]);
        assert!(!place.out().exists(), "nothing is begun");
    }
    let mut with = command();
    with.args(["sweep", "run", "--plan"]).arg(&plan).arg("--out").arg(place.out());
    run(with.env("FM_THREADS", "0")).fails(2, &["FM_THREADS"]);
    // What only the run can see is not remembered either: data that are away, a GPU that is not there.
    let (images, away) = (place.data().join("train-images-idx3-ubyte"), place.data().join("away"));
    std::fs::rename(&images, &away).unwrap();
    sweep("run", &plan, &place.out(), &[]).fails(9, &["exit code 3", "the same command tries again"]);
    std::fs::rename(&away, &images).unwrap();
    sweep("run", &plan, &place.out(), &["--device", "cpu,0", "--threads", "1"]).succeeds();
}

#[test]
fn a_plan_is_believed_nothing() {
    let place = Place::new();
    let path = plan(&place, &["--epochs", "1"]);
    let good = text(&path);
    for (from, to, piece) in [
        ("\"name\": \"cnn-1ep-seed0\"", "\"name\": \"../../escaped\"".to_owned(), "plain directory name"),
        ("\"name\": \"cnn-1ep-seed0\"", format!("\"name\": \"{}\"", "x".repeat(300)), "at most 200 bytes"),
        ("\"epochs\": 1", "\"epochs\": 1, \"help\": true".to_owned(), "\"help\" is not for a plan"),
        ("\"format\": 1", "\"format\": 0".to_owned(), "format 0"),
    ] {
        assert!(good.contains(from), "{good}");
        write(&path, good.replace(from, &to).as_bytes());
        for what in ["run", "merge"] {
            sweep(what, &path, &place.out(), &[]).fails(7, &["is no plan", piece]);
        }
        assert!(!place.out().exists());
    }
}

#[test]
fn grids_are_read_into_their_types() {
    let place = Place::new();
    let grid = place.data().join("g.toml");
    let planned = |text: &str, flags: &[&str]| {
        write(&grid, text.as_bytes());
        let mut sweep = command();
        sweep.args(["sweep", "plan"]).arg(&grid).args(["--set", "device=cpu"]).args(flags);
        run(sweep.arg("--dataset").arg(place.data()))
    };
    let names = planned("seeds = '0..1'\nepochs = '3'", &[]);
    assert!(names.succeeds().out.contains("cnn-3ep-seed1"), "{}", names.out);
    planned("epochs = -5", &[]).fails(2, &["epochs", "-5"]);
    planned("epochs = [1, 'x']", &[]).fails(2, &["epochs", "x"]);
    planned("", &["--set", "epochs=abc"]).fails(2, &["epochs", "abc"]);
    planned("[[arm]]\nout = 'x'", &[]).fails(2, &["out is not for a grid"]);
    planned("seeds = '0..1000000'", &[]).fails(2, &["100000"]);
    let many = planned("seeds = '0..3999'\nepochs = 1", &[]);
    assert_eq!(many.succeeds().out.matches("\"name\"").count(), 4000);
}
