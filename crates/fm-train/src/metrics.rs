//! Scores from logits, in `f64` on the host: one implementation for every engine and device.

use fm_images::{Labelled, pixel};
use fm_run::tables::{ClassScores, Prediction, class_scores, macro_f1};

/// How a model did on a set of labelled images.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    /// Mean cross-entropy, natural logarithm.
    pub loss: f64,
    /// Share classified correctly.
    pub accuracy: f64,
    /// Brier score (1950): the mean over images of the squared distance of the classes' probabilities from the true class,
    /// from 0 to 2.
    pub brier: f64,
    /// Number of classes.
    pub classes: usize,
    /// Counts `[true][predicted]`, row-major.
    pub confusion: Vec<u64>,
    /// One entry per image, in the order of the rows.
    pub predictions: Vec<Prediction>,
}

impl Scores {
    /// Scores row-major `logits` `[labels.len(), classes]` against `labels`.
    ///
    /// # Panics
    /// When the lengths do not fit or a label is not a class: bugs of the caller.
    #[must_use]
    pub fn new(logits: &[f32], labels: &[u8], classes: usize) -> Self {
        assert_eq!(logits.len(), labels.len() * classes, "one row of logits per label");
        let mut confusion = vec![0; classes * classes];
        let (mut loss_sum, mut brier_sum) = (0.0, 0.0);
        let mut predictions = Vec::with_capacity(labels.len());
        for (row, &label) in logits.chunks_exact(classes).zip(labels) {
            let (predicted, &max) = row
                .iter()
                .enumerate()
                .fold((0, &row[0]), |best, next| if next.1 > best.1 { next } else { best });
            let exp_sum: f64 = row.iter().map(|&z| f64::from(z - max).exp()).sum();
            let log_p = |class: usize| f64::from(row[class] - max) - exp_sum.ln();
            let (log_true, log_predicted) = (log_p(usize::from(label)), log_p(predicted));
            loss_sum -= log_true;
            confusion[usize::from(label) * classes + predicted] += 1;
            let (p_true, p_predicted) = (log_true.exp(), log_predicted.exp());
            let squares: f64 = (0..classes).map(|class| log_p(class).exp().powi(2)).sum();
            brier_sum += squares - 2.0 * p_true + 1.0;
            let loss = Some(-log_true);
            predictions.push(Prediction { label, predicted: predicted as u8, p_true, p_predicted, loss });
        }
        let n = labels.len() as f64;
        let correct: u64 = (0..classes).map(|c| confusion[c * classes + c]).sum();
        let (loss, brier, accuracy) = (loss_sum / n, brier_sum / n, correct as f64 / n);
        Self { loss, accuracy, brier, classes, confusion, predictions }
    }

    /// Precision, recall and F1 of each class.
    #[must_use]
    pub fn per_class(&self) -> Vec<ClassScores> {
        class_scores(&self.confusion.chunks(self.classes).collect::<Vec<_>>())
    }

    /// Mean F1 over the classes that have one.
    #[must_use]
    pub fn macro_f1(&self) -> f64 {
        macro_f1(&self.per_class())
    }

    /// The class with the lowest recall, and that recall.
    #[must_use]
    pub fn weakest(&self) -> Option<(usize, f64)> {
        let recalls = self.per_class().into_iter().enumerate().filter_map(|(c, s)| Some((c, s.recall?)));
        recalls.min_by(|a, b| a.1.total_cmp(&b.1))
    }
}

/// Pixels of one image from 0 to 1, the top-left `(height, width)` of each of its planes, row by row.
pub fn seen_pixels(
    images: &Labelled,
    row: u32,
    (height, width): (usize, usize),
) -> impl Iterator<Item = f32> {
    let planes = images.image(row as usize).chunks_exact(images.height * images.width);
    let lines = planes.flat_map(move |plane| plane.chunks_exact(images.width).take(height));
    lines.flat_map(move |line| line[..width].iter().map(|&byte| pixel(byte)))
}

/// Mean squared error of `outputs` `[rows, channels, height, width]` against the images that they reconstruct, over
/// pixels from 0 to 1 and images.
#[must_use]
pub fn reconstruction_loss(outputs: &[f32], images: &Labelled, rows: &[u32], size: (usize, usize)) -> f64 {
    let truth = rows.iter().flat_map(|&row| seen_pixels(images, row, size));
    let squares = outputs.iter().zip(truth).map(|(&out, pixel)| f64::from(out - pixel).powi(2));
    squares.sum::<f64>() / outputs.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_by_hand() {
        // Softmax of (ln 3, 0) is (0.75, 0.25).
        let a = 3.0_f32.ln();
        let scores = Scores::new(&[a, 0.0, a, 0.0, 0.0, a, 0.0, 0.0], &[0, 1, 1, 1], 2);
        assert_eq!(scores.confusion, [1, 0, 2, 1]);
        assert!((scores.accuracy - 0.5).abs() < 1e-12);
        let loss = -(0.75_f64.ln() + 0.25_f64.ln() + 0.75_f64.ln() + 0.5_f64.ln()) / 4.0;
        assert!((scores.loss - loss).abs() < 1e-7, "{} {loss}", scores.loss);
        // Twice the square of what the true class lacks of 1.
        let brier = 2.0 * (0.25_f64.powi(2) + 0.75_f64.powi(2) + 0.25_f64.powi(2) + 0.5_f64.powi(2)) / 4.0;
        assert!((scores.brier - brier).abs() < 1e-7, "{} {brier}", scores.brier);
        assert_eq!(scores.predictions[3].predicted, 0, "the first of equals");
        assert!((scores.predictions[1].p_true - 0.25).abs() < 1e-7);
        assert!((scores.predictions[1].p_predicted - 0.75).abs() < 1e-7);
        let mean = scores.predictions.iter().filter_map(|p| p.loss).sum::<f64>() / 4.0;
        assert!((mean - loss).abs() < 1e-7, "the loss comes back from the images");
        // A probability that no decimals show has a loss.
        let sure = Scores::new(&[0.0, 200.0], &[0], 2).predictions[0];
        assert!(sure.p_true < 1e-80 && sure.loss.is_some_and(|loss| (loss - 200.0).abs() < 1e-6), "{sure:?}");

        let classes = scores.per_class();
        assert_eq!(
            (classes[0].recall, classes[0].precision, classes[0].support),
            (Some(1.0), Some(1.0 / 3.0), 1)
        );
        assert_eq!(
            (classes[1].recall, classes[1].precision, classes[1].f1),
            (Some(1.0 / 3.0), Some(1.0), Some(0.5))
        );
        assert_eq!(scores.weakest(), Some((1, 1.0 / 3.0)));
        assert!((scores.macro_f1() - 0.5).abs() < 1e-12);
    }

    #[test]
    fn reconstruction_by_hand() {
        // Two images of 2×3, of which the left 2×2 are seen.
        let images = Labelled {
            images: (0..12).map(|v| v * 17).collect(),
            labels: vec![0; 2],
            channels: 1,
            height: 2,
            width: 3,
        };
        let seen: Vec<f32> = seen_pixels(&images, 1, (2, 2)).collect();
        let tone = |v: u8| pixel(v * 17);
        assert_eq!(seen, [6, 7, 9, 10].map(tone));
        let off: Vec<f32> = seen.iter().map(|v| v + 0.5).collect();
        assert!((reconstruction_loss(&off, &images, &[1], (2, 2)) - 0.25).abs() < 1e-7);
    }

    #[test]
    fn every_plane_is_seen() {
        let images =
            Labelled { images: (0..12).collect(), labels: vec![0], channels: 2, height: 2, width: 3 };
        let seen: Vec<f32> = seen_pixels(&images, 0, (1, 2)).collect();
        assert_eq!(seen, [0, 1, 6, 7].map(pixel));
        assert!(reconstruction_loss(&seen, &images, &[0], (1, 2)).abs() < 1e-12);
    }

    #[test]
    fn huge_logits_stay_finite_and_absent_classes_have_no_score() {
        let scores = Scores::new(&[1e30, -1e30, 0.0], &[0], 3);
        assert!(scores.loss.abs() < 1e-12);
        assert_eq!(
            scores.per_class()[2],
            ClassScores { precision: None, recall: None, f1: None, support: 0 }
        );
        assert!((scores.macro_f1() - 1.0).abs() < 1e-12);
    }
}
