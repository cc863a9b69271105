//! Pictures are well-formed, hold what they should and leave no label outside. To look at them:
//! `FM_REPORT_KEEP=DIR cargo test -p fm-report pictures`.

use fm_report::{Confusion, EpochRow, confusion_heatmap, curves, rasterize};
use roxmltree::Document;

use crate::made;

/// Every picture of the gallery, checked in what holds for all: XML, size, something drawn.
#[test]
fn gallery() {
    let long = |i: usize| format!("a rather long class name, number {i}");
    let characters: Vec<char> = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt".chars().collect();
    let curves_of = |rows: &[EpochRow], title: &str| curves(rows, title);
    let map = |confusion: &Confusion, title: &str| confusion_heatmap(confusion, title);
    let pictures = [
        ("curves-50", curves_of(&made::learning(50, true), "cnn · seed 0 · 50 epochs")),
        ("curves-unvalidated", curves_of(&made::learning(50, false), "cnn · seed 0 · 50 epochs")),
        ("curves-5", curves_of(&made::learning(5, true), "cnn · seed 0 · 5 epochs")),
        ("curves-1", curves_of(&made::learning(1, true), "cnn · seed 0 · 1 epoch")),
        ("curves-0", curves_of(&[], "cnn · seed 0")),
        (
            "curves-phases",
            curves_of(
                &made::phases(["autoencoder", "head", "fine-tune"], [10, 20, 20]),
                "encoder-mlp · seed 3 · 50 epochs",
            ),
        ),
        (
            "curves-short-phases",
            curves_of(
                &made::phases(["pretrain classifier", "frozen head", "all"], [1, 2, 30]),
                "encoder-mlp · seed 3 · 33 epochs",
            ),
        ),
        ("confusion-cnn", map(&made::confusion(&made::CNN), "cnn · seed 0")),
        ("confusion-encoder-mlp", map(&made::confusion(&made::ENCODER_MLP), "encoder-mlp · seed 0")),
        ("confusion-2", map(&made::confusion_of(2, |i| ["cat", "dog"][i].to_owned()), "binary · seed 0")),
        ("confusion-5-long", map(&made::confusion_of(5, long), "long names")),
        ("confusion-26-long", map(&made::confusion_of(26, long), "long names")),
        (
            "confusion-47",
            map(&made::confusion_of(47, |i| characters[i].to_string()), "emnist-balanced · seed 0"),
        ),
    ];
    for (name, svg) in pictures {
        let document = Document::parse(&svg).unwrap_or_else(|error| panic!("{name}: {error}"));
        let png = rasterize(&svg, 2.0).unwrap();
        keep(&format!("{name}.svg"), svg.as_bytes());
        keep(&format!("{name}.png"), &png);
        let pixmap = resvg::tiny_skia::Pixmap::decode_png(&png).unwrap();
        let side = |attribute| document.root_element().attribute(attribute).unwrap().parse::<u32>().unwrap();
        assert_eq!((pixmap.width(), pixmap.height()), (2 * side("width"), 2 * side("height")), "{name}");
    }
}

fn keep(file: &str, content: &[u8]) {
    if let Some(dir) = std::env::var_os("FM_REPORT_KEEP") {
        #[expect(clippy::disallowed_methods, reason = "for the developer's eyes")]
        std::fs::write(std::path::Path::new(&dir).join(file), content).unwrap();
    }
}
