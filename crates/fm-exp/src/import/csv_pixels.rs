//! Tables of pixels: a row an image, a column its label, the other columns its pixels from 0 to 255, with or
//! without a heading. Kaggle's files of MNIST and Fashion-MNIST are of this kind.

use std::fs::File;
use std::path::{Path, PathBuf};

use csv::{ByteRecord, Reader, ReaderBuilder};
use fm_data::{Half, ImageShape};

use super::pixels::{self, Order};
use super::{Fitted, Item, Listing, Source, Take};
use crate::error::{Error, Kind, Result};
use crate::picture;

/// One table, or one for each half.
#[derive(Debug)]
pub(crate) struct CsvPixels {
    files: Vec<(PathBuf, Option<Half>)>,
    /// Dimensions that the user gave.
    shape: Option<Vec<usize>>,
    /// Rows of each file.
    rows: Vec<usize>,
}

/// Names of the label's column.
const LABEL: [&str; 5] = ["label", "class", "target", "y", "labels"];

/// Takes a row's label and pixels.
type TakeRow<'a> = dyn FnMut(&Columns, String, Vec<u8>) -> Result<()> + 'a;

/// A table's columns.
struct Columns {
    label: usize,
    headed: bool,
    shape: ImageShape,
    order: Order,
}

impl CsvPixels {
    pub(crate) fn new(files: Vec<(PathBuf, Option<Half>)>, shape: Option<Vec<usize>>) -> Self {
        Self { files, shape, rows: Vec::new() }
    }

    /// Every row of a table, as label and pixels.
    fn each(&self, path: &Path, row: &mut TakeRow<'_>) -> Result<()> {
        let mut reader = reader(path)?;
        let mut record = ByteRecord::new();
        let mut columns = None;
        while reader.read_byte_record(&mut record).map_err(|e| bad(path, &e.to_string()))? {
            let line = record.position().map_or(0, csv::Position::line);
            let at = |text: &str| bad(path, &format!("line {line}: {text}"));
            let columns = match &mut columns {
                Some(columns) => &*columns,
                none => {
                    let found = self.columns(&record).map_err(|text| at(&text))?;
                    let headed = found.headed;
                    let columns = &*none.insert(found);
                    if headed {
                        continue;
                    }
                    columns
                }
            };
            let mut values = Vec::with_capacity(record.len());
            for (i, field) in record.iter().enumerate().filter(|(i, _)| *i != columns.label) {
                values.push(pixel(field).map_err(|text| at(&format!("column {}: {text}", i + 1)))?);
            }
            let label =
                String::from_utf8_lossy(record.get(columns.label).unwrap_or_default()).trim().to_owned();
            if label.is_empty() {
                return Err(at("the label is empty"));
            }
            row(columns, whole(label), values)?;
        }
        Ok(())
    }

    /// By the first row, which may be a heading.
    fn columns(&self, first: &ByteRecord) -> std::result::Result<Columns, String> {
        let text = |field: &[u8]| String::from_utf8_lossy(field).trim().to_lowercase();
        let names: Vec<String> = first.iter().map(text).collect();
        let headed = names.iter().skip(1).any(|name| name.parse::<f64>().is_err());
        let label = if headed {
            let mut found = names.iter().enumerate().filter(|(_, name)| LABEL.contains(&name.as_str()));
            found.next().map(|(i, _)| i).ok_or_else(|| {
                format!("no column is called {}; the images have no labels", LABEL.join(", "))
            })?
        } else {
            0
        };
        let pixels = names.len() - 1;
        let (shape, order) = match &self.shape {
            None => pixels::layout(&[pixels])?,
            Some(dimensions) => pixels::layout(dimensions)?,
        };
        if shape.len() != pixels {
            return Err(format!("{pixels} pixels, and images of {shape} have {}", shape.len()));
        }
        Ok(Columns { label, headed, shape, order })
    }
}

/// `3.0` is `3`: pandas makes such labels.
fn whole(label: String) -> String {
    match label.parse::<f64>() {
        Ok(value) if value.fract() == 0.0 && value.abs() < 1e15 => format!("{value:.0}"),
        _ => label,
    }
}

fn pixel(field: &[u8]) -> std::result::Result<u8, String> {
    let text = str::from_utf8(field).unwrap_or("?").trim();
    if let Ok(value) = text.parse::<u8>() {
        return Ok(value);
    }
    match text.parse::<f64>() {
        Ok(value) if value.fract() == 0.0 && (0.0..=255.0).contains(&value) => Ok(value as u8),
        Ok(value) if value > 0.0 && value < 1.0 => {
            Err(format!("{value} is no whole number from 0 to 255; multiply pixels from 0 to 1 by 255"))
        }
        _ => Err(format!("{text:?} is no whole number from 0 to 255")),
    }
}

fn reader(path: &Path) -> Result<Reader<File>> {
    if !path.is_file() {
        return Err(bad(path, "not a file"));
    }
    ReaderBuilder::new().has_headers(false).from_path(path).map_err(|e| bad(path, &e.to_string()))
}

fn bad(path: &Path, text: &str) -> Error {
    Error::new(Kind::Data, format!("{}: {text}", path.display()))
}

impl Source for CsvPixels {
    fn kind(&self) -> String {
        "CSV of pixels".to_owned()
    }

    fn list(&mut self, tick: &mut dyn FnMut() -> Result<()>) -> Result<Listing> {
        let (mut labels, mut items) = (Vec::new(), Vec::new());
        let mut shape: Option<ImageShape> = None;
        let mut rows = Vec::new();
        for (path, half) in &self.files {
            let before = items.len();
            self.each(path, &mut |columns, label, values| {
                tick()?;
                if *shape.get_or_insert(columns.shape) != columns.shape {
                    return Err(bad(path, "its images have another size than the other file's"));
                }
                labels.push(label);
                items.push(Item { class: 0, half: *half, print: pixels::print(&values) });
                Ok(())
            })?;
            rows.push(items.len() - before);
        }
        self.rows = rows;
        let (classes, indices, warnings) = pixels::classes(&labels);
        for (item, class) in items.iter_mut().zip(indices) {
            item.class = class;
        }
        let colours = shape.is_some_and(|shape| shape.channels == 3);
        let size = shape.map(|shape| (shape.height, shape.width));
        Ok(Listing { classes, items, colours, size, warnings, ..Listing::default() })
    }

    fn images(&mut self, shape: ImageShape, _trim: bool, take: &mut Take<'_>) -> Result<()> {
        let mut at = 0;
        for (path, _) in &self.files {
            self.each(path, &mut |columns, _, values| {
                let planes = pixels::planes(values, columns.shape, columns.order);
                let pixels = picture::refit(&planes, columns.shape, shape);
                take(at, Ok(Fitted { pixels, inverted: None }))?;
                at += 1;
                Ok(())
            })?;
        }
        Ok(())
    }

    fn name(&self, item: usize) -> String {
        let mut row = item;
        for ((path, _), &rows) in self.files.iter().zip(&self.rows) {
            if row < rows {
                return format!("image {row} of {}", path.file_name().unwrap_or_default().to_string_lossy());
            }
            row -= rows;
        }
        format!("image {item}")
    }
}
