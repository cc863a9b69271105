//! Pictures in folders, one folder a class, as torchvision's `ImageFolder` and Keras'
//! `image_dataset_from_directory` have them; with or without folders of images to train and to test on above.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use fm_data::{Half, ImageShape};

use super::pixels::print;
use super::{Fitted, Item, Listing, Source, Take};
use crate::error::{Error, Kind, Result};
use crate::picture;

/// Folders with pictures.
#[derive(Debug)]
pub(crate) struct Folders {
    root: PathBuf,
    files: Vec<PathBuf>,
}

/// Pictures whose pixels are in memory at a time, for each thread.
const AT_A_TIME: usize = 8;
/// Folders within folders, as deep as anybody would go.
const DEPTH: usize = 16;

/// A folder above those of the classes, and the half that it is.
type Above = (PathBuf, Option<Half>);

const TRAIN: [&str; 2] = ["train", "training"];
const TEST: [&str; 3] = ["test", "testing", "t10k"];
const VALIDATION: [&str; 4] = ["val", "valid", "validation", "dev"];

impl Folders {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root, files: Vec::new() }
    }

    /// The folders above those of the classes, and what is odd about them.
    fn halves(&self) -> Result<(Vec<Above>, Vec<String>)> {
        let above = folders(&self.root)?;
        let named = |names: &[&str]| {
            above
                .iter()
                .find(|(name, _)| names.contains(&name.to_lowercase().as_str()))
                .map(|(_, path)| path.clone())
        };
        let (train, test, validation) = (named(&TRAIN), named(&TEST), named(&VALIDATION));
        Ok(match (train, test, validation) {
            (Some(train), Some(test), validation) => {
                let left_out = validation.map(|path| {
                    format!(
                        "{} is not imported: runs hold out their validation images from those to train on",
                        path.display()
                    )
                });
                (vec![(train, Some(Half::Train)), (test, Some(Half::Test))], left_out.into_iter().collect())
            }
            (Some(train), None, Some(validation)) => {
                let text =
                    format!("there is no test folder: {} is what runs are tested on", validation.display());
                (vec![(train, Some(Half::Train)), (validation, Some(Half::Test))], vec![text])
            }
            (Some(train), None, None) if above.len() == 1 => (vec![(train, None)], Vec::new()),
            _ => (vec![(self.root.clone(), None)], Vec::new()),
        })
    }
}

impl Source for Folders {
    fn kind(&self) -> String {
        "folders of pictures".to_owned()
    }

    fn list(&mut self, tick: &mut dyn FnMut() -> Result<()>) -> Result<Listing> {
        let (halves, warnings) = self.halves()?;
        let mut listing = Listing { warnings, ..Listing::default() };
        let mut found = Vec::new();
        let mut names = BTreeSet::new();
        for (above, half) in halves {
            let loose = entries(&above)?.into_iter().filter(|path| path.is_file()).count();
            if loose > 0 {
                let text = format!(
                    "{loose} files in {} belong to no class: they lie in no class's folder",
                    above.display()
                );
                listing.warnings.push(text);
            }
            for (name, folder) in folders(&above)? {
                let mut files = Vec::new();
                collect(&folder, 0, &mut files)?;
                if files.is_empty() {
                    listing.warnings.push(format!("{} is empty", folder.display()));
                    continue;
                }
                names.insert(name.clone());
                found.extend(files.into_iter().map(|file| (file, name.clone(), half)));
            }
        }
        let labels: Vec<String> = names.into_iter().collect();
        // Folders named by numbers sort as numbers.
        listing.classes = super::pixels::classes(&labels).0;
        for (file, name, half) in found {
            tick()?;
            let looked = fm_run::store::read(&file, picture::MAX_FILE)
                .map_err(|e| e.message().to_owned())
                .and_then(|bytes| {
                    let colours =
                        picture::has_colours(&bytes).map_err(|e| format!("{}: {e}", file.display()))?;
                    Ok((colours, print(&bytes)))
                });
            match looked {
                Err(text) => listing.unreadable.push(text),
                Ok((colours, print)) => {
                    listing.colours |= colours;
                    let class = listing.classes.iter().position(|class| *class == name).unwrap_or(0);
                    listing.items.push(Item { class, half, print });
                    self.files.push(file);
                }
            }
        }
        Ok(listing)
    }

    fn images(&mut self, shape: ImageShape, trim: bool, take: &mut Take<'_>) -> Result<()> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(16);
        let mut at = 0;
        for some in self.files.chunks(threads * AT_A_TIME) {
            let read = |path: &PathBuf| -> std::result::Result<Fitted, String> {
                let picture = picture::read(path, shape, trim).map_err(|e| e.message().to_owned())?;
                let inverted = (shape.channels == 1).then_some(picture.inverted);
                Ok(Fitted { pixels: picture.pixels, inverted })
            };
            let all: Vec<_> = std::thread::scope(|scope| {
                let threads: Vec<_> = some
                    .chunks(AT_A_TIME)
                    .map(|few| scope.spawn(move || few.iter().map(read).collect::<Vec<_>>()))
                    .collect();
                threads.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect()
            });
            for image in all {
                take(at, image)?;
                at += 1;
            }
        }
        Ok(())
    }

    fn name(&self, item: usize) -> String {
        let path = &self.files[item];
        path.strip_prefix(&self.root).unwrap_or(path).display().to_string()
    }
}

/// What lies in a folder, in order, without what systems leave there.
fn entries(dir: &Path) -> Result<Vec<PathBuf>> {
    let bad = |e: std::io::Error| Error::io("read", dir, &e);
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(bad)? {
        let entry = entry.map_err(bad)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let systems = ["Thumbs.db", "desktop.ini", "__MACOSX"];
        if !name.starts_with('.') && !systems.contains(&&*name) {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

/// The folders in a folder, with their names.
fn folders(dir: &Path) -> Result<Vec<(String, PathBuf)>> {
    let dirs = entries(dir)?.into_iter().filter(|path| path.is_dir());
    dirs.map(|path| match path.file_name().and_then(|name| name.to_str()) {
        Some(name) if !name.contains(char::is_control) => Ok((name.trim().to_owned(), path)),
        _ => Err(Error::new(Kind::Data, format!("{} is no name for a class", path.display()))
            .help("give the folder a name of UTF-8 text without control characters")),
    })
    .collect()
}

/// All files below a folder.
fn collect(dir: &Path, depth: usize, into: &mut Vec<PathBuf>) -> Result<()> {
    if depth > DEPTH {
        return Err(Error::new(Kind::Data, format!("{} lies more than {DEPTH} folders deep", dir.display())));
    }
    for path in entries(dir)? {
        if path.is_dir() {
            // A link may lead back to a folder above.
            if !path.is_symlink() {
                collect(&path, depth + 1, into)?;
            }
        } else {
            into.push(path);
        }
    }
    Ok(())
}
