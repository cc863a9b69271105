//! Where the noise of one model's accuracy comes from: other networks, single images that flip from seed to seed, or
//! other test images.
//!
//! The same analysis of variance as in [`crossed`](mod@super::crossed), of one model. That most of the variance over
//! seeds is flicker on the test set and says nothing of the networks is Jordan's finding (2023,
//! <https://arxiv.org/abs/2304.01910>).

use super::crossed::Sums;
use super::outcomes::OutcomesError;

/// Standard deviations of an accuracy, in shares of 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Noise {
    /// Of runs with other seeds on this test set. Its square is that of `networks` and of `flicker` together, unless
    /// the seeds differ less than flicker alone makes them.
    pub seeds: f64,
    /// Of runs with other seeds on a test set without end: how far the networks themselves differ.
    pub networks: f64,
    /// Of runs with other seeds because single images of a finite test set flip.
    pub flicker: f64,
    /// Of the mean over all seeds on other test sets of this size.
    pub images: f64,
}

impl Noise {
    /// What each part is called, and its standard deviation.
    #[must_use]
    pub fn parts(&self) -> [(&'static str, f64); 3] {
        [("other networks", self.networks), ("flicker", self.flicker), ("other test images", self.images)]
    }
}

/// Splits the noise of runs, for each of which `true` says that an image was classified correctly. None with fewer
/// than two runs or two images.
///
/// # Errors
/// When runs were tested on different numbers of images.
pub fn noise(runs: &[&[bool]]) -> Result<Option<Noise>, OutcomesError> {
    let Some(first) = runs.first() else { return Ok(None) };
    if let Some(other) = runs.iter().find(|run| run.len() != first.len()) {
        return Err(OutcomesError::ItemsDiffer(first.len(), other.len()));
    }
    let mut sums = Sums::new(first.len());
    for run in runs {
        sums.push(run.iter().map(|&right| f64::from(u8::from(right))));
    }
    let (seeds, images) = (runs.len() as f64, first.len() as f64);
    Ok(sums.variances().map(|v| {
        let flicker = v.remainder / images;
        Noise {
            seeds: v.seeds.sqrt(),
            networks: (v.seeds - flicker).max(0.0).sqrt(),
            flicker: flicker.sqrt(),
            images: ((v.items - v.remainder / seeds).max(0.0) / images).sqrt(),
        }
    }))
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::{Rng, SeedableRng};

    use super::*;

    /// Two-way analysis of variance of three seeds and four images, by hand: seeds' means 3/4, 1/2, 1/4 (variance
    /// 1/16), images' means 1, 2/3, 1/3, 0 (variance 5/27). Squares: total 3, of seeds 1/2, of images 5/3, so that
    /// 5/6 remain over 6 degrees of freedom.
    #[test]
    fn equals_an_analysis_of_variance_by_hand() {
        let runs: [&[bool]; 3] =
            [&[true, true, true, false], &[true, true, false, false], &[true, false, false, false]];
        let noise = noise(&runs).unwrap().unwrap();
        let remainder: f64 = 5.0 / 36.0;
        let expected = [
            (noise.seeds, 1.0 / 16.0),
            (noise.flicker, remainder / 4.0),
            (noise.networks, 1.0 / 16.0 - remainder / 4.0),
            (noise.images, (5.0 / 27.0 - remainder / 3.0) / 4.0),
        ];
        for (found, variance) in expected {
            assert!((found - variance.sqrt()).abs() < 1e-12, "{noise:?}");
        }
    }

    /// Images of which each is right with a chance of its own, shifted by its network: the parts are found again.
    #[test]
    fn finds_the_components_that_made_the_runs() {
        const RUNS: usize = 60;
        const IMAGES: usize = 4000;
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut between =
            |low: f64, high: f64| low + (high - low) * f64::from(rng.next_u32()) / 2_f64.powi(32);
        let chances: Vec<f64> = (0..IMAGES).map(|_| between(0.2, 0.8)).collect();
        let rows: Vec<Vec<bool>> = (0..RUNS)
            .map(|_| {
                let shift = between(-0.02, 0.02);
                chances.iter().map(|chance| between(0.0, 1.0) < chance + shift).collect()
            })
            .collect();
        let rows: Vec<&[bool]> = rows.iter().map(Vec::as_slice).collect();
        let noise = noise(&rows).unwrap().unwrap();
        let n = IMAGES as f64;
        // A uniform number from -a to a has the variance a²/3; of the chances' products the mean is 1/4 - 0.03.
        let expected = [
            (noise.networks, 0.02 / 3_f64.sqrt()),
            (noise.flicker, (0.22 / n).sqrt()),
            (noise.images, (0.03 / n).sqrt()),
        ];
        for (found, made) in expected {
            assert!((found / made - 1.0).abs() < 0.25, "{noise:?}, not {expected:?}");
        }
    }

    #[test]
    fn one_run_has_no_noise_and_runs_of_different_tests_are_refused() {
        assert_eq!(noise(&[&[true, false]]), Ok(None));
        assert_eq!(noise(&[]), Ok(None));
        assert_eq!(noise(&[&[true, false], &[true]]), Err(OutcomesError::ItemsDiffer(2, 1)));
    }
}
