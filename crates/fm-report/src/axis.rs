//! Round numbers for an axis, and where a value lies on it.

/// A linear axis from values to pixels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    pub(crate) from: (f64, f64),
    pub(crate) to: (f64, f64),
}

impl Scale {
    pub(crate) fn at(&self, value: f64) -> f64 {
        let share = (value - self.from.0) / (self.from.1 - self.from.0);
        self.to.0 + share * (self.to.1 - self.to.0)
    }
}

/// Multiples of 1, 2 or 5 times a power of ten that enclose `low` to `high`, about `count` of them, and how
/// many decimals they need.
pub(crate) fn round_ticks(low: f64, high: f64, count: usize) -> (Vec<f64>, usize) {
    // One value alone gets room around it.
    let (low, high) = if high > low {
        (low, high)
    } else {
        (low - 0.5 * low.abs().max(0.1), high + 0.5 * high.abs().max(0.1))
    };
    let raw = (high - low) / count as f64;
    let power = 10_f64.powf(raw.log10().floor());
    let step =
        [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|&s| s >= raw * 0.999).unwrap_or(raw);
    let decimals = (-(step.log10() + 1e-9).floor()).max(0.0) as usize;
    // A hundredth of a step: a value that rounding pushed past a tick does not ask for another.
    let (first, last) = ((low / step + 0.01).floor() as i64, (high / step - 0.01).ceil() as i64);
    ((first..=last).map(|i| i as f64 * step).collect(), decimals)
}

/// Epochs to label: the first, the last and round ones between, about `count`.
pub(crate) fn epoch_ticks(first: u32, last: u32, count: u32) -> Vec<u32> {
    let span = last.saturating_sub(first);
    let steps = (0..9).flat_map(|power| [1, 2, 5].map(|m: u32| m * 10_u32.pow(power)));
    let step = steps.into_iter().find(|step| span / step <= count).unwrap_or(span.max(1));
    // A round one that would touch the first or the last label gives way.
    let clear =
        |epoch: &u32| *epoch > first && last - epoch >= step.div_ceil(2) && epoch - first >= step.div_ceil(2);
    let mut ticks = vec![first];
    ticks.extend((first / step..=last / step).map(|i| i * step).filter(|e| *e < last).filter(clear));
    if last > first {
        ticks.push(last);
    }
    ticks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_enclose_the_values_and_are_round() {
        let check = |low, high, expected: &[f64], decimals| {
            let (ticks, d) = round_ticks(low, high, 5);
            assert_eq!(ticks.len(), expected.len(), "{ticks:?}");
            assert!(ticks.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9), "{ticks:?}");
            assert_eq!(d, decimals);
        };
        check(0.0, 1.0, &[0.0, 0.2, 0.4, 0.6, 0.8, 1.0], 1);
        check(0.013, 0.61, &[0.0, 0.2, 0.4, 0.6, 0.8], 1);
        check(79.3, 98.9, &[75.0, 80.0, 85.0, 90.0, 95.0, 100.0], 0);
        check(0.0, 2300.0, &[0.0, 500.0, 1000.0, 1500.0, 2000.0, 2500.0], 0);
        let (flat, _) = round_ticks(0.5, 0.5, 5);
        assert!(flat[0] < 0.5 && flat[flat.len() - 1] > 0.5);
    }

    #[test]
    fn epochs_are_whole_and_hold_both_ends() {
        assert_eq!(epoch_ticks(1, 1, 6), [1]);
        assert_eq!(epoch_ticks(1, 5, 6), [1, 2, 3, 4, 5]);
        assert_eq!(epoch_ticks(1, 50, 6), [1, 10, 20, 30, 40, 50]);
        assert_eq!(epoch_ticks(1, 51, 6), [1, 10, 20, 30, 40, 51]);
        assert_eq!(epoch_ticks(1, 1000, 6), [1, 200, 400, 600, 800, 1000]);
    }

    #[test]
    fn scale_maps_ends_to_ends() {
        let scale = Scale { from: (0.0, 2.0), to: (100.0, 0.0) };
        let pairs = [(0.0, 100.0), (0.5, 75.0), (2.0, 0.0)];
        assert!(pairs.iter().all(|&(value, pixel)| (scale.at(value) - pixel).abs() < 1e-9));
    }
}
