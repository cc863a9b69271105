//! Downloads from a small server on this machine.

use std::net::TcpListener;
use std::path::{Path, PathBuf};

use fm_data::formats::IDX;
use fm_data::{DataError, DatasetName, ErrorKind, Format, LoadOptions, Places, fetch, load_from};
use tch::{Device, Tensor};

use crate::files::{files, gzip};
use crate::server::{self, Answer};

/// Serves the four IDX files; gives the mirror's address.
fn serve(answers: [Answer; 4]) -> String {
    let names = IDX.files().iter().map(|file| format!("{}.gz", file.name));
    server::serve(names.zip(answers).collect())
}

fn good() -> [Answer; 4] {
    files().map(|bytes| Answer::Whole(gzip(&bytes)))
}

/// A good mirror but for the training labels.
fn with_labels(answer: Answer) -> [Answer; 4] {
    let mut answers = good();
    answers[1] = answer;
    answers
}

fn fetch(dir: &Path, mirrors: &[String]) -> Result<Vec<PathBuf>, DataError> {
    fetch::fetch(&DatasetName::KMNIST, dir, mirrors, false)
}

fn listing(dir: &Path) -> Vec<String> {
    let names = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

/// The only mirror answers so about the training labels: `reason` is noted, nothing is left of the file.
#[track_caller]
fn refused(answer: Answer, reason: &str) {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("cache");
    let error = fetch(&dir, &[serve(with_labels(answer))]).unwrap_err();
    let text = format!("cannot download train-labels-idx1-ubyte.gz of KMNIST into {}", dir.display());
    assert_eq!(error.to_string(), text);
    assert_eq!(error.kind(), ErrorKind::Data);
    let notes = error.notes().join("\n");
    assert!(notes.contains("/some/where/train-labels-idx1-ubyte.gz: ") && notes.contains(reason), "{notes}");
    assert!(error.help().iter().any(|help| help.contains("--data-dir")));
    // The file before it came whole and stays.
    assert_eq!(listing(&dir), ["train-images-idx3-ubyte.gz"]);
}

#[test]
fn four_files_come_and_load() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("a/b");
    let paths = fetch(&dir, &[serve(good())]).unwrap();
    assert_eq!(listing(&dir).len(), 4);
    assert!(paths.iter().all(|path| path.is_file()));
    let options = LoadOptions { data_dir: Some(dir), ..LoadOptions::default() };
    let data = fm_data::load(&DatasetName::KMNIST, &options).unwrap();
    assert_eq!((data.train.len(), data.test.len()), (60, 30));
    let resident = fm_data::Resident::new(&data.test, Device::Cpu).unwrap();
    let (images, labels) = resident.batch(&Tensor::from_slice(&[29i64]), (4, 3)).unwrap();
    let expected: Vec<f32> = data.test.image(29).iter().map(|&byte| fm_data::pixel(byte)).collect();
    assert_eq!(Vec::<f32>::try_from(images.view(-1)).unwrap(), expected);
    assert_eq!(labels.int64_value(&[0]), 2);
}

#[test]
fn others_can_read_what_was_fetched() {
    use std::os::unix::fs::MetadataExt;
    let temp = tempfile::tempdir().unwrap();
    let paths = fetch(temp.path(), &[serve(good())]).unwrap();
    // As the umask has it for any new file, where a temporary file is the owner's only.
    let plain = temp.path().join("plain");
    crate::files::write(&plain, b"");
    assert_eq!(paths[0].metadata().unwrap().mode(), plain.metadata().unwrap().mode());
}

#[test]
fn the_second_mirror_helps_out() {
    let bad = [
        Answer::Status(404),
        Answer::Whole(b"<!DOCTYPE html><html>not here</html>".to_vec()),
        Answer::Half(gzip(&files()[2])),
        Answer::Status(503),
    ];
    let temp = tempfile::tempdir().unwrap();
    fetch(temp.path(), &[serve(bad), serve(good())]).unwrap();
    assert_eq!(listing(temp.path()).len(), 4);
}

#[test]
fn what_is_there_stays() {
    let temp = tempfile::tempdir().unwrap();
    crate::files::write(&temp.path().join("train-labels-idx1-ubyte"), &files()[1]);
    let paths = fetch(temp.path(), &[serve(with_labels(Answer::Status(404)))]).unwrap();
    assert_eq!(paths[1], temp.path().join("train-labels-idx1-ubyte"));
    assert_eq!(fetch(temp.path(), &[]).unwrap(), paths);
}

#[test]
fn not_found() {
    refused(Answer::Status(404), "HTTP status 404");
}

#[test]
fn broken_off() {
    refused(Answer::Half(gzip(&files()[1])), "broke off after");
}

#[test]
fn a_web_page() {
    refused(Answer::Whole(b"<!DOCTYPE html>".to_vec()), "not gzip (starts \"<!DO\")");
}

#[test]
fn gzip_of_something_else() {
    refused(Answer::Whole(gzip(&files()[0])), "magic 0x00000803 is an image file, expected labels");
}

#[test]
fn a_wrong_hash() {
    let temp = tempfile::tempdir().unwrap();
    let error = fetch::fetch(&DatasetName::FASHION_MNIST, temp.path(), &[serve(good())], false).unwrap_err();
    let notes = error.notes().join("\n");
    assert!(notes.contains("SHA-256 differs from published Fashion-MNIST (found "), "{notes}");
    assert!(error.help().iter().any(|help| help.contains("apt-get install dataset-fashion-mnist")));
    assert!(listing(temp.path()).is_empty());
}

#[test]
fn nobody_answers() {
    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let temp = tempfile::tempdir().unwrap();
    let error = fetch(temp.path(), &[format!("http://127.0.0.1:{port}")]).unwrap_err();
    assert!(
        error.notes()[0].ends_with("train-images-idx3-ubyte.gz: connection refused"),
        "{:?}",
        error.notes()
    );
    assert!(listing(temp.path()).is_empty());
}

#[test]
fn plain_http_needs_a_published_hash() {
    let temp = tempfile::tempdir().unwrap();
    let error = fetch(temp.path(), &["http://mirror.invalid".to_owned()]).unwrap_err();
    assert!(
        error.notes()[0].ends_with("refused: neither HTTPS nor a published SHA-256"),
        "{:?}",
        error.notes()
    );
}

#[test]
fn a_directory_that_cannot_be_made() {
    let error = fetch(Path::new("/dev/null/cache"), &[]).unwrap_err();
    assert_eq!(error.to_string(), "cannot write /dev/null/cache: not a directory");
    assert_eq!(error.kind(), ErrorKind::Io);
}

/// Two usual places under `dir`: one that isn't there and the cache.
fn places(dir: &Path) -> Places {
    let cache = dir.join("cache");
    Places { named: None, usual: vec![dir.join("absent"), cache.clone()], cache: Some(cache) }
}

#[test]
fn what_is_nowhere_is_downloaded_once() {
    let temp = tempfile::tempdir().unwrap();
    let (places, options) = (places(temp.path()), LoadOptions { progress: false, ..LoadOptions::default() });
    let load = |mirrors: &[String]| load_from(&DatasetName::KMNIST, &options, &places, mirrors);
    let first = load(&[serve(good())]).unwrap();
    assert_eq!(Some(&first.dir), places.cache.as_ref());
    assert_eq!(load(&[]).unwrap().sha256, first.sha256);
}

#[test]
fn a_failed_download_names_places_and_mirrors() {
    let temp = tempfile::tempdir().unwrap();
    let (places, mut options) =
        (places(temp.path()), LoadOptions { progress: false, ..LoadOptions::default() });
    let mirrors = [serve(with_labels(Answer::Status(404)))];
    let load = |options: &LoadOptions| load_from(&DatasetName::KMNIST, options, &places, &mirrors);
    options.download = false;
    assert!(matches!(load(&options).unwrap_err(), DataError::Missing { .. }));
    options.download = true;
    let notes = load(&options).unwrap_err().notes();
    assert_eq!(notes.len(), 3);
    assert_eq!(notes[0], format!("looked in {}: no such directory", temp.path().join("absent").display()));
    assert!(notes[2].starts_with("tried http://127.0.0.1:"), "{notes:?}");
}

#[test]
fn what_is_got_by_hand_is_not_tried() {
    let temp = tempfile::tempdir().unwrap();
    let name: DatasetName = "emnist-letters".parse().unwrap();
    let load = || load_from(&name, &LoadOptions::default(), &places(temp.path()), &fetch::mirrors(&name));
    let error = load().unwrap_err();
    assert!(matches!(error, DataError::Missing { .. }), "{error}");
    assert!(error.help()[0].contains("gzip.zip"), "{:?}", error.help());
    assert!(listing(temp.path()).is_empty());
}
