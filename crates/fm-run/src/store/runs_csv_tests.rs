//! Tables that have been through a spreadsheet, and two kinds of them.

use super::*;

fn row(name: &str, test_acc: &str) -> Row {
    let mut row = Row::default();
    row.set("name", name);
    row.set("run_id", format!("id of {name}"));
    row.set("dataset", "a, \"quoted\" place");
    row.set("test_acc", test_acc);
    row
}

fn place() -> (tempfile::TempDir, Runs) {
    let dir = tempfile::tempdir().unwrap();
    let runs = Runs::open(dir.path()).unwrap();
    (dir, runs)
}

#[test]
fn a_row_per_name_the_newest_last() {
    let (_dir, runs) = place();
    for (name, acc) in [("a", "0.1"), ("b", "0.2"), ("a", "0.3")] {
        runs.record(&row(name, acc)).unwrap();
    }
    let table = Table::read(&runs.path()).unwrap();
    assert_eq!(table.header, ["name", "run_id", "dataset", "test_acc"]);
    assert_eq!(table.rows.iter().map(|row| row[3].as_str()).collect::<Vec<_>>(), ["0.2", "0.3"]);
}

#[test]
fn what_a_spreadsheet_adds_stays_where_it_is() {
    let (_dir, runs) = place();
    // A mark of UTF-8, a column of notes twice, cells behind the last column, rows that are short.
    let edited = "\u{feff}note,name,run_id,note\nx,b,id of b,40%,beyond\ny,c,another,z\nd\n";
    write(&runs.path(), edited.as_bytes()).unwrap();
    runs.record(&row("b", "0.4")).unwrap();
    runs.record(&row("c", "0.5")).unwrap();
    let table = Table::read(&runs.path()).unwrap();
    assert_eq!(table.header, ["note", "name", "run_id", "note", "dataset", "test_acc"]);
    let rows: Vec<String> = table.rows.iter().map(|row| row.join("|")).collect();
    let place = "a, \"quoted\" place";
    assert_eq!(rows[0], "d|||||", "not ours to drop");
    assert_eq!(rows[1], format!("x|b|id of b|40%|{place}|0.4"), "the same run keeps its note");
    assert_eq!(rows[2], format!("|c|id of c||{place}|0.5"), "a note is about the run that was there");
}

#[test]
fn semicolons_and_nothing_are_read_and_what_is_no_table_is_refused_first() {
    let (dir, runs) = place();
    write(&runs.path(), b"name;note\r\n\"a;b\";0,5\r\n").unwrap();
    runs.record(&row("c", "0.4")).unwrap();
    assert_eq!(Table::read(&runs.path()).unwrap().rows[0][..2], ["a;b", "0,5"]);
    write(&runs.path(), b"\r\n").unwrap();
    runs.record(&row("c", "0.4")).unwrap();
    for bytes in [&b"n\0a\0m\0e\0"[..], b"\xff\xfename", b"title\r\n"] {
        write(&runs.path(), bytes).unwrap();
        let error = Runs::open(dir.path()).unwrap_err();
        assert!(error.exit_code() == 4 && error.to_string().contains("move it away"), "{error}");
        assert_eq!(fs::read(runs.path()).unwrap(), bytes, "and left as it is");
    }
}

#[test]
fn single_runs_and_a_merged_sweep_do_not_replace_each_other() {
    let (dir, runs) = place();
    runs.record(&row("a", "0.1")).unwrap();
    let before = fs::read(runs.path()).unwrap();
    let header = ["name", SCORED_EPOCH];
    let rows = || vec![vec!["m".to_owned(), "1".to_owned()]];
    assert_eq!(Runs::merge(dir.path(), &header, rows()).unwrap_err().exit_code(), 7);
    assert_eq!(fs::read(runs.path()).unwrap(), before);
    fs::remove_file(runs.path()).unwrap();
    Runs::merge(dir.path(), &header, rows()).unwrap();
    assert_eq!(Runs::open(dir.path()).unwrap_err().exit_code(), 7);
    assert_eq!(runs.record(&row("a", "0.1")).unwrap_err().exit_code(), 7, "nor at the end of a run");
    write(&runs.path(), b"scored_epoch,my note,recall a,name\r\n1,good,0.5,m\r\n").unwrap();
    Runs::merge(dir.path(), &header, rows()).unwrap();
    let text = fs::read_to_string(runs.path()).unwrap();
    assert_eq!(text, "name,scored_epoch,my note\r\nm,1,good\r\n");
}
