//! Temperature scaling: one number that all logits are divided by, so that the loss on images kept aside is least (Guo,
//! Pleiss, Sun & Weinberger 2017, <https://arxiv.org/abs/1706.04599>). No class that is predicted changes.

use crate::metrics::Scores;

/// From where to where a temperature is sought.
const RANGE: (f64, f64) = (0.01, 100.0);

/// Test scores after temperature scaling.
#[derive(Debug, Clone, PartialEq)]
pub struct Scaled {
    /// Fitted on validation images.
    pub temperature: f64,
    /// The test set's scores, with logits divided by it.
    pub test: Scores,
}

impl Scaled {
    /// Fits a temperature on `fitted`, logits `[images, classes]` with their labels, and scores `scored` with it.
    ///
    /// # Panics
    /// As for [`Scores::new`].
    #[must_use]
    pub fn new(fitted: (&[f32], &[u8]), scored: (&[f32], &[u8]), classes: usize) -> Self {
        let temperature = temperature(fitted.0, fitted.1, classes);
        let logits: Vec<f32> = scored.0.iter().map(|&z| (f64::from(z) / temperature) as f32).collect();
        Self { temperature, test: Scores::new(&logits, scored.1, classes) }
    }
}

/// The temperature from 0.01 to 100 with the least mean cross-entropy of row-major `logits` `[labels.len(), classes]`.
///
/// The loss is convex in the temperature's inverse: Newton's method, held within the bounds that its slope has shown.
///
/// # Panics
/// When the lengths do not fit or a label is not a class: bugs of the caller.
#[must_use]
pub fn temperature(logits: &[f32], labels: &[u8], classes: usize) -> f64 {
    assert_eq!(logits.len(), labels.len() * classes, "one row of logits per label");
    let slope = |inverse: f64| slope(logits, labels, classes, inverse);
    let (mut low, mut high) = (1.0 / RANGE.1, 1.0 / RANGE.0);
    // Logits that separate all images, or say nothing, have no least loss within the bounds.
    if slope(high).0 < 0.0 {
        return RANGE.0;
    }
    if slope(low).0 > 0.0 {
        return RANGE.1;
    }
    let mut inverse = 1.0;
    for _ in 0..100 {
        let (slope, curvature) = slope(inverse);
        // Logits that say nothing, or the least loss itself.
        if slope.abs() <= f64::MIN_POSITIVE {
            break;
        }
        *(if slope > 0.0 { &mut high } else { &mut low }) = inverse;
        let step = inverse - slope / curvature;
        // Beyond the bounds, or no number: the middle, of ratios since it may be far.
        let next = if step > low && step < high { step } else { (low * high).sqrt() };
        let moved = (next / inverse - 1.0).abs();
        inverse = next;
        if moved < 1e-12 {
            break;
        }
    }
    1.0 / inverse
}

/// First and second derivative of the mean loss by the factor on logits: the mean logit by the softmax less that of the
/// true class, and its variance.
fn slope(logits: &[f32], labels: &[u8], classes: usize, factor: f64) -> (f64, f64) {
    let (mut first, mut second) = (0.0, 0.0);
    for (row, &label) in logits.chunks_exact(classes).zip(labels) {
        // From the largest on, as in the softmax.
        let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let from_max = |z: f32| f64::from(z) - f64::from(max);
        let (mut sum, mut mean, mut square) = (0.0, 0.0, 0.0);
        for &z in row {
            let z = from_max(z);
            let weight = (factor * z).exp();
            sum += weight;
            mean += weight * z;
            square += weight * z * z;
        }
        mean /= sum;
        first += mean - from_max(row[usize::from(label)]);
        second += square / sum - mean * mean;
    }
    let n = labels.len() as f64;
    (first / n, second / n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logits_that_are_too_sure_are_brought_back() {
        // Two classes, right in three of four: probabilities of 3/4 are best, whose logits differ by ln 3.
        let logits = [6.0_f32, 0.0, 6.0, 0.0, 6.0, 0.0, 6.0, 0.0];
        let labels = [0, 0, 0, 1];
        let t = temperature(&logits, &labels, 2);
        assert!((t - 6.0 / 3.0_f64.ln()).abs() < 1e-9, "{t}");
        let scaled = Scaled::new((&logits, &labels), (&logits, &labels), 2);
        assert!((scaled.test.predictions[0].p_true - 0.75).abs() < 1e-6);
        let before = Scores::new(&logits, &labels, 2);
        assert!(scaled.test.loss < before.loss && scaled.test.brier < before.brier);
        assert_eq!(scaled.test.confusion, before.confusion, "the same classes");
    }

    #[test]
    fn what_has_no_least_loss_ends_at_the_bounds() {
        assert!((temperature(&[1.0, 0.0, 0.0, 1.0], &[0, 1], 2) / RANGE.0 - 1.0).abs() < 1e-6, "all right");
        assert!((temperature(&[1.0, 0.0, 0.0, 1.0], &[1, 0], 2) / RANGE.1 - 1.0).abs() < 1e-6, "all wrong");
        assert!((temperature(&[0.0; 4], &[0, 1], 2) - 1.0).abs() < 1e-12, "nothing to scale");
        assert!(temperature(&[1e30, -1e30, 0.0, 1.0], &[0, 1], 2).is_finite(), "huge");
        assert!(temperature(&[1e30, -1e30, 0.0, 1.0], &[1, 1], 2).is_finite(), "huge and wrong");
    }
}
