//! `data show`: the sheet holds the very bytes that training sees.

use fm_data::{Augment, Labelled, Prepared, epoch_order, idx};

use crate::made::{Place, Ran, command, run};

const SPEC: &str = "flip,shift3,erase8,mixup0.4";

fn show(place: &Place, out: &str, flags: &[&str]) -> Ran {
    let mut command = command();
    command.args(["data", "show", "--protocol", "notebook"]).arg("--dataset").arg(place.data());
    run(command.arg("--out").arg(place.out().join(out)).args(flags))
}

fn sheet(place: &Place, flags: &[&str]) -> String {
    show(place, "sheet.svg", flags).succeeds();
    std::fs::read_to_string(place.out().join("sheet.svg")).unwrap()
}

fn uris(sheet: &str) -> Vec<&str> {
    sheet.split('"').filter(|text| text.starts_with("data:image/png;base64,")).collect()
}

fn train(place: &Place) -> Labelled {
    let read = |name, kind| idx::parse(&place.read(name), kind).unwrap().1.to_vec();
    let images = read("train-images-idx3-ubyte", idx::IdxKind::Images);
    let labels = read("train-labels-idx1-ubyte", idx::IdxKind::Labels);
    Labelled::new(images, labels, fm_data::ImageShape { channels: 1, height: 28, width: 28 })
}

#[test]
fn originals_above_and_each_epoch_below() {
    let place = Place::new();
    std::fs::create_dir(place.out()).unwrap();
    let sheet = sheet(&place, &["--augment", SPEC, "--epochs", "2", "--count", "5", "--seed", "7"]);
    let file = train(&place);
    let all: Vec<u32> = (0..60).collect();
    let rows = &epoch_order(&all, 7, 1)[..5];
    let mut wanted = file.select(rows).images;
    let augment: Augment = SPEC.parse().unwrap();
    let mut seen = Prepared::default();
    for epoch in [1, 2] {
        augment.prepare(&file, rows, &all, 7, epoch, &mut seen);
        wanted.extend(&seen.pixels);
    }
    let wanted: Vec<String> =
        wanted.chunks(784).map(|image| fm_report::data_uri(image, (28, 28)).unwrap()).collect();
    assert_eq!(uris(&sheet), wanted);
    let share = format!("{:.2} {}", 1.0 - seen.lambda[0], seen.partners[0]);
    assert!(sheet.contains(&format!("row {}", rows[0])) && sheet.contains(&share), "{share}");
}

#[test]
fn without_augmentation_the_originals_alone() {
    let place = Place::new();
    std::fs::create_dir(place.out()).unwrap();
    assert_eq!(uris(&sheet(&place, &["--count", "7"])).len(), 7);
    let ran = show(&place, "sheet.png", &["--augment", "shift2,flip", "--json"]);
    let said: serde_json::Value = serde_json::from_str(&ran.succeeds().out).unwrap();
    assert_eq!((said["augment"].as_str(), said["epochs"].as_u64()), (Some("flip,shift2"), Some(4)));
    assert_eq!(said["rows"].as_array().unwrap().len(), 8);
    assert!(std::fs::read(place.out().join("sheet.png")).unwrap().starts_with(b"\x89PNG"));
}

#[test]
fn what_does_not_fit_is_refused() {
    let place = Place::new();
    show(&place, "a.png", &["--augment", "flip,spin3"]).fails(2, &["unknown augmentation 'spin3'", "shiftN"]);
    show(&place, "a.png", &["--augment", "shift28"])
        .fails(2, &["shift28 does not fit images of 28x28: use at most shift27"]);
    show(&place, "a.gif", &[]).fails(2, &["--out must end in .png or .svg", "a.gif"]);
    show(&place, "a.png", &["--count", "0"]).fails(2, &["a sheet holds from 1 to 400 images"]);
    show(&place, "a.png", &["--augment", "flip", "--epochs", "400"]).fails(2, &["ask for 3208"]);
}
