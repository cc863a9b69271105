//! NumPy's `.npz`: arrays of images and labels under the names that Keras, MedMNIST and most others use.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use fm_data::{Half, ImageShape};
use npyz::{DType, NpyFile, Order as NpyOrder};
use zip::ZipArchive;

use super::pixels::{self, Order};
use super::{Fitted, Item, Listing, Source, Take};
use crate::error::{Error, Kind, Result};
use crate::picture;

/// Names of images and labels of one half, or of all.
const NAMES: [(&str, &str, Option<Half>); 8] = [
    ("x_train", "y_train", Some(Half::Train)),
    ("x_test", "y_test", Some(Half::Test)),
    ("train_images", "train_labels", Some(Half::Train)),
    ("test_images", "test_labels", Some(Half::Test)),
    ("images", "labels", None),
    ("x", "y", None),
    ("data", "labels", None),
    ("arr_0", "arr_1", None),
];

/// The file.
#[derive(Debug)]
pub(crate) struct Npz {
    path: PathBuf,
    arrays: Vec<(String, usize)>,
}

/// An array of images, opened.
struct Images<R: Read> {
    npy: NpyFile<R>,
    n: usize,
    shape: ImageShape,
    order: Order,
}

type Entry<'a> = BufReader<zip::read::ZipFile<'a>>;

impl Npz {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, arrays: Vec::new() }
    }

    fn open(&self) -> Result<ZipArchive<BufReader<File>>> {
        let file = File::open(&self.path).map_err(|e| Error::io("read", &self.path, &e))?;
        ZipArchive::new(BufReader::new(file)).map_err(|e| bad(&self.path, &format!("not an .npz file: {e}")))
    }
}

fn bad(path: &Path, text: &str) -> Error {
    Error::new(Kind::Data, format!("{}: {text}", path.display()))
}

fn array<'a>(
    zip: &'a mut ZipArchive<BufReader<File>>,
    name: &str,
) -> std::result::Result<NpyFile<Entry<'a>>, String> {
    let entry = zip.by_name(&format!("{name}.npy")).map_err(|e| format!("array {name}: {e}"))?;
    let npy = NpyFile::new(BufReader::new(entry)).map_err(|e| format!("array {name}: {e}"))?;
    if npy.order() == NpyOrder::Fortran && npy.shape().len() > 1 {
        return Err(format!("array {name} lies in Fortran's order; save numpy.ascontiguousarray of it"));
    }
    Ok(npy)
}

fn images<R: Read>(npy: NpyFile<R>, name: &str) -> std::result::Result<Images<R>, String> {
    let dimensions: Vec<usize> = npy.shape().iter().map(|&n| n as usize).collect();
    let Some((&n, image)) = dimensions.split_first() else {
        return Err(format!(
            "array {name} has no dimensions; images are [n, height, width] or [n, height, width, 3]"
        ));
    };
    let (shape, order) = pixels::layout(image).map_err(|e| format!("array {name} {dimensions:?}: {e}"))?;
    if npy.dtype().descr().trim_matches('\'') != "|u1" {
        let kind = npy.dtype().descr();
        return Err(format!("array {name} is of type {kind}; save pixels from 0 to 255 as numpy.uint8"));
    }
    Ok(Images { npy, n, shape, order })
}

fn labels<R: Read>(npy: NpyFile<R>, name: &str) -> std::result::Result<Vec<String>, String> {
    match *npy.shape() {
        [_] | [_, 1] => {}
        ref other => {
            return Err(format!(
                "labels {name} are {other:?}, expected [n]; of one-hot labels take numpy.argmax"
            ));
        }
    }
    let DType::Plain(kind) = npy.dtype() else { return Err(format!("labels {name} are no numbers")) };
    macro_rules! read {
        ($($text:literal => $type:ty),*) => {
            match kind.to_string().as_str() {
                $($text => npy.into_vec::<$type>().map(|all| all.into_iter().map(|label| label.to_string()).collect()),)*
                other => return Err(format!("labels {name} are of type {other}, expected whole numbers")),
            }
        };
    }
    let all: std::io::Result<Vec<String>> = read!(
        "|u1" => u8, "|i1" => i8, "<u2" => u16, "<i2" => i16, "<u4" => u32, "<i4" => i32, "<u8" => u64, "<i8" => i64
    );
    all.map_err(|e| format!("labels {name}: {e}"))
}

/// Images one by one; none is kept.
fn each<R: Read>(
    mut images: Images<R>,
    take: &mut dyn FnMut(Vec<u8>) -> Result<()>,
) -> Result<Result<(), String>> {
    let len = images.shape.len();
    let mut all = images.npy.data::<u8>().map_err(|e| Error::new(Kind::Data, e.to_string()))?;
    for i in 0..images.n {
        let image: std::io::Result<Vec<u8>> = all.by_ref().take(len).collect();
        match image {
            Ok(image) if image.len() == len => take(pixels::planes(image, images.shape, images.order))?,
            Ok(_) => return Ok(Err(format!("the data end in image {i} of {}", images.n))),
            Err(e) => return Ok(Err(format!("image {i} of {}: {e}", images.n))),
        }
    }
    images.n = 0;
    Ok(Ok(()))
}

impl Source for Npz {
    fn kind(&self) -> String {
        "NumPy .npz".to_owned()
    }

    fn list(&mut self, tick: &mut dyn FnMut() -> Result<()>) -> Result<Listing> {
        let mut zip = self.open()?;
        let has: Vec<String> =
            zip.file_names().map(|name| name.trim_end_matches(".npy").to_owned()).collect();
        let there = |name: &str| has.iter().any(|n| n == name);
        let mut found: Vec<_> = NAMES.iter().filter(|(x, y, _)| there(x) && there(y)).collect();
        // Halves go before a whole of the same file.
        if found.iter().any(|(_, _, half)| half.is_some()) {
            found.retain(|(_, _, half)| half.is_some());
        } else {
            found.truncate(1);
        }
        if found.is_empty() {
            let known: Vec<String> = NAMES.iter().map(|(x, y, _)| format!("{x} and {y}")).collect();
            return Err(bad(&self.path, &format!("holds {}, and no images with labels", has.join(", ")))
                .help(format!("name the arrays {}", known.join(", or "))));
        }
        let mut listing = Listing::default();
        if has.iter().any(|name| name.starts_with("val_") || name == "x_val") {
            let text = "its validation images are not imported: runs hold out theirs from those to train on";
            listing.warnings.push(text.to_owned());
        }
        let (mut texts, mut shape) = (Vec::new(), None);
        for &&(x, y, half) in &found {
            let wrong = |text: String| bad(&self.path, &text);
            let of = array(&mut zip, y).and_then(|npy| labels(npy, y)).map_err(wrong)?;
            let images = array(&mut zip, x).and_then(|npy| images(npy, x)).map_err(wrong)?;
            if images.n != of.len() {
                return Err(wrong(format!("{} images in {x} but {} labels in {y}", images.n, of.len())));
            }
            if *shape.get_or_insert(images.shape) != images.shape {
                return Err(wrong(format!("images in {x} are {}, others are not", images.shape)));
            }
            self.arrays.push((x.to_owned(), images.n));
            each(images, &mut |image| {
                tick()?;
                listing.items.push(Item { class: 0, half, print: pixels::print(&image) });
                Ok(())
            })?
            .map_err(wrong)?;
            texts.extend(of);
        }
        let (classes, indices, warnings) = pixels::classes(&texts);
        for (item, class) in listing.items.iter_mut().zip(indices) {
            item.class = class;
        }
        listing.classes = classes;
        listing.warnings.extend(warnings);
        listing.colours = shape.is_some_and(|shape| shape.channels == 3);
        listing.size = shape.map(|shape| (shape.height, shape.width));
        Ok(listing)
    }

    fn images(&mut self, shape: ImageShape, _trim: bool, take: &mut Take<'_>) -> Result<()> {
        let mut zip = self.open()?;
        let mut at = 0;
        for (name, _) in &self.arrays {
            let wrong = |text: String| bad(&self.path, &text);
            let images = array(&mut zip, name).and_then(|npy| images(npy, name)).map_err(wrong)?;
            let from = images.shape;
            each(images, &mut |image| {
                take(at, Ok(Fitted { pixels: picture::refit(&image, from, shape), inverted: None }))?;
                at += 1;
                Ok(())
            })?
            .map_err(wrong)?;
        }
        Ok(())
    }

    fn name(&self, item: usize) -> String {
        let mut row = item;
        for (name, n) in &self.arrays {
            if row < *n {
                return format!("{name}[{row}]");
            }
            row -= n;
        }
        format!("image {item}")
    }
}
