//! What is written reads back; what is broken is named.

use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::files;

/// As earlier versions wrote it; later columns follow.
const HEADER: &str = "run_id,arch,seed,phase,epoch,train_loss,train_acc,val_loss,val_acc,lr,trainable_params,\
                      train_seconds,eval_seconds,images_per_second";

fn file(content: &str) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("table.csv");
    #[expect(clippy::disallowed_methods, reason = "a test's input")]
    std::fs::write(&path, content).unwrap();
    (dir, path)
}

/// The message for a broken table, without the directory.
fn complaint<T: std::fmt::Debug>(read: impl Fn(&Path) -> Result<T, ReadError>, content: &str) -> String {
    let (dir, path) = file(content);
    let message = read(&path).unwrap_err().to_string();
    message.replace(&format!("{}/", dir.path().display()), "")
}

#[test]
fn epochs_with_and_without_validation() {
    let (_dir, path) = file(&format!(
        "{HEADER}\r\n0a,cnn,3,train,1,0.5,0.8,,,0.001,65354,1.5,,40000\r\n\
         0a,cnn,3,\"fine, tune\",2,0.25,,0.3,0.9,1e-4,330,1.5,0.2,\r\n"
    ));
    let rows = read::<EpochRow>(&path).unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!((rows[0].seed, rows[0].epoch, rows[0].train_loss, rows[0].val_loss), (3, 1, 0.5, None));
    assert_eq!((rows[0].trainable_params, rows[0].images_per_second), (65354, Some(40000.0)));
    assert_eq!((rows[1].phase.as_str(), rows[1].train_acc, rows[1].val_acc), ("fine, tune", None, Some(0.9)));
    assert_eq!((rows[1].lr, rows[1].eval_seconds), (1e-4, Some(0.2)));
}

#[test]
fn a_header_alone_is_no_epochs_and_moved_columns_are_found() {
    let (_dir, path) = file(&format!("{HEADER}\n"));
    assert_eq!(read::<EpochRow>(&path).unwrap(), []);
    let columns: Vec<&str> = HEADER.split(',').rev().collect();
    let (_dir, path) = file(&format!("note,{}\nx,9,,1,1,1,,,,0.5,7,train,3,cnn,0a\n", columns.join(",")));
    assert_eq!((read::<EpochRow>(&path).unwrap()[0].epoch, read::<EpochRow>(&path).unwrap()[0].seed), (7, 3));
}

#[test]
fn epochs_messages_name_file_row_and_column() {
    let check = |content: &str, expected: &str| assert_eq!(complaint(read::<EpochRow>, content), expected);
    let row = "0a,cnn,3,train,1,0.5,0.8,,,0.001,65354,1.5,,40000\n";
    check("a,b\n1,2\n", "table.csv: no column run_id");
    check(
        &format!("{HEADER}\n{row}{}", row.replace("0.8", "0,8").replace("65354,", "")),
        "table.csv, row 3, column lr: \"\" is not a number",
    );
    check(
        &format!("{HEADER}\n{}", row.replace("0.5", "high")),
        "table.csv, row 2, column train_loss: \"high\" is not a number",
    );
    check(&format!("{HEADER}\n{row}0a,cnn\n"), "table.csv, row 3: 2 cells, expected 14");
}

#[test]
fn confusion_reads_and_keeps_its_direction() {
    let (_dir, path) = file("true \\ predicted,cat,\"dog, big\"\r\ncat,5,1\r\n\"dog, big\",0,7\r\n");
    let confusion = Confusion::read(&path).unwrap();
    assert_eq!(confusion.classes(), ["cat", "dog, big"]);
    assert_eq!(confusion.rows(), [[5, 1], [0, 7]]);
}

#[test]
fn confusion_messages_say_what_is_wrong() {
    let check = |content: &str, expected: &str| assert_eq!(complaint(Confusion::read, content), expected);
    check(
        "predicted,a\na,1\n",
        "table.csv, row 1: first cell is \"predicted\", expected \"true \\\\ predicted\"",
    );
    check("true \\ predicted,a,b\na,1,2\n", "table.csv, row 1: 2 classes but 1 rows");
    check(
        "true \\ predicted,a,b\nb,1,2\na,1,2\n",
        "table.csv, row 2: class is \"b\", expected \"a\" as in row 1",
    );
    check("true \\ predicted,a,b\na,1,2\nb,-1,2\n", "table.csv, row 3, column a: \"-1\" is not a count");
    let gone = Confusion::read(Path::new("/nowhere/confusion.csv")).unwrap_err().to_string();
    assert_eq!(gone, "cannot read /nowhere/confusion.csv: no such file or directory");
}

#[test]
fn predictions_keep_the_order_of_the_test_file() {
    let header = "index,true,predicted,p_true,p_predicted\r\n";
    let (_dir, path) = file(&format!("{header}0,9,9,0.9,0.9\r\n1,2,4,0.1,0.8\r\n"));
    let expected = [(9, 9, 0.9, 0.9), (2, 4, 0.1, 0.8)];
    let expected = expected.map(|(label, predicted, p_true, p_predicted)| Prediction {
        label,
        predicted,
        p_true,
        p_predicted,
        loss: None,
    });
    assert_eq!(read::<Prediction>(&path).unwrap(), expected);
    let sorted = format!("{header}1,2,4,0.1,0.8\r\n0,9,9,0.9,0.9\r\n");
    assert_eq!(complaint(read::<Prediction>, &sorted), "table.csv, row 2: index is 1, expected 0");
    let odd = format!("{header}0,9,Bag,0.9,0.9\r\n");
    assert_eq!(
        complaint(read::<Prediction>, &odd),
        "table.csv, row 2, column predicted: \"Bag\" is not a class number"
    );
}

#[test]
fn what_is_written_reads_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("table.csv");
    let row = EpochRow {
        run_id: "0a".to_owned(),
        arch: "32C3-MP2--10".to_owned(),
        seed: 3,
        phase: "fine, tune".to_owned(),
        epoch: 2,
        train_loss: 0.25,
        train_acc: None,
        val_loss: Some(0.5),
        val_acc: Some(0.75),
        lr: 1e-4,
        trainable_params: 330,
        train_seconds: 1.5,
        eval_seconds: None,
        images_per_second: Some(40_000.5),
        ema: (Some(0.25), Some(0.875)),
        mean: (None, None),
    };
    write(&path, std::slice::from_ref(&row)).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let line = "0a,32C3-MP2--10,3,\"fine, tune\",2,0.250000,,0.500000,0.750000,0.0001,330,1.5000,,40000.5,0.250000,0.875000,,";
    let newer = "ema_val_loss,ema_val_acc,mean_val_loss,mean_val_acc";
    assert_eq!(text, format!("{HEADER},{newer}\r\n{line}\r\n"));
    assert_eq!(read::<EpochRow>(&path).unwrap(), [row]);

    let said = [Prediction { label: 1, predicted: 0, p_true: 0.25, p_predicted: 0.75, loss: Some(1.5) }];
    write(&path, &said).unwrap();
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        "index,true,predicted,p_true,p_predicted,loss\r\n0,1,0,0.250000,0.750000,1.500000\r\n"
    );
    assert_eq!(read::<Prediction>(&path).unwrap(), said);

    let names = ["a", "b, c", "never"].map(str::to_owned).to_vec();
    let confusion = Confusion::new(names, vec![vec![6, 2, 0], vec![2, 6, 0], vec![0, 0, 0]]).unwrap();
    confusion.write(dir.path()).unwrap();
    assert_eq!(Confusion::read(&dir.path().join(files::CONFUSION)).unwrap(), confusion);
    let text = std::fs::read_to_string(dir.path().join(files::CONFUSION_NORMALIZED)).unwrap();
    assert_eq!(text.lines().nth(2), Some("\"b, c\",0.2500,0.7500,0.0000"));
    assert_eq!(text.lines().nth(3), Some("never,,,"));
    let rows = read::<ClassRow>(&dir.path().join(files::PER_CLASS)).unwrap();
    assert_eq!((rows[1].class.as_str(), rows[1].scores), ("b, c", confusion.per_class()[1]));
    assert_eq!(rows[2].scores, ClassScores { precision: None, recall: None, f1: None, support: 0 });
}

#[test]
fn scores_by_hand() {
    let names = ["a", "b", "never"].map(str::to_owned).to_vec();
    let confusion = Confusion::new(names, vec![vec![8, 2, 0], vec![4, 6, 0], vec![0, 0, 0]]).unwrap();
    assert_eq!(confusion.accuracy(), Some(0.7));
    let scores =
        |of: fn(&ClassScores) -> Option<f64>| confusion.per_class().iter().map(of).collect::<Vec<_>>();
    assert_eq!(scores(|c| c.recall), [Some(0.8), Some(0.6), None]);
    assert_eq!(scores(|c| c.precision), [Some(8.0 / 12.0), Some(0.75), None]);
    assert_eq!(scores(|c| c.f1), [Some(16.0 / 22.0), Some(12.0 / 18.0), None]);
    assert_eq!(confusion.shares()[1], [Some(0.4), Some(0.6), Some(0.0)]);
    assert_eq!(confusion.shares()[2], [None; 3]);
}

#[test]
fn ragged_counts_are_refused() {
    let names = vec!["a".to_owned(), "b".to_owned()];
    assert_eq!(Confusion::new(names, vec![vec![1, 2], vec![3]]), Err(NotSquare { classes: 2 }));
}
