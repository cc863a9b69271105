use std::path::PathBuf;

use tempfile::TempDir;

use super::*;

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
fn complaint<T: std::fmt::Debug>(read: impl Fn(&Path) -> Result<T>, content: &str) -> String {
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
    let rows = read_epochs(&path).unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!((rows[0].seed, rows[0].epoch, rows[0].train_loss, rows[0].val_loss), (3, 1, 0.5, None));
    assert_eq!((rows[0].trainable_params, rows[0].images_per_second), (65354, Some(40000.0)));
    assert_eq!((rows[1].phase.as_str(), rows[1].train_acc, rows[1].val_acc), ("fine, tune", None, Some(0.9)));
    assert_eq!((rows[1].lr, rows[1].eval_seconds), (1e-4, Some(0.2)));
}

#[test]
fn a_header_alone_is_no_epochs_and_moved_columns_are_found() {
    let (_dir, path) = file(&format!("{HEADER}\n"));
    assert_eq!(read_epochs(&path).unwrap(), []);
    let columns: Vec<&str> = HEADER.split(',').rev().collect();
    let (_dir, path) = file(&format!("note,{}\nx,9,,1,1,1,,,,0.5,7,train,3,cnn,0a\n", columns.join(",")));
    assert_eq!((read_epochs(&path).unwrap()[0].epoch, read_epochs(&path).unwrap()[0].seed), (7, 3));
}

#[test]
fn epochs_messages_name_file_row_and_column() {
    let check = |content: &str, expected: &str| assert_eq!(complaint(read_epochs, content), expected);
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
    let confusion = read_confusion(&path).unwrap();
    assert_eq!(confusion.classes(), ["cat", "dog, big"]);
    assert_eq!(confusion.rows(), [[5, 1], [0, 7]]);
}

#[test]
fn confusion_messages_say_what_is_wrong() {
    let check = |content: &str, expected: &str| assert_eq!(complaint(read_confusion, content), expected);
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
    let gone = read_confusion(Path::new("/nowhere/confusion.csv")).unwrap_err().to_string();
    assert_eq!(gone, "cannot read /nowhere/confusion.csv: no such file or directory");
}

#[test]
fn predictions_keep_the_order_of_the_test_file() {
    let header = "index,true,predicted,p_true,p_predicted\r\n";
    let (_dir, path) = file(&format!("{header}0,9,9,0.9,0.9\r\n1,2,4,0.1,0.8\r\n"));
    let expected = [(9, 9), (2, 4)].map(|(label, predicted)| Prediction { label, predicted });
    assert_eq!(read_predictions(&path).unwrap(), expected);
    let sorted = format!("{header}1,2,4,0.1,0.8\r\n0,9,9,0.9,0.9\r\n");
    assert_eq!(complaint(read_predictions, &sorted), "table.csv, row 2: index is 1, expected 0");
    let odd = format!("{header}0,9,Bag,0.9,0.9\r\n");
    assert_eq!(
        complaint(read_predictions, &odd),
        "table.csv, row 2, column predicted: \"Bag\" is not a class number"
    );
}
