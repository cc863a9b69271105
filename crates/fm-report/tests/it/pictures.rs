//! Pictures are well-formed, hold what they should, and no label lies on another, on a curve or outside.
//!
//! To look at them: `FM_REPORT_KEEP=DIR cargo test -p fm-report pictures`.

use fm_report::{Score, confusion_heatmap, curves, rasterize, scatter};
use fm_run::tables::{Confusion, EpochRow};
use resvg::tiny_skia::{Pixmap, Rect};
use resvg::usvg::{Group, Node, Options, TextChunk, Tree, fontdb};
use roxmltree::Document;

use crate::made;

fn gallery() -> Vec<(&'static str, String)> {
    let long = |i: usize| format!("a rather long class name, number {i}");
    let phases = |names, epochs| made::phases(names, epochs);
    let scored = |epoch, accuracy| Some(Score { epoch, loss: 0.41, accuracy });
    let letters: Vec<char> = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt".chars().collect();
    let cnn = "cnn · seed 0 · 50 epochs";
    let three = "encoder-mlp · seed 3 · three phases";
    vec![
        ("curves-50", curves(&made::learning(50, true), cnn, scored(50, 0.886))),
        ("curves-unvalidated", curves(&made::learning(50, false), cnn, scored(50, 0.888))),
        ("curves-5", curves(&made::learning(5, true), "cnn · seed 0 · 5 epochs", scored(3, 0.87))),
        ("curves-2", curves(&made::learning(2, true), "cnn · seed 0 · 2 epochs", scored(2, 0.86))),
        ("curves-1", curves(&made::learning(1, true), "cnn · seed 0 · 1 epoch", None)),
        ("curves-0", curves(&[], "cnn · seed 0", None)),
        (
            "curves-phases",
            curves(&phases(["autoencoder", "head", "fine-tune"], [10, 20, 20]), three, scored(50, 0.9)),
        ),
        (
            "curves-short",
            curves(
                &phases(["pretrain classifier", "frozen head", "all"], [1, 2, 30]),
                three,
                scored(20, 0.9),
            ),
        ),
        (
            "curves-late",
            curves(&phases(["autoencoder", "frozen head", "fine-tune"], [40, 8, 2]), three, None),
        ),
        ("confusion-cnn", confusion_heatmap(&made::confusion(&made::CNN), "cnn · seed 0")),
        ("confusion-mlp", confusion_heatmap(&made::confusion(&made::ENCODER_MLP), "encoder-mlp · seed 0")),
        ("confusion-2", confusion_heatmap(&made::confusion_of(2, |i| ["cat", "dog"][i].to_owned()), "two")),
        ("confusion-5", confusion_heatmap(&made::confusion_of(5, long), "long names")),
        ("confusion-26", confusion_heatmap(&made::confusion_of(26, long), "long names")),
        ("confusion-47", confusion_heatmap(&made::confusion_of(47, |i| letters[i].to_string()), "EMNIST")),
    ]
}

#[test]
fn all_are_xml_and_the_same_size_in_pixels() {
    for (name, svg) in gallery() {
        let document = Document::parse(&svg).unwrap_or_else(|error| panic!("{name}: {error}"));
        let png = rasterize(&svg, 2.0).unwrap();
        keep(&format!("{name}.svg"), svg.as_bytes());
        keep(&format!("{name}.png"), &png);
        let pixmap = Pixmap::decode_png(&png).unwrap();
        let side = |attribute| document.root_element().attribute(attribute).unwrap().parse::<u32>().unwrap();
        assert_eq!((pixmap.width(), pixmap.height()), (2 * side("width"), 2 * side("height")), "{name}");
        let ink = pixmap.pixels().iter().filter(|pixel| pixel.red() < 200).count();
        assert!(ink > 1_000, "{name}: {ink} pixels are drawn on");
    }
}

#[test]
fn no_label_touches_another_or_leaves_the_picture() {
    for (name, svg) in gallery() {
        let labels = labels(&svg);
        let tree = parse(&svg);
        assert!(!labels.is_empty());
        for (i, (text, a)) in labels.iter().enumerate() {
            let inside = a.left() >= 0.0 && a.top() >= 0.0;
            let inside = inside && a.right() <= tree.size().width() && a.bottom() <= tree.size().height();
            assert!(inside, "{name}: {text:?} leaves the picture");
            for (other, b) in &labels[i + 1..] {
                let apart = a.right() <= b.left()
                    || b.right() <= a.left()
                    || a.bottom() <= b.top()
                    || b.bottom() <= a.top();
                assert!(apart, "{name}: {text:?} touches {other:?}");
            }
        }
    }
}

#[test]
fn no_label_covers_a_curve() {
    for (name, svg) in gallery().into_iter().filter(|(name, _)| name.starts_with("curves")) {
        let document = Document::parse(&svg).unwrap();
        let curves = document.descendants().filter(|node| node.attribute("stroke-width") == Some("2"));
        for point in curves.flat_map(|curve| curve.attribute("points").unwrap().split(' ')) {
            let (x, y) = point.split_once(',').unwrap();
            let (x, y): (f32, f32) = (x.parse().unwrap(), y.parse().unwrap());
            for (text, label) in labels(&svg) {
                let within =
                    (label.left()..label.right()).contains(&x) && (label.top()..label.bottom()).contains(&y);
                assert!(!within, "{name}: {text:?} covers the curve at {x},{y}");
            }
        }
    }
}

#[test]
fn curves_say_what_they_show() {
    let texts = texts(&curves(&made::learning(50, true), "cnn · seed 0 · 50 epochs", None));
    for expected in [
        "cnn · seed 0 · 50 epochs",
        "loss",
        "accuracy",
        "training",
        "validation",
        "0.7843",
        "98.98 %",
        "epoch 11: 0.2607",
    ] {
        assert!(texts.iter().any(|text| text == expected), "{expected:?} in {texts:?}");
    }
    let unvalidated = self::texts(&curves(&made::learning(50, false), "t", None));
    assert!(
        !unvalidated.iter().any(|text| text == "validation" || text.contains("dashed")),
        "{unvalidated:?}"
    );
    assert!(self::texts(&curves(&[], "t", None)).contains(&"no epochs".to_owned()));
}

#[test]
fn curves_have_a_point_for_each_epoch_and_break_between_phases() {
    let lengths = |rows: &[EpochRow]| -> Vec<usize> {
        let svg = curves(rows, "t", None);
        let document = Document::parse(&svg).unwrap();
        let curves = document.descendants().filter(|node| node.attribute("stroke-width") == Some("2"));
        curves.map(|curve| curve.attribute("points").unwrap().split(' ').count()).collect()
    };
    assert_eq!(lengths(&made::learning(50, true)), [50; 4]);
    // Loss in three phases, then accuracy in two: training and validation each.
    assert_eq!(lengths(&made::phases(["a", "b", "c"], [10, 15, 5])), [10, 15, 5, 10, 15, 5, 15, 5, 15, 5]);
}

#[test]
fn values_that_are_no_numbers_leave_gaps() {
    let mut rows = made::learning(10, true);
    rows[4].val_loss = Some(f64::NAN);
    rows[5].train_loss = f64::INFINITY;
    let svg = curves(&rows, "t", None);
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
    rasterize(&svg, 1.0).unwrap();
}

#[test]
fn confusion_holds_every_class_count_and_recall() {
    let confusion = made::confusion(&made::CNN);
    let texts = texts(&confusion_heatmap(&confusion, "cnn"));
    let count = |wanted: &str| texts.iter().filter(|text| *text == wanted).count();
    for class in made::CLASSES {
        assert_eq!(count(class), 2, "{class} on both axes");
    }
    for cell in made::CNN.iter().flatten() {
        let expected = made::CNN.iter().flatten().filter(|other| *other == cell).count();
        assert_eq!(count(&cell.to_string()), expected, "{cell}");
    }
    assert_eq!((count("62.5 %"), count("97.4 %")), (1, 2));
    assert_eq!(count("accuracy 88.76 %  (8,876 of 10,000 images)"), 1);
}

#[test]
fn confusion_of_nothing_and_of_many_still_draws() {
    let empty = Confusion::new(vec!["a".to_owned(), "b".to_owned()], vec![vec![0, 0], vec![0, 0]]).unwrap();
    let texts = texts(&confusion_heatmap(&empty, "t"));
    assert!(texts.contains(&"no images".to_owned()) && texts.contains(&"–".to_owned()), "{texts:?}");
    let many = confusion_heatmap(&made::confusion_of(47, |i| i.to_string()), "t");
    assert!(!self::texts(&many).contains(&"800".to_owned()), "the count no longer fits");
    assert!(many.contains("<title>0, predicted 0: 800 ("), "but it is still told");
    rasterize(&confusion_heatmap(&Confusion::new(vec![], vec![]).unwrap(), "t"), 1.0).unwrap();
}

fn texts(svg: &str) -> Vec<String> {
    let document = Document::parse(svg).unwrap();
    let texts = document.descendants().filter(|node| node.has_tag_name("text"));
    texts.filter_map(|node| node.text()).map(str::to_owned).collect()
}

fn parse(svg: &str) -> Tree {
    let mut fonts = fontdb::Database::new();
    for font in ["Inter-Regular.otf", "Inter-SemiBold.otf"] {
        fonts.load_font_data(std::fs::read(format!("{}/assets/{font}", env!("CARGO_MANIFEST_DIR"))).unwrap());
    }
    Tree::from_str(svg, &Options { fontdb: fonts.into(), ..Options::default() }).unwrap()
}

/// Texts and the boxes of their ink; those that stand at a slant have boxes that say nothing and are left out.
fn labels(svg: &str) -> Vec<(String, Rect)> {
    fn collect(group: &Group, labels: &mut Vec<(String, Rect)>) {
        for node in group.children() {
            match node {
                Node::Group(group) => collect(group, labels),
                Node::Text(text) => {
                    let turn = text.abs_transform();
                    if turn.kx.abs() < 1e-6 || turn.sx.abs() < 1e-6 {
                        let content = text.chunks().iter().map(TextChunk::text).collect();
                        let shape = text.flattened().bounding_box().transform(turn).unwrap();
                        labels.push((content, shape));
                    }
                }
                _ => {}
            }
        }
    }
    let mut labels = Vec::new();
    collect(parse(svg).root(), &mut labels);
    labels
}

fn keep(file: &str, content: &[u8]) {
    if let Some(dir) = std::env::var_os("FM_REPORT_KEEP") {
        #[expect(clippy::disallowed_methods, reason = "for the developer's eyes")]
        std::fs::write(std::path::Path::new(&dir).join(file), content).unwrap();
    }
}

#[test]
fn a_map_of_many_classes_tells_each_by_colour_and_mark_and_names_it() {
    let names: Vec<String> = (0..47).map(|i| format!("class {i}")).collect();
    // Clouds on a spiral.
    let point = |i: usize| {
        let (class, turn) = (i % 47, (i % 47) as f64 * 0.7);
        let noise = |k: usize| ((i * k % 101) as f64 / 101.0 - 0.5) * 3.0;
        (turn.cos() * turn * 0.5 + noise(37), turn.sin() * turn * 0.5 + noise(53), class as u8)
    };
    let points: Vec<(f64, f64, u8)> = (0..4700).map(point).collect();
    let svg = scatter(&points, &names, ["pc 1", "pc 2"], "codes of 47 classes");
    keep("scatter-47.png", &rasterize(&svg, 1.5).unwrap());
    let document = Document::parse(&svg).unwrap();
    // In the legend and in the plot.
    for name in &names {
        let said = document.descendants().filter(|node| node.text() == Some(name) && node.is_text());
        assert_eq!(said.count(), 2, "{name}");
    }
    // The legend's marks, whose rim is white: no two are of one colour and one form.
    let mut marks: Vec<(String, usize)> = (document.descendants())
        .filter(|node| node.attribute("stroke") == Some("#ffffff") && node.attribute("fill").is_some())
        .map(|node| {
            let corners = node.attribute("points").map_or(0, |points| points.split(' ').count());
            // A square and a diamond have as many corners: the square's first two are level.
            let level = node.attribute("points").is_some_and(|points| {
                let heights: Vec<&str> = points.split(' ').filter_map(|at| at.split(',').nth(1)).collect();
                heights[0] == heights[1]
            });
            (node.attribute("fill").unwrap().to_owned(), 2 * corners + usize::from(level))
        })
        .collect();
    marks.sort();
    assert_eq!(marks.len(), 47);
    marks.dedup();
    assert_eq!(marks.len(), 47);
}
