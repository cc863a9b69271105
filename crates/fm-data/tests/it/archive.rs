//! A data set that is downloaded as one archive.

use std::path::Path;

use fm_data::formats::CIFAR_10;
use fm_data::formats::cifar::RECORD;
use fm_data::{
    DataError, DatasetName, Download, ErrorKind, Format, LoadOptions, Places, Published, Role, catalog,
    fetch, load_from,
};
use md5::{Digest, Md5};

use crate::files::gzip;
use crate::server::{Answer, serve};

const NAME: &str = "cifar-10-binary.tar.gz";

/// CIFAR-10 whose published archive is `bytes`.
fn published(bytes: &[u8]) -> DatasetName {
    let md5 = fm_images::read::hex(&Md5::digest(bytes));
    let md5: &'static str = Box::leak(md5.into_boxed_str());
    let download = Download::Archive { mirrors: &[], name: NAME, md5 };
    let Published { slug, title, folder, format, classes, sha256, help, .. } = catalog::CIFAR_10;
    let set = Published { slug, title, folder, format, classes, sha256, help, download };
    DatasetName::Published(Box::leak(Box::new(set)))
}

/// The files as the official archive has them, ten records each; `change` may alter or drop one.
fn archive(change: impl Fn(&str, Vec<u8>) -> Option<Vec<u8>>) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut add = |name: &str, bytes: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, format!("cifar-10-batches-bin/{name}"), bytes).unwrap();
    };
    add("readme.html", b"<html>");
    for (i, file) in CIFAR_10.files().iter().enumerate() {
        let bytes = if file.role == Role::ClassNames {
            catalog::CIFAR_10.classes.join("\n").into_bytes()
        } else {
            (0..10).flat_map(|label| [vec![label], vec![i as u8; RECORD - 1]].concat()).collect()
        };
        if let Some(bytes) = change(file.name, bytes) {
            add(file.name, &bytes);
        }
    }
    gzip(&tar.into_inner().unwrap())
}

fn whole() -> Vec<u8> {
    archive(|_, bytes| Some(bytes))
}

fn listing(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The mirror has `bytes`, the published archive is `expected`; nothing is left, and `reason` is noted.
#[track_caller]
fn refused(bytes: &[u8], expected: &[u8], reason: &str) {
    let temp = tempfile::tempdir().unwrap();
    let mirrors = [serve(vec![(NAME.to_owned(), Answer::Whole(bytes.to_vec()))])];
    let error = fetch::fetch(&published(expected), temp.path(), &mirrors, false).unwrap_err();
    let dir = temp.path().display();
    assert_eq!(error.to_string(), format!("cannot download {NAME} of CIFAR-10 into {dir}"));
    assert_eq!(error.kind(), ErrorKind::Data);
    assert!(error.notes().join("\n").contains(reason), "{:?}", error.notes());
    assert!(listing(temp.path()).is_empty(), "{:?}", listing(temp.path()));
}

#[test]
fn an_archive_comes_is_unpacked_and_loads() {
    let temp = tempfile::tempdir().unwrap();
    let cache = temp.path().join("cache");
    let places = Places { named: None, usual: vec![cache.clone()], cache: Some(cache.clone()) };
    let bytes = whole();
    let mirror = serve(vec![(NAME.to_owned(), Answer::Whole(bytes.clone()))]);
    let options = LoadOptions { progress: false, ..LoadOptions::default() };
    let load = |mirrors: &[String]| load_from(&published(&bytes), &options, &places, mirrors);
    let data = load(&[mirror]).unwrap();
    assert_eq!((data.train.len(), data.test.len(), data.channels), (50, 10, 3));
    assert_eq!(data.test.image(0), [5; 3072]);
    let mut names: Vec<&str> = CIFAR_10.files().iter().map(|file| file.name).collect();
    names.sort_unstable();
    assert_eq!(listing(&cache), names);
    // Now it is there.
    assert_eq!(load(&["http://127.0.0.1:1/".to_owned()]).unwrap().sha256, data.sha256);
}

#[test]
fn another_archive_than_the_published() {
    refused(&archive(|name, bytes| (name != "batches.meta.txt").then_some(bytes)), &whole(), "MD5 differs");
}

#[test]
fn what_is_no_archive() {
    let page = b"<!DOCTYPE html>";
    refused(page, page, "not a gzipped tar archive: ");
    let cut = &whole()[..300];
    refused(cut, cut, "");
}

#[test]
fn an_archive_without_a_file_or_with_a_bad_one() {
    let lacking = archive(|name, bytes| (name != "data_batch_3.bin").then_some(bytes));
    refused(&lacking, &lacking, "the archive lacks data_batch_3.bin");
    let bad = archive(|name, bytes| Some(if name == "test_batch.bin" { bytes[1..].to_vec() } else { bytes }));
    refused(&bad, &bad, "30,729 bytes are 9 records of 3,073 and 3,072 bytes more");
}

#[test]
fn the_mirror_does_not_have_it() {
    let temp = tempfile::tempdir().unwrap();
    let mirrors = [serve(vec![(NAME.to_owned(), Answer::Half(whole()))]), serve(Vec::new())];
    let error = fetch::fetch(&DatasetName::CIFAR_10, temp.path(), &mirrors, false).unwrap_err();
    let DataError::Download { tried, .. } = &error else { panic!("{error}") };
    assert!(tried[0].1.starts_with("broke off after ") && tried[1].1 == "HTTP status 404", "{tried:?}");
}
