//! Full disks and full devices, seen by the real binary.
//!
//! `FM_FAULT` exists in builds with debug assertions alone; `src/commands/train_faults.rs` lets every single
//! operation fail.

use std::path::Path;
use std::process::Command;

use crate::made::{Place, run};
use crate::outputs::untimed;

const FLAGS: [&str; 8] = ["--epochs", "4", "--arch", "encoder-mlp", "--engine", "fused", "--seed", "2"];

fn flags<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&FLAGS, more].concat()
}

#[track_caller]
fn same(place: &Place, a: &Path, b: &Path) {
    for file in ["model.safetensors", "predictions.csv", "confusion.csv", "checkpoint/4.safetensors"] {
        let read = |dir: &Path| std::fs::read(dir.join(file)).unwrap();
        assert!(read(a) == read(b), "{file} differs in {}", place.out().display());
    }
    assert_eq!(untimed(&a.join("epochs.csv")), untimed(&b.join("epochs.csv")));
}

#[test]
#[cfg(debug_assertions)]
fn row_27_out_of_gpu_memory() {
    let place = Place::new();
    let mut command = place.command(&flags(&["--name", "r"]));
    // 55 training images in batches of 8 are 7 steps an epoch.
    run(command.env("FM_FAULT", "out-of-memory:9")).fails(
        5,
        &["error: out of GPU memory at epoch 2 step 2 (batch 8)", "help: use a smaller --batch-size"],
    );
    place.run(&flags(&["--name", "r", "--resume"])).succeeds();
    place.run(&flags(&["--name", "whole"])).succeeds();
    same(&place, &place.out().join("whole"), &place.out().join("r"));
}

#[test]
#[cfg(debug_assertions)]
fn row_30_no_space_in_mid_run() {
    let place = Place::new();
    let mut command = place.command(&flags(&["--name", "r"]));
    let ran = run(command.env("FM_FAULT", "no-space:60"));
    ran.fails(
        4,
        &["error: no space left to write", "note: previous checkpoint intact", "help: free some space"],
    );
    assert!(ran.err.lines().count() < 40, "said once, not at every step:\n{}", ran.err);
    place.run(&flags(&["--name", "r", "--resume"])).succeeds();
    place.run(&flags(&["--name", "whole"])).succeeds();
    same(&place, &place.out().join("whole"), &place.out().join("r"));
}

/// A file system in memory, gone at the end.
pub(crate) struct Tmpfs<'a>(pub(crate) &'a Path);

impl Tmpfs<'_> {
    pub(crate) fn mount(at: &Path, options: &str) -> bool {
        let mut mount = Command::new("mount");
        run(mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(at)).code == 0
    }
}

impl Drop for Tmpfs<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}

#[test]
fn row_30_a_disk_that_is_really_full() {
    let place = Place::new();
    let out = place.out();
    std::fs::create_dir(&out).unwrap();
    // A checkpoint has 1.5 MB: one fits, the next does not.
    if !Tmpfs::mount(&out, "size=2m") {
        println!("skipped: mounting needs root");
        return;
    }
    let mounted = Tmpfs(&out);
    let ran = place.run(&flags(&["--name", "r"]));
    ran.fails(4, &["error: no space left to write", "2.safetensors", "note: previous checkpoint intact"]);
    assert!(Tmpfs::mount(&out, "remount,size=64m"));
    place.run(&flags(&["--name", "r", "--resume"])).succeeds();
    place.run(&flags(&["--name", "whole"])).succeeds();
    same(&place, &out.join("whole"), &out.join("r"));
    drop(mounted);
}
