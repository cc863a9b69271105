//! `fm-exp import`: a data set from one's own pictures.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use fm_data::{Half, ImageShape};
use fm_report::Tile;
use fm_run::store::{self, Staged};
use indicatif::{ProgressBar, ProgressStyle};

use crate::error::{Error, Kind, Result};
use crate::import::{self, Checks, Listing, Source, Summary, Writer};
use crate::logging::Console;
use crate::signals::Signals;

/// Flags of `import`.
#[expect(clippy::struct_excessive_bools, reason = "they are flags")]
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// A directory with a folder of PNG or JPEG files for each class (or train/ and test/ with such folders), a CSV of
    /// pixels, an .npz, the files of CIFAR-10, CIFAR-100, EMNIST or any IDX data set, or the name of one
    source: PathBuf,

    /// Side of the images, or height and width as 28x20 [default: 28 for pictures, as they are for others]
    #[arg(long, value_name = "N|HxW", value_parser = size)]
    size: Option<(usize, usize)>,

    /// One grey channel; pictures with a light border are inverted, as by `predict`
    #[arg(long, visible_alias = "gray", conflicts_with = "colour")]
    grey: bool,

    /// Red, green and blue as they are [default: as the source has it]
    #[arg(long)]
    colour: bool,

    /// Cut away the plain background around the thing first; give it to `predict` too
    #[arg(long)]
    trim: bool,

    /// Share of every class to test on, where the source has no test images
    #[arg(long, value_name = "SHARE", default_value_t = 0.2)]
    test_share: f64,

    /// Which images those are
    #[arg(long, default_value_t = 0)]
    seed: u64,

    /// Shape of a CSV's images where they are no squares: 28x20, 32x32x3 (a pixel's channels together), 3x32x32
    #[arg(long, value_name = "SHAPE")]
    shape: Option<String>,

    /// Leave out files that are no readable images, instead of naming them and stopping
    #[arg(long)]
    skip_unreadable: bool,

    /// Directory for the data set; there is none yet, or it is empty
    #[arg(long, value_name = "DIR", help_heading = "Results")]
    out: PathBuf,
}

/// Images of each class on the contact sheet, which are its columns.
const COLUMNS: usize = 10;
/// As many as still make a picture.
const MOST: usize = 400;
/// The largest side that networks take.
const MAX_SIDE: usize = 1024;

fn size(text: &str) -> Result<(usize, usize), String> {
    let number = |text: &str| text.parse::<usize>().ok().filter(|n| (4..=MAX_SIDE).contains(n));
    let sides = text.split_once('x').map_or_else(
        || number(text).map(|n| (n, n)),
        |(height, width)| Some((number(height)?, number(width)?)),
    );
    sides.ok_or_else(|| format!("expected a side from 4 to {MAX_SIDE} pixels, or height and width as 28x20"))
}

pub(crate) fn run(args: &ImportArgs, as_json: bool, console: &Console) -> Result<String> {
    if !(args.test_share > 0.0 && args.test_share < 1.0) {
        return Err(Error::usage(format!("--test-share must be between 0 and 1, got {}", args.test_share)));
    }
    let dimensions = args.shape.as_deref().map(|text| {
        let sides: Result<Vec<usize>, _> = text.split('x').map(str::parse).collect();
        sides.map_err(|_| Error::usage(format!("--shape must be like 28x20 or 32x32x3, got {text}")))
    });
    let mut source = import::open(&args.source, dimensions.transpose()?)?;
    let signals = Signals::listen()?;
    let bar = Bar::new(console, "looking");
    let listing = source.list(&mut || bar.tick(&signals))?;
    bar.done();
    Checks::refuse(&listing, args.skip_unreadable)?;
    let halves = import::split(&listing, args.test_share, args.seed)?;
    let (height, width) = args.size.or(listing.size).unwrap_or((28, 28));
    let channels = if args.colour || (listing.colours && !args.grey) { 3 } else { 1 };
    let shape = ImageShape { channels, height, width };
    if args.trim && channels == 3 {
        return Err(Error::usage("--trim works on grey images; add --grey"));
    }

    let staged = Staged::new(&args.out)?;
    let job = Job { listing, halves, shape, trim: args.trim, skip: args.skip_unreadable };
    let bar = Bar::of(console, "importing", job.listing.items.len() as u64);
    let (mut summary, tiles) = job.write(&mut *source, &staged, &|| bar.tick(&signals))?;
    bar.done();
    summary.source = args.source.display().to_string();
    summary.out = args.out.display().to_string();
    let drawn = job.listing.items.iter().any(|item| item.half.is_none());
    summary.drawn = drawn.then_some((args.seed, args.test_share));
    store::write_json(&staged.path().join(import::SUMMARY_FILE), &summary.to_json())?;
    let failed = |e: fm_report::Error| Error::new(Kind::Other, e.to_string());
    let note = format!("the first training images of each class, {shape}, as a network gets them");
    let sheet = fm_report::contact_sheet(&tiles, COLUMNS, &summary.source, &note).map_err(failed)?;
    store::write(&staged.path().join("contact.png"), &fm_report::rasterize(&sheet, 2.0).map_err(failed)?)?;
    staged.commit()?;
    for warning in &summary.warnings {
        tracing::warn!("{warning}");
    }
    if as_json {
        return Ok(format!("{:#}\n", summary.to_json()));
    }
    Ok(summary.text())
}

/// An import whose halves are settled.
struct Job {
    listing: Listing,
    halves: Vec<Half>,
    shape: ImageShape,
    trim: bool,
    skip: bool,
}

impl Job {
    /// Writes the files, and gives back what they hold and what the contact sheet shows.
    fn write(
        &self,
        source: &mut dyn Source,
        staged: &Staged,
        tick: &dyn Fn() -> Result<()>,
    ) -> Result<(Summary, Vec<Tile>)> {
        let Self { listing, halves, shape, .. } = self;
        let classes = listing.classes.len();
        let most = [Half::Train, Half::Test].map(|half| halves.iter().filter(|h| **h == half).count());
        let mut writer = Writer::new(staged.path(), *shape, most)?;
        let mut checks = Checks::default();
        let mut unreadable = listing.unreadable.clone();
        let mut counts = vec![[0_usize; 2]; classes];
        let shown = if classes * COLUMNS <= MOST { COLUMNS } else { (MOST / classes).max(1) };
        let mut tiles: Vec<Vec<(usize, Tile)>> = vec![Vec::new(); classes];
        source.images(*shape, self.trim, &mut |item, image| {
            tick()?;
            let (class, half) = (listing.items[item].class, halves[item]);
            let fitted = match image {
                Ok(fitted) => fitted,
                Err(text) => {
                    unreadable.push(text);
                    return Ok(());
                }
            };
            writer.add(half, &fitted.pixels, class as u8)?;
            checks.see(item, half, class, &fitted.pixels, fitted.inverted);
            let count = &mut counts[class][usize::from(half == Half::Test)];
            *count += 1;
            if half == Half::Train && *count <= shown {
                let captions = vec![listing.classes[class].clone()];
                let size = (shape.height, shape.width);
                tiles[class].push((item, Tile { pixels: fitted.pixels, size, captions }));
            }
            Ok(())
        })?;
        if !unreadable.is_empty() && !self.skip {
            return Err(import::unreadable(&unreadable));
        }
        if let Some(class) = counts.iter().position(|[train, _]| *train == 0) {
            let text = format!("class {} has no image to train on that can be read", listing.classes[class]);
            return Err(Error::new(Kind::Data, text));
        }
        writer.finish(staged.path(), &listing.classes)?;
        let mut warnings = listing.warnings.clone();
        warnings.extend(checks.warnings(listing, halves, &|item| source.name(item)));
        let tiles = tiles.into_iter().flatten().map(|(item, mut tile)| {
            tile.captions.push(source.name(item).rsplit('/').next().unwrap_or_default().to_owned());
            tile
        });
        let tiles = tiles.collect();
        let summary = Summary {
            source: String::new(),
            kind: source.kind(),
            out: String::new(),
            shape: *shape,
            classes: listing.classes.iter().cloned().zip(counts).collect(),
            drawn: None,
            borders: checks.borders(),
            skipped: unreadable,
            warnings,
        };
        Ok((summary, tiles))
    }
}

/// A progress bar where there is a terminal, and the look for a request to stop.
struct Bar(ProgressBar);

impl Bar {
    fn new(console: &Console, what: &'static str) -> Self {
        Self::with(console, ProgressBar::new_spinner(), "{prefix} {pos} images  {per_sec}", what)
    }

    fn of(console: &Console, what: &'static str, images: u64) -> Self {
        Self::with(console, ProgressBar::new(images), "{prefix} {wide_bar} {pos}/{len}  eta {eta}", what)
    }

    fn with(console: &Console, bar: ProgressBar, template: &str, what: &'static str) -> Self {
        let Some(bars) = &console.bars else { return Self(ProgressBar::hidden()) };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = bars.add(bar.with_style(style).with_prefix(what));
        bar.enable_steady_tick(Duration::from_millis(250));
        Self(bar)
    }

    fn tick(&self, signals: &Signals) -> Result<()> {
        self.0.inc(1);
        match signals.request() {
            Some((kind, name)) => Err(Error::new(kind, format!("stopped by {name}; nothing was written"))
                .help("give the same command again")),
            None => Ok(()),
        }
    }

    fn done(&self) {
        self.0.finish_and_clear();
    }
}
