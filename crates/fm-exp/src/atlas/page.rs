//! `atlas.html`: a map of all images that can be searched, in one file.
//!
//! Every image is a point with its numbers; the pictures of suspects, of the hardest, and of others evenly over the data
//! set are in the page in 16 levels, as many as fit.

use std::collections::BTreeSet;

use fm_data::{Dataset, Labelled};
use fm_report::atlas::{Atlas, Facts};
use fm_report::escape;
use serde_json::{Value, json};

use crate::error::Result;
use crate::page;
use crate::pca::Pca;

const TEMPLATE: &str = include_str!("page.html");
const SCRIPT: &str = include_str!("map.js");
/// The most bytes.
const LIMIT: usize = 4_500_000;
/// Pictures to try, until the page fits.
const PICTURES: [usize; 8] = [16_000, 11_000, 8_000, 5_500, 4_000, 2_000, 500, 0];
/// Of the hardest images so many have pictures.
const HARDEST: usize = 2000;
/// Pixels of the longer side on which the map is computed, at most.
const SIDE: usize = 28;
/// Stands for none in a byte.
const NONE: u8 = u8::MAX;

/// The page. `suspects` have pictures first, and a mark.
pub(super) fn page(atlas: &Atlas, data: &Dataset, suspects: &[(usize, usize)]) -> Result<String> {
    let columns = columns(atlas, data, suspects)?;
    let mut html = String::new();
    for most in PICTURES {
        html = filled(atlas, data, &columns, &pictured(atlas, suspects, most))?;
        if html.len() <= LIMIT {
            break;
        }
    }
    Ok(html)
}

/// Images whose pictures are in the page, numbered over both files, rising.
fn pictured(atlas: &Atlas, suspects: &[(usize, usize)], most: usize) -> Vec<usize> {
    let train = atlas.images[0].len();
    let all = train + atlas.images[1].len();
    let number = |&(set, row): &(usize, usize)| set * train + row;
    let hardest = atlas.hardest();
    let first = suspects.iter().map(number).chain(hardest.iter().take(HARDEST).map(number));
    let mut chosen = BTreeSet::new();
    // A stride that has no factor in common with the number of images comes by all of them.
    let stride = [7919, 6197].into_iter().find(|&stride| !all.is_multiple_of(stride)).unwrap_or(1);
    let spread = (0..all).map(|at| at * stride % all);
    for image in first.chain(spread) {
        if chosen.len() >= most {
            break;
        }
        chosen.insert(image);
    }
    chosen.into_iter().collect()
}

/// Every image's numbers, packed.
fn columns(atlas: &Atlas, data: &Dataset, suspects: &[(usize, usize)]) -> Result<Value> {
    let facts = || atlas.images.iter().flatten();
    let share = |value: f64| (1e4 * value).round() as u16;
    let bytes = |of: &dyn Fn(&Facts) -> u8| page::packed(&facts().map(of).collect::<Vec<u8>>());
    let words =
        |values: Vec<u16>| page::packed(&values.into_iter().flat_map(u16::to_le_bytes).collect::<Vec<u8>>());
    let of_words = |of: &dyn Fn(&Facts) -> u16| words(facts().map(of).collect());
    let [x, y] = places(data)?;
    let marked: BTreeSet<(usize, usize)> = suspects.iter().copied().collect();
    let mark = |set: usize| (0..atlas.images[set].len()).map(move |row| (set, row));
    let marks: Vec<u8> = mark(0).chain(mark(1)).map(|at| u8::from(marked.contains(&at))).collect();
    Ok(json!({
        "x": words(x)?,
        "y": words(y)?,
        "label": page::packed(&atlas.labels.concat())?,
        "runs": of_words(&|facts| facts.runs.min(u32::from(u16::MAX)) as u16)?,
        "correct": of_words(&|facts| share(facts.correct))?,
        "p": of_words(&|facts| share(facts.p_true))?,
        "other": bytes(&|facts| facts.suggested.map_or(NONE, |suggested| suggested.class))?,
        "otherP": of_words(&|facts| facts.suggested.map_or(0, |suggested| share(suggested.p)))?,
        "learned": bytes(&|facts| facts.learned.map_or(NONE, |epoch| epoch.min(254) as u8))?,
        "agreement": of_words(&|facts| share(facts.agreement.unwrap_or(0.0)))?,
        "suspect": page::packed(&marks)?,
    }))
}

/// Where images lie on the map: the first two principal components of their pixels, each from 0 to 65,535.
fn places(data: &Dataset) -> Result<[Vec<u16>; 2]> {
    let shape = data.train.shape();
    let block = shape.height.max(shape.width).div_ceil(SIDE).max(1);
    let mut values = Vec::new();
    for file in [&data.train, &data.test] {
        (0..file.len()).for_each(|row| coarse(file, row, block, &mut values));
    }
    let len = values.len() / (data.train.len() + data.test.len()).max(1);
    if len < 2 {
        return Ok([(); 2].map(|()| vec![0; data.train.len() + data.test.len()]));
    }
    let pca = Pca::new(&values, len).map_err(|e| fm_engines::failed(&e))?;
    let scaled = |of: &dyn Fn(&(f64, f64)) -> f64| -> Vec<u16> {
        let (low, high) =
            pca.points.iter().map(of).fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(v), h.max(v)));
        pca.points
            .iter()
            .map(|point| (65_535.0 * (of(point) - low) / (high - low).max(1e-12)) as u16)
            .collect()
    };
    Ok([scaled(&|point| point.0), scaled(&|point| point.1)])
}

/// An image's pixels from 0 to 1, the mean over blocks where it is large.
fn coarse(file: &Labelled, row: usize, block: usize, values: &mut Vec<f32>) {
    for plane in file.image(row).chunks_exact(file.height * file.width) {
        for top in (0..file.height).step_by(block) {
            for left in (0..file.width).step_by(block) {
                let (bottom, right) = ((top + block).min(file.height), (left + block).min(file.width));
                let pixels =
                    (top..bottom).flat_map(|y| &plane[y * file.width + left..y * file.width + right]);
                let area = ((bottom - top) * (right - left)) as f32;
                values.push(pixels.map(|&byte| fm_images::pixel(byte)).sum::<f32>() / area);
            }
        }
    }
}

fn filled(atlas: &Atlas, data: &Dataset, columns: &Value, pictured: &[usize]) -> Result<String> {
    let train = data.train.len();
    let image = |at: usize| if at < train { data.train.image(at) } else { data.test.image(at - train) };
    let halves = page::two_a_byte(pictured.iter().flat_map(|&at| image(at)));
    let numbers: Vec<u8> = pictured.iter().flat_map(|&at| (at as u32).to_le_bytes()).collect();
    let all = json!({
        "shape": [data.train.channels, data.train.height, data.train.width],
        "classes": data.class_names,
        "train": train,
        "epochs": atlas.epochs,
        "columns": columns,
        "pictured": page::packed(&numbers)?,
        "pictures": page::packed(&halves)?,
    });
    let about = format!(
        "{} training and {} test images of {}, as {} runs of {} see them that did not train on them ({} epochs each, a share \
         of {} of the training images held out). Every point is an image. {} have their picture in this page, in 16 levels; \
         it needs no network.",
        train,
        data.test.len(),
        data.name,
        atlas.seeds.len(),
        atlas.run.spec.arch,
        atlas.epochs,
        atlas.run.spec.holdout_share.map_or("one in twelve".to_owned(), |share| share.to_string()),
        pictured.len()
    );
    Ok(page::filled(
        TEMPLATE,
        &[
            ("{{title}}", escape(&format!("Atlas: {}", data.name))),
            ("{{about}}", escape(&about)),
            ("{{width}}", data.train.width.to_string()),
            ("{{height}}", data.train.height.to_string()),
            ("{{data}}", page::data(&all)),
            ("{{script}}", [page::UNPACK, SCRIPT].map(page::dense).concat()),
        ],
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use fm_data::ImageShape;

    #[test]
    fn large_images_are_seen_by_their_blocks() {
        let shape = ImageShape { channels: 1, height: 2, width: 3 };
        let file = Labelled::new(vec![0, 255, 51, 255, 0, 51], vec![0], shape);
        let mut values = Vec::new();
        coarse(&file, 0, 2, &mut values);
        assert_eq!(values.len(), 2);
        assert!((values[0] - 0.5).abs() < 1e-6 && (values[1] - 0.2).abs() < 1e-6, "{values:?}");
        values.clear();
        coarse(&file, 0, 1, &mut values);
        assert_eq!(values.len(), 6);
    }
}
