//! Loss, Brier score and temperature against scikit-learn and PyTorch: `scripts/golden-stats/calibration.sh` makes the file.

use fm_train::metrics::Scores;
use fm_train::temperature::Scaled;
use serde_json::Value;

#[test]
fn scores_and_temperature_are_those_of_scikit_learn_and_pytorch() {
    let golden: Value = serde_json::from_str(include_str!("../golden/calibration.json")).unwrap();
    for case in golden["cases"].as_array().unwrap() {
        let floats = |key: &str| {
            let all = case[key].as_array().unwrap().iter();
            all.map(|v| v.as_f64().unwrap() as f32).collect::<Vec<_>>()
        };
        let labels = |key: &str| {
            let all = case[key].as_array().unwrap().iter();
            all.map(|v| v.as_u64().unwrap() as u8).collect::<Vec<_>>()
        };
        let classes = case["classes"].as_u64().unwrap() as usize;
        let (fitted, logits) = (floats("fitted"), floats("logits"));
        let (truth, test) = (labels("fitted_labels"), labels("labels"));
        let close = |found: f64, expected: &Value, within: f64| {
            let expected = expected.as_f64().unwrap();
            assert!((found - expected).abs() < within * expected, "{found} instead of {expected}");
        };
        let plain = Scores::new(&logits, &test, classes);
        let scaled = Scaled::new((&fitted, &truth), (&logits, &test), classes);
        // Logits are 32-bit numbers, and so are their differences; LBFGS ends where the loss no longer falls.
        close(scaled.temperature, &case["temperature"], 1e-6);
        for (scores, expected, within) in
            [(plain, &case["as_it_is"], 1e-7), (scaled.test, &case["scaled"], 1e-6)]
        {
            close(scores.loss, &expected["loss"], within);
            close(scores.brier, &expected["brier"], within);
        }
    }
}
