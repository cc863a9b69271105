//! Pictures of a run and statistics of a comparison, from result files.
//!
//! ```text
//! epochs.csv ────┐         ┌─▸ curves ──┐
//!                ├─ read ─▸┤            ├─▸ SVG ─ rasterize ─▸ PNG
//! confusion.csv ─┘         └─▸ heatmap ─┘
//! predictions_by_epoch.npz of many runs ─▸ atlas: what they know of each image
//!                                 report ◂┘ one HTML file and its pictures
//! run directories ─ collect ─▸ groups ─ compare ─▸ Compared ─▸ verdict, JSON, CSV
//! ```
//!
//! Pictures come from the tables a run has left, never from the run itself: they can be drawn again at any
//! time, and on another machine. The crate knows no tch, no models and no training, and writes no files:
//! callers get text and bytes. SVG and PNG are one picture; its typeface is built in.
//!
//! ```
//! use fm_report::stats::{mcnemar, paired_t, summarize};
//!
//! // Accuracies of five seeds of two networks.
//! let (first, second) = ([0.90, 0.91, 0.89, 0.90, 0.92], [0.92, 0.92, 0.91, 0.93, 0.93]);
//! let summary = summarize(&first).ok_or("no values")?;
//! assert!((summary.mean - 0.904).abs() < 1e-12);
//! let test = paired_t(&first, &second).ok_or("one pair")?;
//! assert!(test.difference > 0.0 && test.p < 0.05);
//!
//! // Two single runs by which images they got right.
//! let right = |wrong: usize| (0..100).map(|image| image % 10 >= wrong).collect::<Vec<bool>>();
//! assert!(mcnemar(&right(1), &right(3)).mid < 0.001);
//! # Ok::<(), &str>(())
//! ```

pub mod atlas;
mod axis;
mod by_epoch;
mod chart;
mod collect;
mod color;
mod compared;
mod curves;
mod difference;
mod error;
mod font;
mod groups;
mod heatmap;
mod histogram;
mod lengths;
mod masked;
mod measures;
mod observed;
mod packed;
mod png;
mod reliability;
mod report;
mod rows;
mod run;
mod scatter;
mod sheet;
mod source;
pub mod stats;
mod svg;
mod validation;
mod wanted;
mod workbook;

pub use by_epoch::{ByEpoch, Predicted};
pub use collect::{Found, RunResult, collect, scored};
pub use compared::{Compared, Difference, Pair, Question, Summarized, compare};
pub use curves::{Score, curves};
pub use error::{Error, Result};
pub use groups::{RunGroup, names};
pub use heatmap::confusion_heatmap;
pub use lengths::Chosen;
pub use masked::masked;
pub use measures::{Unit, p_text, unit};
pub use observed::{Crossing, Observations, Observed, Spread, observe, observed_pictures};
pub use packed::pack;
pub use png::rasterize;
pub use reliability::reliability_diagram;
pub use report::{Images, Report, report};
pub use run::draw_run;
pub use scatter::scatter;
pub use sheet::{Tile, contact_sheet, data_uri};
pub use source::{Source, finished, sources};
pub use svg::escape;
pub use validation::{
    Validated, ValidatedGroup, ValidatedPair, Validation, compare_validation, rank_validation,
};
pub use wanted::{Condition, Length, Wanted};
pub use workbook::{Sheet, workbook};
