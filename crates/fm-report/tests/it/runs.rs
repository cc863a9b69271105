//! A run's directory in, four pictures out.

use std::path::Path;

use fm_report::draw_run;

const HEADER: &str = "run_id,arch,seed,phase,epoch,train_loss,train_acc,val_loss,val_acc,lr,trainable_params,\
                      train_seconds,eval_seconds,images_per_second";
const EPOCH: &str = "0a,cnn,3,train,1,0.5,0.8,,,0.001,65354,1.5,,40000";
const CONFUSION: &str = "true \\ predicted,cat,dog\r\ncat,5,1\r\ndog,0,7\r\n";

/// Writes a file of a run.
pub(crate) fn put(dir: &Path, file: &str, content: &str) {
    std::fs::create_dir_all(dir).unwrap();
    #[expect(clippy::disallowed_methods, reason = "a test's input")]
    std::fs::write(dir.join(file), content).unwrap();
}

#[test]
fn a_finished_run_has_four_pictures() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "epochs.csv", &format!("{HEADER}\r\n{EPOCH}\r\n"));
    put(dir.path(), "confusion.csv", CONFUSION);
    let pictures = draw_run(dir.path()).unwrap();
    let names: Vec<&str> = pictures.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["curves.svg", "curves.png", "confusion.svg", "confusion.png"]);
    let curves = String::from_utf8(pictures[0].1.clone()).unwrap();
    assert!(curves.contains(">cnn · seed 3 · 1 epoch<"), "{curves}");
    assert!(pictures[1].1.starts_with(b"\x89PNG"));
    let confusion = String::from_utf8(pictures[2].1.clone()).unwrap();
    assert!(confusion.contains(">accuracy 92.31 %  (12 of 13 images)<"), "{confusion}");
    assert_eq!(draw_run(dir.path()).unwrap(), pictures, "the same bytes each time");
    assert!(!curves.contains(">test<"));
    put(dir.path(), "summary.json", r#"{"patience": null, "test": {"loss": 0.25, "accuracy": 0.9231}}"#);
    let curves = String::from_utf8(draw_run(dir.path()).unwrap().swap_remove(0).1).unwrap();
    assert!(
        curves.contains(">test<") && curves.contains(">92.31 %<") && curves.contains(">0.2500<"),
        "{curves}"
    );
}

#[test]
fn an_unfinished_run_names_the_file_it_lacks() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "epochs.csv", &format!("{HEADER}\r\n"));
    let error = draw_run(dir.path()).unwrap_err().to_string();
    assert!(error.starts_with("cannot read ") && error.contains("confusion.csv: no such file"), "{error}");
    put(dir.path(), "confusion.csv", CONFUSION);
    let (_, curves) = draw_run(dir.path()).unwrap().swap_remove(0);
    assert!(String::from_utf8(curves).unwrap().contains(">no epochs<"));
}
