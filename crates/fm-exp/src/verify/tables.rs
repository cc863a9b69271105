//! What two trainings of one run have left, table by table.

use fm_report::Source;
use fm_run::files;
use fm_run::tables::{EpochRow, Prediction};

use super::Difference;
use super::training::Again;
use crate::commands::compare::failed;
use crate::error::Result;

/// What a comparison found.
#[derive(Debug)]
pub(super) struct Found {
    /// Where the two differ first.
    pub(super) first: Option<Difference>,
    /// In words, what was compared.
    pub(super) compared: String,
    /// On the test set at the greatest length that both have, or on validation or training images at the last epoch.
    pub(super) accuracy: Option<(f64, f64)>,
}

/// Compares what was recorded with what came out.
///
/// # Errors
/// When a file cannot be read.
pub(super) fn compare(there: &Source, again: &Again) -> Result<Found> {
    let here = &again.source;
    let rows = [there.epochs().map_err(failed)?, here.epochs().map_err(failed)?];
    let mut first = epochs(&rows[0], &rows[1], again.partial);
    let last = rows[0].iter().zip(&rows[1]).next_back();
    let shares = last.and_then(|(a, b)| a.val_acc.zip(b.val_acc).or(a.train_acc.zip(b.train_acc)));
    let (mut accuracy, mut scored, mut images) = (shares, Vec::new(), 0);
    let lengths = here.lengths().map_err(failed)?;
    for at in there.lengths().map_err(failed)? {
        if !lengths.contains(&at) || (at.is_none() && again.partial) {
            continue;
        }
        let (Some(a), Some(b)) = (there.summary(at).map_err(failed)?, here.summary(at).map_err(failed)?)
        else {
            continue;
        };
        let name = at.map_or("the last epoch".to_owned(), |n| format!("epoch {n}"));
        for part in ["test", "val"] {
            for key in ["loss", "accuracy", "macro_f1"] {
                let (there, here) = (&a[part][key], &b[part][key]);
                let differs = first.is_none() && !there.is_null() && there.as_f64() != here.as_f64();
                if differs {
                    let text = format!("after {name}, {part} {key}: recorded {there}, found {here}");
                    first = Some(Difference::new("scores", text));
                }
            }
        }
        let (of_test, found) = (&a["test"]["accuracy"], &b["test"]["accuracy"]);
        accuracy = of_test.as_f64().zip(found.as_f64()).or(accuracy);
        let (a, b) = (there.tables(at).map_err(failed)?, here.tables(at).map_err(failed)?);
        if a.0 != b.0 && first.is_none() {
            first = Some(Difference::new("scores", format!("after {name}, confusion.csv differs")));
        }
        first = first.or_else(|| predictions(&name, &a.1, &b.1));
        images += a.1.len();
        scored.push(name);
    }
    let mut compared = vec![format!("{} epochs", rows[1].len())];
    if !scored.is_empty() {
        compared.push(format!("scores after {}", scored.join(", ")));
    }
    if images > 0 {
        compared.push(format!("{images} predictions"));
    }
    let models = [there, here].map(|source| source.dir.join(files::MODEL));
    if !again.partial && models[0].is_file() {
        compared.push("weights".to_owned());
        let bytes = |path| std::fs::read(path).unwrap_or_default();
        if first.is_none() && bytes(&models[0]) != bytes(&models[1]) {
            first = Some(Difference::new("weights", format!("{} has other bytes", files::MODEL)));
        }
    }
    Ok(Found { first, compared: compared.join(", "), accuracy })
}

/// The first epoch and column that differ. Times are no result.
fn epochs(there: &[EpochRow], here: &[EpochRow], partial: bool) -> Option<Difference> {
    let difference = |row: &EpochRow, column: &str, a: &str, b: &str| {
        let text = format!("epoch {}, {column}: recorded {a}, found {b}", row.epoch);
        Difference::new("epochs", text)
    };
    for (a, b) in there.iter().zip(here) {
        if (a.epoch, &a.phase) != (b.epoch, &b.phase) {
            return Some(difference(b, "phase", &format!("{} {}", a.phase, a.epoch), &b.phase));
        }
        let columns = [
            ("train_loss", Some(a.train_loss), Some(b.train_loss)),
            ("train_acc", a.train_acc, b.train_acc),
            ("val_loss", a.val_loss, b.val_loss),
            ("val_acc", a.val_acc, b.val_acc),
            ("lr", Some(a.lr), Some(b.lr)),
            ("trainable_params", Some(a.trainable_params as f64), Some(b.trainable_params as f64)),
            ("ema_val_loss", a.ema.0, b.ema.0),
            ("ema_val_acc", a.ema.1, b.ema.1),
            ("mean_val_loss", a.mean.0, b.mean.0),
            ("mean_val_acc", a.mean.1, b.mean.1),
        ];
        let show = |value: Option<f64>| value.map_or("nothing".to_owned(), |value| value.to_string());
        let same = |a: Option<f64>, b: Option<f64>| {
            a == b || a.zip(b).is_some_and(|(a, b)| a.is_nan() && b.is_nan())
        };
        if let Some((column, a, c)) = columns.into_iter().find(|(_, a, b)| !same(*a, *b)) {
            return Some(difference(b, column, &show(a), &show(c)));
        }
    }
    let enough = if partial { there.len() >= here.len() } else { there.len() == here.len() };
    let text = format!("recorded {} epochs, found {}", there.len(), here.len());
    (!enough).then(|| Difference::new("epochs", text))
}

/// The first image of which something else was said. Packed probabilities have six decimals.
fn predictions(name: &str, there: &[Prediction], here: &[Prediction]) -> Option<Difference> {
    if there.is_empty() {
        return None;
    }
    let close = |a: f64, b: f64| ((1e6 * a).round() - (1e6 * b).round()).abs() < 0.5;
    let same = |(a, b): (&Prediction, &Prediction)| {
        (a.label, a.predicted) == (b.label, b.predicted)
            && close(a.p_true, b.p_true)
            && close(a.p_predicted, b.p_predicted)
            && a.loss.zip(b.loss).is_none_or(|(a, b)| close(a, b))
    };
    let index = there.iter().zip(here).position(|pair| !same(pair));
    let text = index.map(|index| {
        let Prediction { predicted, p_predicted, .. } = there[index];
        let Prediction { predicted: found, p_predicted: p_found, .. } = here[index];
        format!(
            "after {name}, image {index}: recorded class {predicted} at {p_predicted:.6}, found {found} at {p_found:.6}"
        )
    });
    let length = (there.len() != here.len())
        .then(|| format!("after {name}: recorded {} images, found {}", there.len(), here.len()));
    text.or(length).map(|text| Difference::new("predictions", text))
}
