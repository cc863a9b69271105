//! `report --playable`: one HTML page that holds networks and training images, and says what each network makes of
//! what is drawn or dropped there.
//!
//! ```text
//! model.safetensors ─ Program ─ Page, rounded to B bits ─ deflate ─ text ─┐
//! training images, evenly over each class, 16 levels ──── deflate ─ text ─┼─▸ page.html
//! net.js (fm-export), fit.js, play.js, ui.js ─────────────────────────────┘
//! ```
//!
//! B and the number of images are the largest with which the page fits its size. How often rounding changes an answer is
//! counted on test images and stands on the page.

use std::fmt::Write as _;

use fm_data::{Dataset, Labelled};
use fm_export::c::Program;
use fm_export::web::{Page, SCRIPT};
use fm_report::{RunGroup, RunResult, escape};
use fm_run::files;
use fm_run::trained::Trained;
use serde_json::{Value, json};

use crate::commands::export::largest;
use crate::commands::weights;
use crate::error::{Error, Kind, Result};
use crate::page;

const TEMPLATE: &str = include_str!("page.html");
/// After the network's own.
const SCRIPTS: [&str; 3] = [include_str!("fit.js"), include_str!("play.js"), include_str!("ui.js")];
/// Test images on which rounded and original networks are compared.
const COMPARED: usize = 200;
/// The most bytes in which that is said.
const SAID: usize = 100;
/// Training images, and how many pixels they have at most in all.
const NEAREST: usize = 200;
const NEAREST_PIXELS: usize = 160_000;
/// What to try, the best first: bits of a weight, and which part of the training images.
const SIZES: [(u32, usize); 11] =
    [(12, 1), (11, 1), (10, 1), (9, 1), (9, 2), (8, 1), (8, 2), (7, 1), (7, 2), (6, 2), (6, 4)];

/// A run whose network plays.
struct Player<'a> {
    group: &'a str,
    run: &'a RunResult,
    trained: Trained,
    program: Program,
}

impl Player<'_> {
    fn name(&self) -> String {
        format!("{}, seed {}", self.group, self.run.seed())
    }
}

/// The page with at most so many networks, of at most so many bytes.
///
/// # Errors
/// When no run has its model, a network has an operator that the page has not, or the page would be larger.
pub(crate) fn page(groups: &[RunGroup], data: &Dataset, networks: usize, limit: usize) -> Result<String> {
    let players = players(groups, networks)?;
    let mut least = 0;
    for (bits, part) in SIZES {
        let pages: Vec<Page> = players.iter().map(|player| Page::new(player.program.clone(), bits)).collect();
        let contents = Contents::new(&players, &pages, &data.train, NEAREST / part)?;
        least = contents.html(data, |_| String::new()).len() + players.len() * SAID;
        if least <= limit {
            let said = |i: usize| {
                let (same, of) = agreement(&players[i], &pages[i], &data.test);
                format!("Weights rounded to {bits} bits: the same class for {same} of {of} test images.")
            };
            return Ok(contents.html(data, said));
        }
    }
    let kb = |bytes: usize| bytes.div_ceil(1000);
    Err(Error::usage(format!(
        "the page would take {} kB with {} networks, and may take {}",
        kb(least),
        players.len(),
        kb(limit)
    ))
    .help("take fewer with --networks, or allow more with --playable-kb"))
}

/// Runs with models: the first seed of each group, then the second, and so on.
fn players(groups: &[RunGroup], networks: usize) -> Result<Vec<Player<'_>>> {
    let longest = groups.iter().map(|group| group.runs.len()).max().unwrap_or(0);
    let turns = (0..longest).flat_map(|turn| groups.iter().map(move |group| (group, turn)));
    let runs = turns.filter_map(|(group, turn)| Some((group, group.runs.get(turn)?)));
    let with_models = runs.filter(|(_, run)| run.dir.join(files::MODEL).is_file());
    let mut players = Vec::new();
    for (group, run) in with_models.take(networks) {
        let trained = weights::load(&run.dir, None)?;
        let program = Program::new(&trained.network, &trained.weights)
            .map_err(|e| Error::usage(format!("{} cannot play: {e}", run.dir.display())))?;
        players.push(Player { group: &group.name, run, trained, program });
    }
    if players.is_empty() {
        return Err(Error::new(Kind::Mismatch, format!("none of the runs has its {}", files::MODEL))
            .help("--playable needs the runs' own directories, which keep it; runs.npz does not"));
    }
    Ok(players)
}

/// What a page holds, packed.
struct Contents<'a> {
    players: &'a [Player<'a>],
    /// By the page's script: name, shape and weights of each network.
    networks: Vec<Value>,
    /// Labels, rows and pixels of training images.
    nearest: Value,
    /// How many training images.
    images: usize,
}

impl<'a> Contents<'a> {
    fn new(players: &'a [Player<'a>], pages: &[Page], train: &Labelled, nearest: usize) -> Result<Self> {
        let network = |(player, page): (&Player<'_>, &Page)| {
            Ok(json!({ "name": player.name(), "spec": page.spec(), "data": page::packed(&page.bytes())? }))
        };
        let networks = players.iter().zip(pages).map(network).collect::<Result<_>>()?;
        let (labels, rows, data) = near(train, nearest)?;
        let images = labels.len();
        Ok(Self {
            players,
            networks,
            nearest: json!({ "labels": labels, "rows": rows, "data": data }),
            images,
        })
    }

    /// The page, with what is said of the rounding of each network.
    fn html(&self, data: &Dataset, said: impl Fn(usize) -> String) -> String {
        let mut sections = String::new();
        for (i, player) in self.players.iter().enumerate() {
            let measures = &player.run.measures;
            let accuracy = measures.iter().find(|(name, _)| name == "accuracy").map_or(0.0, |(_, a)| *a);
            let _ = writeln!(
                sections,
                "<div class=\"network\"><h2>{}</h2><p class=\"note\">Test accuracy {:.2} %. {}</p><table><tbody></tbody></table></div>",
                escape(&player.name()),
                100.0 * accuracy,
                said(i)
            );
        }
        let names = self.players[0].trained.names(&data.class_names);
        let shape = [data.train.channels, data.train.height, data.train.width];
        let about = "This page needs no network: draw with the mouse or a finger, drop a picture anywhere, or choose one.";
        let nearest = format!(
            "Of {} that are in this page, evenly over the training file of each class, in 16 levels of grey: those with the \
             least squared distance of pixels.",
            self.images
        );
        let all =
            json!({ "shape": shape, "classes": names, "networks": self.networks, "nearest": self.nearest });
        let title = format!("Play: {}", dataset(self.players[0].run));
        page::filled(
            TEMPLATE,
            &[
                ("{{title}}", escape(&title)),
                ("{{about}}", about.to_owned()),
                ("{{nearest}}", nearest),
                ("{{networks}}", sections),
                ("{{width}}", shape[2].to_string()),
                ("{{height}}", shape[1].to_string()),
                ("{{data}}", page::data(&all)),
                (
                    "{{script}}",
                    [&[page::UNPACK, SCRIPT], &SCRIPTS[..]].concat().into_iter().map(page::dense).collect(),
                ),
            ],
        )
    }
}

fn dataset(run: &RunResult) -> String {
    run.run.value("dataset").and_then(|value| fm_run::spec::text(&value).ok()).unwrap_or_default()
}

/// For how many of some test images the rounded network says what the run said, or where that was not kept, the
/// original one.
fn agreement(player: &Player<'_>, page: &Page, test: &Labelled) -> (usize, usize) {
    let n = test.len().min(COMPARED);
    let same = (0..n).filter(|i| {
        let row = i * test.len() / n;
        let image: Vec<f32> = test.image(row).iter().map(|&byte| fm_images::pixel(byte)).collect();
        let original = player.run.predictions.get(row).map(|said| usize::from(said.predicted));
        largest(&page.program().run(&image))
            == original.unwrap_or_else(|| largest(&player.program.run(&image)))
    });
    (same.count(), n)
}

/// Labels, rows and packed pixels of some training images: as many of each class, evenly over the file.
fn near(train: &Labelled, most: usize) -> Result<(Vec<u8>, Vec<usize>, Value)> {
    let size = train.channels * train.height * train.width;
    let classes = train.labels.iter().max().map_or(0, |label| usize::from(*label) + 1);
    let each = (most.min(NEAREST_PIXELS / size.max(1)) / classes.max(1)).max(1);
    let mut rows = Vec::new();
    for class in 0..classes {
        let own: Vec<usize> =
            (0..train.len()).filter(|&row| usize::from(train.labels[row]) == class).collect();
        let n = each.min(own.len());
        rows.extend((0..n).map(|i| own[i * own.len() / n]));
    }
    let pairs = page::two_a_byte(rows.iter().flat_map(|&row| train.image(row)));
    let labels = rows.iter().map(|&row| train.labels[row]).collect();
    Ok((labels, rows, page::packed(&pairs)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_come_from_every_class_in_two_pixels_a_byte() {
        let shape = fm_data::ImageShape { channels: 1, height: 2, width: 2 };
        let images: Vec<u8> = (0..40).map(|i| (i * 6) as u8).collect();
        let train = Labelled::new(images, vec![0, 1, 0, 1, 0, 1, 0, 1, 0, 2], shape);
        let (labels, rows, _) = near(&train, 6).unwrap();
        assert_eq!((labels, rows), (vec![0, 0, 1, 1, 2], vec![0, 4, 1, 5, 9]));
        assert_eq!(near(&train, 0).unwrap().0, [0, 1, 2], "one of each at least");
    }
}
