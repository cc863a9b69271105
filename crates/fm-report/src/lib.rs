//! Pictures of a run and statistics of a comparison, from result files.
//!
//! ```text
//! epochs.csv ────┐         ┌─▸ curves ──┐
//!                ├─ read ─▸┤            ├─▸ SVG ─ rasterize ─▸ PNG
//! confusion.csv ─┘         └─▸ heatmap ─┘
//! predictions.csv of several runs ─ read ─▸ stats ─▸ Comparison ─▸ verdict
//! ```
//!
//! Pictures come from the tables a run has left, never from the run itself: they can be drawn again at any
//! time, and on another machine. The crate knows no tch, no models and no training, and writes no files:
//! callers get text and bytes. SVG and PNG are one picture; its typeface is built in.

mod axis;
mod color;
mod confusion;
mod curves;
mod error;
mod font;
mod heatmap;
mod png;
mod read;
mod run;
mod scatter;
mod sheet;
pub mod stats;
mod svg;

pub use confusion::{Confusion, NotSquare};
pub use curves::curves;
pub use error::{Error, Result};
pub use heatmap::confusion_heatmap;
pub use png::rasterize;
pub use read::{CORNER, EpochRow, Prediction, read_confusion, read_epochs, read_predictions};
pub use run::draw_run;
pub use scatter::scatter;
pub use sheet::{Tile, contact_sheet, data_uri};
