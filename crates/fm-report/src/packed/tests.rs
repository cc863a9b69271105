//! Runs there and back, and files that are none.

use std::path::Path;

use super::arrays::Writing;
use super::*;
use crate::source::sources;

/// A finished run with a shorter length, which kept no predictions.
fn leave(dir: &Path, label: u8) {
    #[expect(clippy::disallowed_methods, reason = "a test's input")]
    let put = |file: &str, text: &str| {
        let path = dir.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    put("config.toml", "seed = 3\n");
    put("DONE", "0123456789abcdef\n");
    put("epochs.csv", "run_id,arch\r\n");
    for place in ["", "at-2/"] {
        put(&format!("{place}confusion.csv"), "true \\ predicted,a,b\r\na,1,0\r\nb,1,1\r\n");
        put(&format!("{place}summary.json"), r#"{"epochs": 5, "test": {"loss": 0.12345678901234567}}"#);
    }
    // One of the two as earlier versions wrote them.
    let old = dir.ends_with("b");
    let rows =
        format!("0,0,0,0.900001,0.900001\r\n1,1,0,0.333333,0.666667\r\n2,{label},1,1.000000,1.000000\r\n");
    let losses = ["", ",loss", ",0.105359", ",12.345678", ",0.000000"];
    let lines = format!("index,true,predicted,p_true,p_predicted\r\n{rows}");
    let lines = lines
        .lines()
        .zip(&losses[1..])
        .map(|(line, loss)| format!("{line}{}\r\n", if old { "" } else { loss }));
    put("predictions.csv", &lines.collect::<String>());
}

#[test]
fn what_is_packed_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["b", "a"] {
        leave(&dir.path().join(name), 1);
    }
    let runs = sources(dir.path()).unwrap();
    let bytes = pack(&runs).unwrap();
    assert_eq!(pack(&runs).unwrap(), bytes, "the same bytes each time");
    let back = decode(Path::new("runs.npz"), &bytes).unwrap();
    assert_eq!(back.iter().map(|run| run.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    for (run, back) in runs.iter().zip(&back) {
        assert_eq!(&*run.left().unwrap(), back);
    }
    assert_eq!(
        back[0].scored.iter().map(|s| (s.at, s.predictions.len())).collect::<Vec<_>>(),
        [(Some(2), 0), (None, 3)]
    );
}

#[test]
fn a_directory_goes_before_the_packed_file() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["a", "b"] {
        leave(&dir.path().join(name), 1);
    }
    let packed = dir.path().join("runs.npz");
    #[expect(clippy::disallowed_methods, reason = "a test's input")]
    std::fs::write(&packed, pack(&sources(dir.path()).unwrap()).unwrap()).unwrap();
    std::fs::remove_dir_all(dir.path().join("b")).unwrap();
    std::fs::remove_file(dir.path().join("a/DONE")).unwrap();
    let done: Vec<bool> = sources(dir.path()).unwrap().iter().map(crate::Source::done).collect();
    assert_eq!(done, [false, true]);
    let one = sources(&dir.path().join("b")).unwrap();
    assert_eq!((one.len(), one[0].config().unwrap().as_str()), (1, "seed = 3\n"));
    assert_eq!(sources(&packed).unwrap().len(), 2);
    let gone = sources(&dir.path().join("c")).unwrap_err().to_string();
    assert!(gone.starts_with("cannot read "), "{gone}");
}

#[test]
fn runs_on_other_test_sets_do_not_go_together() {
    let dir = tempfile::tempdir().unwrap();
    leave(&dir.path().join("a"), 1);
    leave(&dir.path().join("b"), 0);
    let error = pack(&sources(dir.path()).unwrap()).unwrap_err().to_string();
    assert!(error.contains("different test sets"), "{error}");
}

#[test]
fn what_is_no_packed_file_is_named() {
    let complaint = |bytes: &[u8]| decode(Path::new("runs.npz"), bytes).unwrap_err().to_string();
    assert!(complaint(b"PK no").starts_with("runs.npz: not an archive"), "{}", complaint(b"PK no"));
    let made = |index: &str, confusion: &[u32]| {
        let mut archive = Writing::new(9);
        archive.add(INDEX, index.as_bytes()).unwrap();
        archive.add_array("confusion", &[1, 2, confusion.len() / 2], confusion).unwrap();
        archive.add_array::<u8>("true", &[0], &[]).unwrap();
        archive.add_array::<u8>("predicted", &[0, 0], &[]).unwrap();
        archive.add_array::<f32>("p_true", &[0, 0], &[]).unwrap();
        archive.finish().unwrap()
    };
    let index = |format: u32| format!(r#"{{"format": {format}, "classes": ["a", "b"], "runs": []}}"#);
    assert_eq!(complaint(&made(&index(2), &[0; 4])), "runs.npz: format 2, this build reads up to 1");
    assert_eq!(complaint(&made(&index(1), &[0; 6])), "runs.npz: confusion is [1, 2, 3], expected [1, 2, 2]");
    assert_eq!(complaint(&made(&index(1), &[0; 4])), "runs.npz: it has no p_predicted.npy");
    assert!(complaint(&made("{}", &[0; 4])).starts_with("runs.npz: runs.json: missing field"));
}
