//! Statistics of a comparison: pure functions over numbers.
//!
//! ```text
//! accuracies by seed ──────▸ summary, paired t, Welch ─────────────┐
//! right or wrong by item ──▸ McNemar (one seed against one seed) ──┼─▸ Comparison ─▸ verdict
//! right or wrong by seed and item ─▸ crossed effects ─▸ power ─────┘
//! right or wrong of one model by seed and item ─▸ noise: networks, flicker, test images
//! right or wrong, seed after seed ─▸ anytime: a verdict that may be read at any number of seeds
//! accuracies by run ─▸ superiority: how often a single run is ahead
//! confidence and right or wrong by item ─▸ calibration
//! classes named by run and image ─▸ agreement; two lists of values ─▸ rank correlation
//! which of many differ ─▸ letters
//! scores by configuration and seed ─▸ selection: which may be left behind
//! accuracies of crossed seeds ─▸ components; of very many seeds ─▸ distribution
//! predictions by run and image ─▸ votes, disagreement
//! ```
//!
//! An accuracy has two sources of chance: which seed trained the model, and which items happened to be in
//! the test set. A t test over seeds sees the first alone and McNemar's test the second alone; each says
//! "different" too often when the other matters. The verdict rests on crossed effects, which see both.

mod agreement;
mod anytime;
mod calibration;
mod comparison;
mod components;
mod crossed;
mod dist;
mod distribution;
mod letters;
mod mcnemar;
mod multiple;
mod noise;
mod outcomes;
mod power;
mod rank;
mod selection;
mod summary;
mod superiority;
mod t_test;
mod verdict;
mod votes;

pub use agreement::{agreement, fleiss_kappa};
pub use anytime::{Ending, Look, Sequence, Settle, e_value, half_width};
pub use calibration::{BINS, Bin, calibration_error, calibration_parts, reliability};
pub use comparison::{CompareError, Comparison, Group, Run};
pub use components::{Component, Components, components};
pub use crossed::{Crossed, crossed, crossed_values, items_alone};
pub use dist::{chi_squared_quantile, normal_quantile, t_quantile, two_sided_t};
pub use distribution::{Distribution, QUANTILES, distribution, independence};
pub use letters::letters;
pub use mcnemar::{McNemar, mcnemar};
pub use multiple::holm;
pub use noise::{Noise, noise};
pub use outcomes::{Outcomes, OutcomesError};
pub use power::{MAX_SEEDS, Needed, POWER, Plan, RANGE, detectable, paired_t_power, seeds_for, t_power};
pub use rank::spearman;
pub use selection::{Rule, Selection, select};
pub(crate) use summary::mean;
pub use summary::{Interval, Summary, summarize};
pub use superiority::{Superiority, superiority};
pub use t_test::{TTest, paired_t, welch};
pub use verdict::{ALPHA, Answer, Decision, Family, Verdict, p_equation};
pub use votes::{Said, Vote, disagreement, votes};

/// The level of every interval, and one minus that of every test: 95 %.
pub const LEVEL: f64 = 0.95;
