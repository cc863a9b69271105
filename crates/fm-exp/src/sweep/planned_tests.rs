//! Plans that are refused.

use serde_json::json;

use super::*;

fn plan(name: &str, flags: &serde_json::Value) -> serde_json::Value {
    json!({ "format": 1, "data_sha256": "", "note": "",
        "runs": [{ "name": name, "run_id": "0123456789abcdef", "flags": flags }] })
}

fn parse(plan: &serde_json::Value) -> Result<SweepPlan, String> {
    SweepPlan::parse(plan.to_string().as_bytes())
}

#[test]
fn what_names_and_flags_may_be() {
    let good = plan("cnn", &json!({ "arch": "cnn", "epochs": 3, "score-at": [1, 2], "device": "cpu" }));
    assert_eq!(parse(&good).unwrap().runs[0].lengths(), [1, 2, 3]);
    for name in ["/elsewhere/x", "../x", "", ".x", "a\nb", "a\u{1b}[2J", &"x".repeat(201)] {
        assert!(parse(&plan(name, &json!({}))).unwrap_err().contains("name"), "{name:?}");
    }
    for (key, value) in [
        ("help", json!(true)),
        ("dry-run", json!(true)),
        ("config", json!("x")),
        ("resume", json!(true)),
        ("overwrite", json!(true)),
        ("out", json!("/")),
        ("name", json!("x")),
        ("expect-run-id", json!("x")),
    ] {
        let why = parse(&plan("a", &json!({ key: value }))).unwrap_err();
        assert!(why.contains(key) && why.contains("not for a plan"), "{why}");
    }
    for flags in [json!({ "epochs": -1 }), json!({ "epochs": 2, "score-at": ["x"] }), json!({ "lr": "x" })] {
        assert!(parse(&plan("a", &flags)).unwrap_err().contains("run \"a\": --"), "{flags}");
    }
}

#[test]
fn every_run_is_one() {
    let mut twice = plan("a", &json!({}));
    let run = twice["runs"][0].clone();
    twice["runs"].as_array_mut().unwrap().push(run);
    assert!(parse(&twice).unwrap_err().contains("two runs are called \"a\""));
    twice["runs"][1]["name"] = json!("b");
    assert!(parse(&twice).unwrap_err().contains("another run has its id"));
    twice["runs"][1]["run_id"] = json!("0123456789ABCDEF");
    assert!(parse(&twice).unwrap_err().contains("is no run's id"));
    for format in [0, 2] {
        twice["format"] = json!(format);
        assert!(parse(&twice).unwrap_err().contains("this build reads 1"));
    }
}

#[test]
fn a_plan_is_a_file() {
    let dir = tempfile::tempdir().unwrap();
    for path in [dir.path(), Path::new("/dev/zero")] {
        assert_eq!(SweepPlan::read(path).unwrap_err().exit_code(), 7, "{}", path.display());
    }
}
