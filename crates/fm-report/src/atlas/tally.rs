//! Sums over runs of what they predict for the images of a file that they did not train on.

use crate::by_epoch::Predicted;

/// Sums by image of one file.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Tally {
    pub(super) classes: usize,
    pub(super) epochs: usize,
    /// Runs that did not train on the image.
    pub(super) runs: Vec<u32>,
    /// How many named each class after their last epoch, `[images, classes]`.
    pub(super) named: Vec<u32>,
    /// Sum of the probabilities of the class that they named, by that class, `[images, classes]`.
    pub(super) p_named: Vec<f64>,
    /// Sum of the probabilities of the true class.
    pub(super) p_true: Vec<f64>,
    /// Sum of the losses.
    pub(super) loss: Vec<f64>,
    /// How many runs have learned the image with each epoch, and last how many never did: `[images, epochs + 1]`.
    pub(super) learned: Vec<u32>,
    /// How often an epoch was wrong after a right one.
    pub(super) forgotten: Vec<u32>,
}

impl Tally {
    pub(super) fn new(images: usize, classes: usize, epochs: usize) -> Self {
        let of = |len: usize| vec![0; images * len];
        Self {
            classes,
            epochs,
            runs: of(1),
            named: of(classes),
            p_named: vec![0.0; images * classes],
            p_true: vec![0.0; images],
            loss: vec![0.0; images],
            learned: of(epochs + 1),
            forgotten: of(1),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.runs.len()
    }

    /// Adds a run, by the labels of the file. What does not fit is told as a fragment.
    pub(super) fn add(&mut self, labels: &[u8], said: &Predicted) -> Result<(), String> {
        let count = said.rows.len();
        if said.class.len() != count * self.epochs {
            return Err(format!("it has not the {} epochs of the other runs", self.epochs));
        }
        if said.rows.iter().any(|&row| row as usize >= self.len())
            || said.class.iter().any(|&class| usize::from(class) >= self.classes)
        {
            return Err("it is about other images or classes".to_owned());
        }
        for (at, &row) in said.rows.iter().enumerate() {
            let (row, last) = (row as usize, (self.epochs - 1) * count + at);
            let class = usize::from(said.class[last]);
            self.runs[row] += 1;
            self.named[row * self.classes + class] += 1;
            self.p_named[row * self.classes + class] += f64::from(said.p[last]) / 1e4;
            let loss = f64::from(said.loss[last]) / 1e3;
            self.p_true[row] += (-loss).exp();
            self.loss[row] += loss;
            let right = (0..self.epochs).map(|epoch| said.class[epoch * count + at] == labels[row]);
            let (learned, forgotten) = course(right);
            self.learned[row * (self.epochs + 1) + learned] += 1;
            self.forgotten[row] += forgotten;
        }
        Ok(())
    }

    /// The sums of both.
    pub(super) fn with(&self, other: &Self) -> Self {
        fn add<T: Copy + std::ops::AddAssign>(a: &mut [T], b: &[T]) {
            a.iter_mut().zip(b).for_each(|(a, &b)| *a += b);
        }
        let mut sum = self.clone();
        add(&mut sum.runs, &other.runs);
        add(&mut sum.named, &other.named);
        add(&mut sum.p_named, &other.p_named);
        add(&mut sum.p_true, &other.p_true);
        add(&mut sum.loss, &other.loss);
        add(&mut sum.learned, &other.learned);
        add(&mut sum.forgotten, &other.forgotten);
        sum
    }
}

/// After how many wrong epochs a run was right for good, all of them where it is wrong in the end; and how often it was
/// wrong right after it was right.
fn course(right: impl Iterator<Item = bool>) -> (usize, u32) {
    let (mut learned, mut forgotten, mut before) = (0, 0, false);
    for (epoch, right) in right.enumerate() {
        if !right {
            learned = epoch + 1;
            forgotten += u32::from(before);
        }
        before = right;
    }
    (learned, forgotten)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn learned_for_good_and_forgotten_by_hand() {
        let of = |text: &str| course(text.bytes().map(|b| b == b'+'));
        assert_eq!(
            [of("+++"), of("-++"), of("+-+"), of("++-"), of("---")],
            [(0, 0), (1, 0), (2, 1), (3, 1), (3, 0)]
        );
        assert_eq!(of("+-+-+"), (4, 2));
    }

    #[test]
    fn sums_of_two_runs_by_hand() {
        let mut tally = Tally::new(3, 2, 2);
        let labels = [0, 1, 1];
        let loss = |p: f64| (-1e3 * p.ln()).round() as u16;
        let said = |rows: &[u32], class: &[u8], p: &[u16], p_true: &[f64]| Predicted {
            rows: rows.to_vec(),
            class: class.to_vec(),
            p: p.to_vec(),
            loss: p_true.iter().map(|&p| loss(p)).collect(),
        };
        // By epoch: first all rows of the first, then of the second.
        tally
            .add(&labels, &said(&[0, 2], &[0, 0, 0, 1], &[0, 0, 9000, 6000], &[0.1, 0.1, 0.9, 0.6]))
            .unwrap();
        tally.add(&labels, &said(&[2], &[1, 0], &[0, 7000], &[0.1, 0.3])).unwrap();
        assert_eq!(tally.runs, [1, 0, 2]);
        assert_eq!(tally.named, [1, 0, 0, 0, 1, 1]);
        assert_eq!(tally.learned, [1, 0, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!(tally.forgotten, [0, 0, 1]);
        assert!((tally.p_true[2] - 0.9).abs() < 1e-3 && (tally.p_named[4] - 0.7).abs() < 1e-9);
        assert_eq!(tally.with(&tally).runs, [2, 0, 4]);
        for wrong in [said(&[3], &[0; 2], &[0; 2], &[1.0; 2]), said(&[1], &[2, 0], &[0; 2], &[1.0; 2])] {
            assert_eq!(tally.add(&labels, &wrong).unwrap_err(), "it is about other images or classes");
        }
        let short = said(&[1], &[1], &[1], &[1.0]);
        assert_eq!(tally.add(&labels, &short).unwrap_err(), "it has not the 2 epochs of the other runs");
    }
}
