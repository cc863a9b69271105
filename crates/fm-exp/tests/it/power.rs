//! `fm-exp power` and `sweep plan --detect` on the published sweep of ten seeds.

use std::path::{Path, PathBuf};

use crate::made::{Place, Ran, command, run};

fn published() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../results/sweep-cpu")
}

fn power(flags: &[&str]) -> Ran {
    run(command().arg("power").arg(published()).args(flags))
}

#[test]
fn seeds_hours_and_the_floor_of_the_images() {
    let json = power(&["--detect", "0.5", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json.succeeds().out).unwrap();
    let pair = &json["pairs"][0];
    let number = |value: &serde_json::Value| value.as_u64().unwrap_or_else(|| panic!("{pair}"));
    let (low, seeds, high) = (number(&pair["range"][0]), number(&pair["seeds"]), number(&pair["range"][1]));
    assert!(2 < low && low < seeds && seeds < high, "{pair}");
    let hours = pair["seconds_a_run"].as_array().unwrap().iter().map(|s| s.as_f64().unwrap()).sum::<f64>()
        * seeds as f64
        / 3600.0;
    assert!((pair["hours"].as_f64().unwrap() - hours).abs() < 1e-9);
    let floor = pair["floor"].as_f64().unwrap();
    assert!((0.001..0.005).contains(&floor), "{pair}");

    // Smaller differences take more, until the images hide them.
    let smaller = power(&["--detect", "0.45", "--json"]);
    let smaller: serde_json::Value = serde_json::from_str(&smaller.succeeds().out).unwrap();
    assert!(number(&smaller["pairs"][0]["seeds"]) > seeds);
    let never = power(&["--detect", "0.1"]);
    assert!(never.succeeds().out.contains("no number of seeds finds 0.1 points"), "{}", never.out);
}

#[test]
fn a_plan_takes_the_upper_end_of_the_range() {
    let json = power(&["--detect", "0.8", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json.succeeds().out).unwrap();
    let high = json["pairs"][0]["range"][1].as_u64().unwrap();
    let place = Place::new();
    let plan = |detect: &str, more: &[&str]| {
        let mut plan = command();
        plan.args(["sweep", "plan", "--arch", "cnn", "--set", "device=cpu", "--dataset"]).arg(place.data());
        run(plan.args(["--detect", detect, "--pilot"]).arg(published()).args(more))
    };
    let made: serde_json::Value = serde_json::from_str(&plan("0.8", &[]).succeeds().out).unwrap();
    assert_eq!(made["runs"].as_array().unwrap().len() as u64, high);
    plan("0.1", &[]).fails(2, &["no number of seeds finds 0.1 points", "test images alone hide"]);
    plan("0.8", &["--seeds", "0..3"]).fails(2, &["--seeds"]);
}
