//! A confusion matrix and the scores that follow from it alone.

use thiserror::Error;

/// How often images of each true class were given each predicted one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confusion {
    classes: Vec<String>,
    /// `[true][predicted]`, square.
    counts: Vec<Vec<u64>>,
}

/// A matrix that is not square.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{classes} classes need {classes} rows of {classes} counts")]
pub struct NotSquare {
    /// How many class names there are.
    pub classes: usize,
}

impl Confusion {
    /// `counts[true][predicted]`, in the order of the names.
    ///
    /// # Errors
    /// When rows, columns and names are not equally many.
    pub fn new(classes: Vec<String>, counts: Vec<Vec<u64>>) -> Result<Self, NotSquare> {
        let n = classes.len();
        let square = counts.len() == n && counts.iter().all(|row| row.len() == n);
        if square { Ok(Self { classes, counts }) } else { Err(NotSquare { classes: n }) }
    }

    /// Names of the classes.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Counts by true class.
    pub fn rows(&self) -> &[Vec<u64>] {
        &self.counts
    }

    /// How many images there are.
    pub fn total(&self) -> u64 {
        self.counts.iter().flatten().sum()
    }

    /// How many images were classified correctly.
    pub fn correct(&self) -> u64 {
        self.counts.iter().enumerate().map(|(class, row)| row[class]).sum()
    }

    /// The share classified correctly; none if there are no images.
    pub fn accuracy(&self) -> Option<f64> {
        share(self.correct(), self.total())
    }

    /// Of the images of each class, the share found; none if the class has no image.
    pub fn recall(&self) -> Vec<Option<f64>> {
        self.by_class(|hits, support, _| share(hits, support))
    }

    /// Of the images predicted to be of each class, the share that are; none if none was predicted.
    pub fn precision(&self) -> Vec<Option<f64>> {
        self.by_class(|hits, _, predicted| share(hits, predicted))
    }

    /// The harmonic mean of precision and recall; none if the class neither occurs nor is predicted.
    pub fn f1(&self) -> Vec<Option<f64>> {
        self.by_class(|hits, support, predicted| share(2 * hits, support + predicted))
    }

    /// Each row's counts as shares of the row; zeros for a class without images.
    pub fn normalised(&self) -> Vec<Vec<f64>> {
        let normalise = |row: &Vec<u64>| {
            let support = row.iter().sum();
            row.iter().map(|&count| share(count, support).unwrap_or(0.0)).collect()
        };
        self.counts.iter().map(normalise).collect()
    }

    /// Calls `score` with hits, images of the class and predictions of it.
    fn by_class(&self, score: impl Fn(u64, u64, u64) -> Option<f64>) -> Vec<Option<f64>> {
        let predicted = |class: usize| self.counts.iter().map(|row| row[class]).sum();
        self.counts.iter().enumerate().map(|(c, row)| score(row[c], row.iter().sum(), predicted(c))).collect()
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_by_hand() {
        let names = ["a", "b", "never"].map(str::to_owned).to_vec();
        let confusion = Confusion::new(names, vec![vec![8, 2, 0], vec![4, 6, 0], vec![0, 0, 0]]).unwrap();
        assert_eq!(confusion.accuracy(), Some(0.7));
        assert_eq!(confusion.recall(), [Some(0.8), Some(0.6), None]);
        assert_eq!(confusion.precision(), [Some(8.0 / 12.0), Some(0.75), None]);
        assert_eq!(confusion.f1(), [Some(16.0 / 22.0), Some(12.0 / 18.0), None]);
        assert_eq!(confusion.normalised()[1], [0.4, 0.6, 0.0]);
        assert_eq!(confusion.normalised()[2], [0.0; 3]);
    }

    #[test]
    fn ragged_counts_are_refused() {
        let names = vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(Confusion::new(names, vec![vec![1, 2], vec![3]]), Err(NotSquare { classes: 2 }));
    }
}
