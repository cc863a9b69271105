//! An atlas of made runs, of which the suspects are known.

use std::collections::BTreeSet;

use fm_run::tables::Prediction;
use fm_run::{Facts as RunFacts, RunSpec};

use super::*;
use crate::by_epoch::Predicted;

/// 40 training and 10 test images of two classes; the labels of 3 and 17 are wrong, and every run knows. A run of seed `s`
/// holds out the even or the odd ones; image 6 is learned in the second epoch, image 8 forgotten in it.
fn leave(place: &Path, seed: u64, arch: &str) {
    let spec = RunSpec { seed, arch: arch.parse().unwrap(), ..RunSpec::default() };
    let run = Identified {
        spec,
        facts: RunFacts { device: "cpu".to_owned(), engine: "fused".to_owned(), ..RunFacts::default() },
        provenance: toml::Table::new(),
    };
    let dir = place.join(format!("run{seed}"));
    store::create_dir(&dir).unwrap();
    store::write(&dir.join(files::CONFIG), run.to_toml().as_bytes()).unwrap();
    let rows: Vec<u32> = (0..40).filter(|row| row % 2 == seed as u32 % 2).collect();
    let say = |label: u8, right: bool, p: f64| {
        let predicted = if right { label } else { 1 - label };
        let p_true = if right { p } else { 1.0 - p };
        Prediction { label, predicted, p_true, p_predicted: p, loss: Some(-p_true.ln()) }
    };
    let mut said = ByEpoch {
        val: Predicted::of(&rows),
        test: Predicted::of(&(0..10).collect::<Vec<_>>()),
        ..ByEpoch::default()
    };
    for epoch in 1..=3 {
        let val = rows.iter().map(|&row| match row {
            3 | 17 => say((row % 2) as u8, false, 0.99),
            6 => say(0, epoch > 1, 0.8),
            8 => say(0, epoch != 2, 0.7),
            _ => say((row % 2) as u8, true, 0.9 + f64::from(row) / 1000.0),
        });
        let test = (0..10).map(|row| say((row % 2) as u8, row != 4, 0.95));
        said.push(epoch, &val.collect::<Vec<_>>(), &test.collect::<Vec<_>>());
    }
    store::write(&dir.join(files::PREDICTIONS_BY_EPOCH), &said.encode().unwrap()).unwrap();
    store::write(&dir.join(files::DONE), format!("{}\n", run.run_id()).as_bytes()).unwrap();
}

fn labels(n: u8) -> Vec<u8> {
    (0..n).map(|row| row % 2).collect()
}

#[test]
fn known_suspects_are_found_and_courses_are_told() {
    let place = tempfile::tempdir().unwrap();
    (0..6).for_each(|seed| leave(place.path(), seed, "cnn"));
    let (train, test) = (labels(40), labels(10));
    let runs = Runs::find(place.path()).unwrap();
    assert_eq!((runs.len(), runs.first().spec.seed), (6, 0));
    let atlas = runs.atlas([&train, &test], 2).unwrap();
    assert_eq!((atlas.epochs, &atlas.seeds[..]), (3, &[0, 1, 2, 3, 4, 5][..]));
    let suspects: BTreeSet<_> = atlas.suspects()[..2].iter().copied().collect();
    assert_eq!(suspects, [(0, 3), (0, 17)].into());
    assert_eq!(atlas.missed_by_all(), [4]);
    let [plain, wrong, learned, forgotten] = [0, 3, 6, 8].map(|row| &atlas.images[0][row]);
    assert_eq!((plain.runs, plain.correct, plain.learned, plain.agreement), (3, 1.0, Some(1), Some(1.0)));
    assert_eq!((wrong.correct, wrong.learned, &wrong.confusions[..]), (0.0, None, &[(0, 1.0)][..]));
    assert!((wrong.suspicion().unwrap() - 0.98).abs() < 1e-3);
    assert_eq!((learned.learned, learned.forgotten), (Some(2), 0.0));
    assert_eq!((forgotten.learned, forgotten.forgotten), (Some(3), 1.0));
    assert_eq!((plain.suspicion(), atlas.images[1][4].runs), (None, 6));
    // Runs that say the same of an image agree; the halves held out other training images and the same test images.
    assert_eq!(atlas.kappa[0], Some(1.0));
    assert!(atlas.halves.iter().all(|rho| (rho.unwrap() - 1.0).abs() < 1e-9), "{:?}", atlas.halves);

    let (header, rows) = atlas.image_rows();
    assert!(rows.len() == 50 && rows.iter().all(|row| row.len() == header.len()));
    assert_eq!(rows[3].join(","), "train,3,1,3,0.0000,0.0100,0,1.00,,,,0.00,1.00,0.9800");
    // 0.95 by its loss in thousandths.
    assert_eq!(rows[42].join(","), "test,2,0,6,1.0000,0.9503,,,,,1,0.00,1.00,");
    let names = ["boot", "shirt"].map(str::to_owned);
    let (_, rows) = atlas.suspect_rows(&atlas.suspects()[..1], &names);
    assert_eq!(rows[0].join(","), "1,train,3,1,shirt,0,boot,3,1.0000,0.9900,0.0100,0.9800");
}

#[test]
fn runs_that_do_not_belong_together_are_errors() {
    let place = tempfile::tempdir().unwrap();
    let none = Runs::find(place.path()).unwrap_err().to_string();
    assert!(none.contains("has predictions_by_epoch.npz"), "{none}");
    leave(place.path(), 0, "cnn");
    leave(place.path(), 1, "encoder-mlp");
    let error = Runs::find(place.path()).unwrap_err().to_string();
    assert!(error.contains("differ by more than their seed"), "{error}");
    std::fs::remove_file(place.path().join("run1/DONE")).unwrap();
    let runs = Runs::find(place.path()).unwrap();
    let short = labels(30);
    let error = runs.atlas([&short, &labels(10)], 2).unwrap_err().to_string();
    assert!(error.ends_with("predictions_by_epoch.npz: it is about other images or classes"), "{error}");
    let atlas = Runs::find(place.path()).unwrap().atlas([&labels(40), &labels(10)], 2).unwrap();
    assert_eq!((atlas.unfinished.len(), atlas.halves), (1, [None, None]));
    // Nobody held the odd ones out: they have a row without numbers.
    assert_eq!(atlas.image_rows().1[1].join(","), "train,1,1,0,,,,,,,,,,");
}
