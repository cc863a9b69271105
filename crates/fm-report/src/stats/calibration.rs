//! Whether a model is right as often as it is sure: reliability by bins of confidence, and the expected calibration
//! error (Naeini, Cooper & Hauskrecht 2015; with 15 bins of equal width, Guo, Pleiss, Sun & Weinberger 2017,
//! <https://arxiv.org/abs/1706.04599>).
//!
//! Confidence is the probability of the predicted class. The error is the mean over images of a bin's gap between
//! confidence and accuracy. Given which bins are over- and which underconfident, it is a mean of one number for each image
//! ([`calibration_parts`]), so [crossed effects](super::crossed_values) give its noise over seeds and test images as
//! they do for accuracy. Gaps have no sign, so noise makes it larger: on 10,000 images a model without any error has
//! some tenths of a percent.

/// How many bins.
pub const BINS: usize = 15;

/// Images of about one confidence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bin {
    /// Confidences in it are above this; the first bin has 0 as well.
    pub low: f64,
    /// The highest confidence.
    pub high: f64,
    /// How many images.
    pub images: usize,
    /// Mean confidence; none without images.
    pub confidence: Option<f64>,
    /// Share of them classified correctly; none without images.
    pub accuracy: Option<f64>,
}

impl Bin {
    /// Confidence less accuracy: above 0 where the model is overconfident, 0 without images.
    fn gap(&self) -> f64 {
        self.confidence.zip(self.accuracy).map_or(0.0, |(confidence, accuracy)| confidence - accuracy)
    }
}

/// The bin of a confidence.
fn place(confidence: f64) -> usize {
    ((confidence * BINS as f64).ceil() as usize).clamp(1, BINS) - 1
}

/// Sorts images into bins by confidence; of each, how sure the model was and whether it was right.
#[must_use]
pub fn reliability(said: &[(f64, bool)]) -> Vec<Bin> {
    let mut sums = [(0, 0.0, 0); BINS];
    for &(confidence, right) in said {
        let (images, sure, hits) = &mut sums[place(confidence)];
        *images += 1;
        *sure += confidence;
        *hits += usize::from(right);
    }
    let edge = |at: usize| at as f64 / BINS as f64;
    let bin = |(at, (images, sure, hits)): (usize, (usize, f64, usize))| {
        let mean = |sum: f64| (images > 0).then(|| sum / images as f64);
        Bin { low: edge(at), high: edge(at + 1), images, confidence: mean(sure), accuracy: mean(hits as f64) }
    };
    sums.into_iter().enumerate().map(bin).collect()
}

/// The expected calibration error, a share of 1; 0 without images.
#[must_use]
pub fn calibration_error(said: &[(f64, bool)]) -> f64 {
    let weighted: f64 = reliability(said).iter().map(|bin| bin.images as f64 * bin.gap().abs()).sum();
    if said.is_empty() { 0.0 } else { weighted / said.len() as f64 }
}

/// By image the part whose mean is the expected calibration error: confidence less right or wrong, the other way round in
/// bins that are underconfident.
#[must_use]
pub fn calibration_parts(said: &[(f64, bool)]) -> Vec<f64> {
    let signs: Vec<f64> = reliability(said).iter().map(|bin| bin.gap().signum()).collect();
    let part = |&(confidence, right): &(f64, bool)| {
        signs[place(confidence)] * (confidence - f64::from(u8::from(right)))
    };
    said.iter().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_and_their_error_by_hand() {
        // Two images at 0.9, one right; one at 0.3 that is right; one that is sure and right.
        let said = [(0.9, true), (0.9, false), (0.3, true), (1.0, true)];
        let bins = reliability(&said);
        assert_eq!((bins.len(), bins[13].images, bins[4].images, bins[14].images), (15, 2, 1, 1));
        assert_eq!((bins[13].accuracy, bins[0].accuracy), (Some(0.5), None));
        let error = (2.0 * 0.4 + 0.7 + 0.0) / 4.0;
        assert!((calibration_error(&said) - error).abs() < 1e-12);
        let parts = calibration_parts(&said);
        assert!((parts.iter().sum::<f64>() / 4.0 - error).abs() < 1e-12, "{parts:?}");
        assert_eq!([0.0, 1.0 / 15.0, 0.5, 1.0].map(place), [0, 0, 7, 14]);
        assert!(calibration_error(&[]).abs() < 1e-12);
    }
}
