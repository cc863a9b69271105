//! What a source is, by what is there.

use std::path::{Path, PathBuf};

use fm_data::{DataError, DatasetName, FORMATS, Half, LoadOptions, Places, source};

use super::Source;
use super::archive::Archive;
use super::csv_pixels::CsvPixels;
use super::folders::Folders;
use super::npz::Npz;
use crate::error::{Error, Kind, Result};
use crate::inputs::failed;

/// What is read, for messages.
const KNOWN: &str = "a directory with a folder of PNG or JPEG files for each class, a CSV of pixels, an .npz, \
                     or the files of CIFAR-10, CIFAR-100, EMNIST or any IDX data set";

/// Opens `path`, or the published data set of that name; `shape` is that of images in tables.
///
/// # Errors
/// [`Kind::Data`] when it is nothing that is read.
pub(crate) fn open(path: &Path, shape: Option<Vec<usize>>) -> Result<Box<dyn Source>> {
    let name = DatasetName::from(path.to_owned());
    if name.published().is_some() {
        return archive(&name);
    }
    if path.is_file() {
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        return match extension.as_str() {
            "csv" => Ok(Box::new(CsvPixels::new(vec![(path.to_owned(), None)], shape))),
            "npz" => Ok(Box::new(Npz::new(path.to_owned()))),
            _ => Err(unknown(path, "is none of the files that are imported")),
        };
    }
    if !path.is_dir() {
        return Err(unknown(path, "is no file or directory"));
    }
    match source::locate(&name, &Places::of(&name, Some(path)), FORMATS) {
        Ok(_) => return archive(&name),
        Err(DataError::Missing { ref looked, .. }) if looked.iter().all(|l| l.lacks.len() == l.of) => {}
        Err(DataError::Ambiguous { dir, formats }) => {
            return Err(Error::new(
                Kind::Data,
                format!("{} holds several data sets: {}", dir.display(), formats.join(", ")),
            )
            .help(format!(
                "name one of them, as in FM_DATA_DIR={} fm-exp import emnist-balanced",
                dir.display()
            )));
        }
        Err(error) => return Err(failed(error)),
    }
    let tables = tables(path)?;
    match &tables[..] {
        [] => Ok(Box::new(Folders::new(path.to_owned()))),
        [only] => Ok(Box::new(CsvPixels::new(vec![(only.clone(), None)], shape))),
        several => {
            let named = |piece: &str| {
                let mut found = several.iter().filter(|path| {
                    path.file_stem().is_some_and(|stem| stem.to_string_lossy().to_lowercase().contains(piece))
                });
                found.next().filter(|_| found.next().is_none())
            };
            match (named("train"), named("test")) {
                (Some(train), Some(test)) if several.len() == 2 => {
                    let files = vec![(train.clone(), Some(Half::Train)), (test.clone(), Some(Half::Test))];
                    Ok(Box::new(CsvPixels::new(files, shape)))
                }
                _ => Err(unknown(
                    path,
                    &format!(
                        "holds {} CSV files, expected one, or two with train and test in their names",
                        several.len()
                    ),
                )),
            }
        }
    }
}

fn archive(name: &DatasetName) -> Result<Box<dyn Source>> {
    let places = Places::of(name, None);
    let format = source::locate(name, &places, FORMATS).map(|found| found.format.name());
    let options = LoadOptions { download: false, ..LoadOptions::default() };
    let data = fm_data::load(name, &options).map_err(failed)?;
    Ok(Box::new(Archive::new(data, format.map_err(failed)?)))
}

/// The CSV files in a directory, in order.
fn tables(dir: &Path) -> Result<Vec<PathBuf>> {
    let bad = |e: std::io::Error| Error::io("read", dir, &e);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(bad)? {
        let path = entry.map_err(bad)?.path();
        if path.is_file() && path.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv")) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn unknown(path: &Path, what: &str) -> Error {
    Error::new(Kind::Data, format!("{} {what}", path.display())).help(format!("import reads {KNOWN}"))
}
