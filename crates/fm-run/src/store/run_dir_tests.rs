//! Claims of directories that hold something, whole or half removed.

use super::*;
use crate::{Facts, RunSpec};

fn run(seed: u64) -> Identified {
    let spec = RunSpec { seed, ..RunSpec::default() };
    let facts = Facts { device: "cpu".to_owned(), engine: "fused".to_owned(), ..Facts::default() };
    Identified { spec, facts, provenance: toml::Table::new() }
}

/// A finished run in `dir`, with scores on the way and checkpoints.
fn finished(dir: &Path, seed: u64) {
    let claimed = RunDir::claim(dir, &run(seed), Claim::New).unwrap();
    for place in ["at-1", "at-2", files::CHECKPOINTS] {
        create_dir(&dir.join(place)).unwrap();
        write(&dir.join(place).join("1.json"), b"{}").unwrap();
    }
    for file in [files::EPOCHS, files::MODEL, files::PROGRESS] {
        write(&dir.join(file), b"x").unwrap();
    }
    claimed.done().unwrap();
    assert!(claimed.is_done());
}

#[test]
#[cfg(debug_assertions)]
fn overwriting_may_fail_anywhere_and_is_gone_on_with() {
    use crate::fault::armed::{Fault, arm, is_waiting};
    for how in [Claim::New, Claim::Resume, Claim::Overwrite] {
        for n in 1.. {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("r");
            finished(&path, 1);
            write(&path.join("my notes.txt"), b"mine").unwrap();
            arm(Some((Fault::IoError, n)));
            let first = RunDir::claim(&path, &run(2), Claim::Overwrite);
            let unmet = is_waiting();
            arm(None);
            assert_eq!(first.is_ok(), unmet, "operation {n}: {first:?}");
            drop(first);
            if unmet {
                assert!(n > 15, "{n} operations");
                break;
            }
            // Before the note that says so nothing is given up.
            if !path.join(files::CLEARING).exists() && how != Claim::Overwrite {
                assert!(done(&path).is_some() || path.join(files::CONFIG).exists(), "operation {n}");
                continue;
            }
            let claimed = RunDir::claim(&path, &run(2), how).unwrap_or_else(|e| panic!("operation {n}: {e}"));
            assert!(!claimed.is_done() && !claimed.resumed());
            let left: Vec<_> = fs::read_dir(&path).unwrap().map(|e| e.unwrap().file_name()).collect();
            assert_eq!(left.len(), 3, "the lock, the configuration, what is not a run's: {left:?}");
        }
    }
}

#[test]
fn done_says_which_run_is_done() {
    let dir = tempfile::tempdir().unwrap();
    finished(dir.path(), 1);
    for text in ["junk", "", "0123456789abcdef"] {
        write(&dir.path().join(files::DONE), text.as_bytes()).unwrap();
        let claimed = RunDir::claim(dir.path(), &run(1), Claim::Resume).unwrap();
        assert!(claimed.resumed() && !claimed.is_done(), "{text:?}");
        assert!(!dir.path().join(files::DONE).exists(), "nobody else takes it for done meanwhile");
    }
    finished(&dir.path().join("b"), 1);
    assert_eq!(done(&dir.path().join("b")), Some(run(1).run_id()));
}

#[test]
fn a_lock_that_leads_elsewhere_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (path, letter) = (dir.path().join("r"), dir.path().join("letter.txt"));
    write(&letter, b"dear sir").unwrap();
    create_dir(&path).unwrap();
    std::os::unix::fs::symlink(&letter, path.join(files::LOCK)).unwrap();
    let error = RunDir::claim(&path, &run(1), Claim::Overwrite).unwrap_err();
    assert!(error.exit_code() == 4 && error.message().contains(".lock"), "{error}");
    assert_eq!(fs::read(&letter).unwrap(), b"dear sir");
}
