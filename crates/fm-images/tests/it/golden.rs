//! Augmented images against torchvision's operators; `scripts/golden/augment.py` wrote the file.

use fm_images::augment::{Augment, Prepared};
use fm_images::{ImageShape, Labelled};
use serde_json::Value;

fn numbers(value: &Value) -> Vec<u64> {
    value.as_array().unwrap().iter().map(|number| number.as_u64().unwrap()).collect()
}

/// Images in hexadecimal, one behind the other.
fn bytes(value: &Value) -> Vec<u8> {
    let text: String = value.as_array().unwrap().iter().map(|image| image.as_str().unwrap()).collect();
    (0..text.len() / 2).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap()).collect()
}

#[test]
fn torchvision_makes_the_same_bytes() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("../golden/augment.json")).unwrap();
    assert_eq!(cases.len(), 7);
    for case in cases {
        let [channels, height, width] = numbers(&case["shape"])[..] else { panic!("a shape of three") };
        let shape =
            ImageShape { channels: channels as usize, height: height as usize, width: width as usize };
        let small = |key: &str| numbers(&case[key]).into_iter().map(|n| n as u8).collect::<Vec<_>>();
        let rows = |key: &str| numbers(&case[key]).into_iter().map(|n| n as u32).collect::<Vec<_>>();
        let file = Labelled::new(bytes(&case["images"]), small("labels"), shape);
        let text = case["augment"].as_str().unwrap();
        let (seed, epoch) = (case["seed"].as_u64().unwrap(), case["epoch"].as_u64().unwrap() as u32);
        let augment: Augment = text.parse().unwrap();
        augment.check(shape).unwrap();
        let mut out = Prepared::default();
        augment.prepare(&file, &rows("rows"), &rows("training"), seed, epoch, &mut out);
        assert_eq!(out.pixels, bytes(&case["pixels"]), "{text}");
        assert_eq!(out.labels, file.select(&rows("rows")).labels, "{text}");
        assert_eq!(out.partners, small("partners"), "{text}");
        let lambda: Vec<f32> = rows("shares").into_iter().map(|share| share as f32 / 65536.0).collect();
        assert_eq!(out.lambda, lambda, "{text}");
    }
}
