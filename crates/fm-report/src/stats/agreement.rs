//! Agreement of runs on what images are (Fleiss 1971, "Measuring nominal scale agreement among many raters").

/// The chance that two runs, drawn from those that saw an image, name the same class, by how many named each class; none
/// with fewer than two runs. Fleiss' `P_i`.
#[must_use]
pub fn agreement(named: &[u32]) -> Option<f64> {
    let n: f64 = named.iter().copied().map(f64::from).sum();
    let pairs: f64 = named.iter().map(|&k| f64::from(k) * (f64::from(k) - 1.0)).sum();
    (n >= 2.0).then(|| pairs / (n * (n - 1.0)))
}

/// Fleiss' kappa of images, `[classes]` counts each: the mean [`agreement`] beyond what chance gives, as a share of what
/// is beyond chance. Images that fewer than two runs saw are left out; with numbers of runs that differ, chance is that of
/// all answers together. None where nothing is left or one class alone is named.
pub fn fleiss_kappa<'a>(images: impl Iterator<Item = &'a [u32]>) -> Option<f64> {
    let (mut sum, mut count, mut named) = (0.0, 0.0, Vec::new());
    for image in images {
        let Some(agreed) = agreement(image) else { continue };
        sum += agreed;
        count += 1.0;
        named.resize(named.len().max(image.len()), 0.0);
        named.iter_mut().zip(image).for_each(|(sum, &k)| *sum += f64::from(k));
    }
    let total: f64 = named.iter().sum();
    let chance: f64 = named.iter().map(|n| (n / total).powi(2)).sum();
    (count > 0.0 && chance < 1.0).then(|| (sum / count - chance) / (1.0 - chance))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agreement_by_hand() {
        // Of the six pairs of four runs three name the same.
        assert_eq!(agreement(&[3, 1]), Some(0.5));
        assert_eq!(agreement(&[0, 5]), Some(1.0));
        assert_eq!(agreement(&[1, 0]), None);
        assert_eq!(fleiss_kappa([&[2, 0][..], &[0, 2]].into_iter()), Some(1.0));
        assert_eq!(fleiss_kappa([&[2, 0][..]].into_iter()), None);
    }
}
