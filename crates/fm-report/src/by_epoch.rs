//! `predictions_by_epoch.npz`: what every epoch of a run predicts for each validation and test image.
//!
//! It is an archive of NumPy arrays; `results/README.md` says what each holds. With `E` epochs and `V` validation
//! images, an entry of `[E, V]` takes 5 bytes before compression.

use std::path::Path;

use fm_run::tables::Prediction;

use crate::error::{Error, Result};
use crate::packed::arrays::{Reading, Writing};

/// Losses are kept in thousandths up to this.
const MOST_LOSS: f64 = u16::MAX as f64;

/// What the epochs of a run predict for some images.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Predicted {
    /// Which rows of their file the images are.
    pub rows: Vec<u32>,
    /// Classes, `[epochs, rows]`.
    pub class: Vec<u8>,
    /// Probability of that class in ten-thousandths, `[epochs, rows]`.
    pub p: Vec<u16>,
    /// Cross-entropy in thousandths, natural logarithm, at most 65.535: the probability of the true class is
    /// `exp(-loss / 1000)`. `[epochs, rows]`.
    pub loss: Vec<u16>,
}

/// A run's predictions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ByEpoch {
    /// Numbers of the epochs within the run, from 1, rising.
    pub epochs: Vec<u32>,
    /// For images of the training file that the run held out.
    pub val: Predicted,
    /// For images of the test file.
    pub test: Predicted,
}

impl Predicted {
    /// None yet, for these rows.
    #[must_use]
    pub fn of(rows: &[u32]) -> Self {
        Self { rows: rows.to_vec(), ..Self::default() }
    }

    fn push(&mut self, said: &[Prediction]) {
        self.class.extend(said.iter().map(|p| p.predicted));
        self.p.extend(said.iter().map(|p| (1e4 * p.p_predicted).round() as u16));
        let loss = |p: &Prediction| p.loss.unwrap_or_else(|| -p.p_true.ln());
        self.loss.extend(said.iter().map(|p| (1e3 * loss(p)).round().min(MOST_LOSS) as u16));
    }

    fn truncate(&mut self, epochs: usize) {
        let len = epochs * self.rows.len();
        self.class.truncate(len);
        self.p.truncate(len);
        self.loss.truncate(len);
    }

    fn add_to(&self, archive: &mut Writing, name: &str, epochs: usize) -> std::io::Result<()> {
        let shape = [epochs, self.rows.len()];
        archive.add_array(&format!("{name}_rows"), &shape[1..], &self.rows)?;
        archive.add_array(&format!("{name}_predicted"), &shape, &self.class)?;
        archive.add_array(&format!("{name}_p_predicted_ten_thousandths"), &shape, &self.p)?;
        archive.add_array(&format!("{name}_loss_thousandths"), &shape, &self.loss)
    }

    fn read(archive: &mut Reading<'_>, name: &str, epochs: usize) -> Result<Self, String> {
        let (_, rows) = archive.array::<u32>(&format!("{name}_rows"))?;
        let shape = [epochs, rows.len()];
        Ok(Self {
            rows,
            class: of_shape(archive, &format!("{name}_predicted"), shape)?,
            p: of_shape(archive, &format!("{name}_p_predicted_ten_thousandths"), shape)?,
            loss: of_shape(archive, &format!("{name}_loss_thousandths"), shape)?,
        })
    }
}

/// An array that has this shape.
fn of_shape<T: npyz::Deserialize>(
    archive: &mut Reading<'_>,
    name: &str,
    shape: [usize; 2],
) -> Result<Vec<T>, String> {
    let (found, values) = archive.array(name)?;
    if found == shape { Ok(values) } else { Err(format!("{name} is {found:?}, expected {shape:?}")) }
}

impl ByEpoch {
    /// Adds an epoch.
    pub fn push(&mut self, epoch: u32, val: &[Prediction], test: &[Prediction]) {
        self.epochs.push(epoch);
        self.val.push(val);
        self.test.push(test);
    }

    /// Forgets the epochs after `last`.
    pub fn truncate(&mut self, last: u32) {
        self.epochs.retain(|&epoch| epoch <= last);
        self.val.truncate(self.epochs.len());
        self.test.truncate(self.epochs.len());
    }

    /// The bytes of the file.
    ///
    /// # Errors
    /// None that is known of.
    pub fn encode(&self) -> Result<Vec<u8>> {
        let write = || {
            // Level 1: the file is written anew after every epoch.
            let mut archive = Writing::new(1);
            let epochs = self.epochs.len();
            archive.add_array("epoch", &[epochs], &self.epochs)?;
            self.val.add_to(&mut archive, "val", epochs)?;
            self.test.add_to(&mut archive, "test", epochs)?;
            archive.finish()
        };
        write().map_err(Error::Pack)
    }

    /// From the bytes of the file at `path`.
    ///
    /// # Errors
    /// When they are no such file, or its arrays do not fit together.
    pub fn decode(path: &Path, bytes: &[u8]) -> Result<Self> {
        let read = || {
            let mut archive = Reading::new(bytes)?;
            let (_, epochs) = archive.array::<u32>("epoch")?;
            let val = Predicted::read(&mut archive, "val", epochs.len())?;
            let test = Predicted::read(&mut archive, "test", epochs.len())?;
            Ok(Self { epochs, val, test })
        };
        read().map_err(|what| Error::File { path: path.to_owned(), what })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(predicted: u8, loss: f64) -> Prediction {
        Prediction { label: 1, predicted, p_true: (-loss).exp(), p_predicted: 0.876_54, loss: Some(loss) }
    }

    fn made() -> ByEpoch {
        let mut made =
            ByEpoch { val: Predicted::of(&[3, 7]), test: Predicted::of(&[0]), ..ByEpoch::default() };
        made.push(4, &[said(1, 0.1314), said(2, 12.0)], &[said(0, 99.0)]);
        made.push(5, &[said(2, 0.5), said(1, 0.0)], &[said(1, 0.25)]);
        made
    }

    #[test]
    fn what_is_written_comes_back_in_thousandths() {
        let made = made();
        assert_eq!((&made.val.class, &made.val.loss), (&vec![1, 2, 2, 1], &vec![131, 12_000, 500, 0]));
        assert_eq!((&made.test.p, &made.test.loss), (&vec![8765, 8765], &vec![u16::MAX, 250]));
        let back = ByEpoch::decode(Path::new("x.npz"), &made.encode().unwrap()).unwrap();
        assert_eq!(back, made);
    }

    #[test]
    fn a_resumed_run_forgets_what_its_checkpoint_has_not() {
        let mut cut = made();
        cut.truncate(4);
        assert_eq!((cut.epochs.as_slice(), cut.val.class.len(), cut.test.loss.len()), (&[4][..], 2, 1));
        cut.push(5, &[said(2, 0.5), said(1, 0.0)], &[said(1, 0.25)]);
        assert_eq!(cut, made());
    }

    #[test]
    fn arrays_that_do_not_fit_are_named() {
        let mut short = made();
        short.val.rows.pop();
        // The writer itself refuses: more values than the shape says.
        assert!(short.encode().is_err());
        let error = ByEpoch::decode(Path::new("x.npz"), b"PK").unwrap_err().to_string();
        assert!(error.starts_with("x.npz: not an archive"), "{error}");
    }
}
