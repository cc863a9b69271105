//! Data that looks like a run's.

use fm_run::tables::{Confusion, EpochRow};

/// The notebook's ten classes.
pub(crate) const CLASSES: [&str; 10] = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];

/// The notebook's `cnn` after 50 epochs, accuracy 0.8876.
pub(crate) const CNN: [[u64; 10]; 10] = [
    [861, 0, 24, 19, 7, 2, 79, 0, 8, 0],
    [3, 974, 4, 13, 4, 0, 2, 0, 0, 0],
    [19, 0, 820, 17, 82, 0, 62, 0, 0, 0],
    [31, 12, 18, 875, 37, 0, 27, 0, 0, 0],
    [2, 1, 43, 23, 876, 0, 54, 0, 1, 0],
    [2, 0, 0, 0, 0, 976, 0, 14, 1, 7],
    [136, 1, 72, 33, 127, 0, 625, 0, 6, 0],
    [0, 0, 0, 0, 0, 10, 0, 974, 0, 16],
    [7, 0, 5, 3, 11, 5, 9, 1, 958, 1],
    [1, 0, 0, 0, 1, 10, 0, 51, 0, 937],
];

/// The notebook's `encoder-mlp`, accuracy 0.9077.
pub(crate) const ENCODER_MLP: [[u64; 10]; 10] = [
    [843, 1, 25, 10, 7, 1, 110, 0, 3, 0],
    [0, 984, 2, 7, 3, 0, 2, 0, 2, 0],
    [19, 0, 850, 10, 64, 2, 55, 0, 0, 0],
    [21, 8, 7, 891, 36, 2, 33, 0, 2, 0],
    [2, 0, 35, 21, 886, 0, 54, 0, 1, 1],
    [0, 0, 0, 0, 0, 981, 0, 13, 0, 6],
    [88, 1, 67, 27, 64, 1, 745, 0, 7, 0],
    [0, 1, 0, 0, 0, 14, 0, 959, 0, 26],
    [6, 0, 5, 3, 4, 2, 2, 2, 975, 1],
    [0, 0, 1, 0, 0, 6, 0, 30, 0, 963],
];

pub(crate) fn confusion(counts: &[[u64; 10]; 10]) -> Confusion {
    let counts = counts.iter().map(|row| row.to_vec()).collect();
    Confusion::new(CLASSES.map(str::to_owned).to_vec(), counts).unwrap()
}

/// A made-up matrix of `n` classes named by `name`: mostly right, errors to near classes.
pub(crate) fn confusion_of(n: usize, name: impl Fn(usize) -> String) -> Confusion {
    let count = |t: usize, p: usize| match t.abs_diff(p) {
        0 => 800 - (t * 37 % 200) as u64,
        1 => 40 + (t * 13 % 60) as u64,
        d if (t * 7 + p * 11).is_multiple_of(d + 2) => 9,
        _ => 0,
    };
    let counts = (0..n).map(|t| (0..n).map(|p| count(t, p)).collect()).collect();
    Confusion::new((0..n).map(name).collect(), counts).unwrap()
}

/// Learning curves that overfit as `cnn` does: training loss falls to nothing, validation loss turns at
/// about a fifth of `epochs`.
pub(crate) fn learning(epochs: u32, validated: bool) -> Vec<EpochRow> {
    let row = |epoch: u32| {
        let (e, noise) = (f64::from(epoch), (f64::from(epoch) * 12.9898).sin() * 0.006);
        let train_loss = 0.03 + 0.55 * (-e / 9.0).exp() + 0.25 * (-e * 1.3).exp() + noise;
        let val_loss = 0.27 + 0.35 * (-e / 2.5).exp() + 0.0006 * (e - 8.0).max(0.0).powf(1.8) + 3.0 * noise;
        EpochRow {
            run_id: "00c0ffee00c0ffee".to_owned(),
            arch: "cnn".to_owned(),
            seed: 0,
            phase: "train".to_owned(),
            epoch,
            train_loss,
            train_acc: Some(0.992 - 0.19 * (-e / 9.0).exp() - 0.1 * (-e * 1.3).exp() - noise / 3.0),
            val_loss: validated.then_some(val_loss),
            val_acc: validated.then_some(0.908 - 0.08 * (-e / 3.5).exp() - noise / 2.0),
            lr: 1e-3,
            trainable_params: 65_354,
            train_seconds: 8.1,
            eval_seconds: validated.then_some(0.4),
            images_per_second: Some(6_800.0),
            ema: (None, None),
            mean: (None, None),
        }
    };
    (1..=epochs).map(row).collect()
}

/// The same in three phases, the first of which reconstructs images and has no accuracy.
pub(crate) fn phases(names: [&str; 3], epochs: [u32; 3]) -> Vec<EpochRow> {
    let mut rows = learning(epochs.iter().sum(), true);
    for row in &mut rows {
        let phase =
            if row.epoch <= epochs[0] { 0 } else { 1 + usize::from(row.epoch > epochs[0] + epochs[1]) };
        names[phase].clone_into(&mut row.phase);
        if phase == 0 {
            row.train_loss /= 20.0;
            row.val_loss = row.val_loss.map(|loss| loss / 20.0);
            (row.train_acc, row.val_acc) = (None, None);
        }
    }
    rows
}
