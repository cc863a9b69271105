//! `report` on runs made here. How it looks in a browser, `scripts/report_check.sh` shows.

use crate::made::{COMPOSED, Place, command, run};

#[test]
fn one_page_with_every_plot_and_nothing_from_elsewhere() {
    let place = Place::new();
    // Some that nobody can get right.
    place.labels("t10k", &(0..30).map(|i| if i < 5 { (i + 1) % 3 } else { i % 3 }).collect::<Vec<u8>>());
    for flags in [["--arch", "cnn"], ["--arch", "encoder-mlp"]] {
        for seed in ["0", "1"] {
            place
                .run(&[&flags[..], &["--seed", seed, "--epochs", "3", "--score-at", "1"]].concat())
                .succeeds();
        }
    }
    place.run(&[&COMPOSED[..], &["--epochs", "3"]].concat()).succeeds();
    let ran = run(command().arg("report").arg(place.out()));
    let dir = place.out().join("report");
    assert_eq!(ran.succeeds().out.trim_end(), dir.join("report.html").display().to_string());
    let html = std::fs::read_to_string(dir.join("report.html")).unwrap();
    let elsewhere = html.replace("http://www.w3.org/2000/svg", "");
    for piece in ["http:", "https:", "@import", "url(//", "<iframe", " src=\"/"] {
        assert!(!elsewhere.contains(piece), "{piece}");
    }
    let plots = [
        "differences",
        "seeds",
        "train-loss",
        "val-loss",
        "train-accuracy",
        "val-accuracy",
        "accuracy-epochs",
        "accuracy-seconds",
        "calibration",
        "recall",
        "confusion-cnn",
        "confusion-encoder-mlp-joint",
        "difference-encoder-mlp-joint-cnn",
    ];
    for plot in plots {
        let svg = std::fs::read_to_string(dir.join(format!("{plot}.svg"))).unwrap();
        assert!(svg.starts_with("<svg") && svg.contains("<title>"), "{plot}");
    }
    assert_eq!(html.matches("<figure").count(), html.matches("<figcaption").count());
    assert_eq!(
        html.matches("<figure").count(),
        10 + 3 + 2,
        "three groups: as many matrices, two differences"
    );
    for piece in ["undecided", "beats", "equivalent within", "takes at least two seeds"] {
        if html.contains(piece) {
            break;
        }
        assert_ne!(piece, "takes at least two seeds", "no verdict");
    }
    for piece in [
        "encoder-mlp frozen on autoencoder",
        "data:image/png;base64,",
        "<td data-value",
        "precision, cnn",
        "holdout",
        "per 1,000 of the true class",
        "not tested",
        "fm-exp --device cpu",
    ] {
        assert!(html.contains(piece), "{piece}");
    }
    // Without the data set it has no example images, and says so.
    let moved = place.data().with_extension("moved");
    std::fs::rename(place.data(), &moved).unwrap();
    let ran = run(command().arg("report").arg(place.out()).arg("--out").arg(moved.join("r")));
    assert!(ran.succeeds().err.contains("no example images"), "{}", ran.err);
    assert!(
        std::fs::read_to_string(moved.join("r/report.html")).unwrap().contains("the images are not at hand")
    );
}
