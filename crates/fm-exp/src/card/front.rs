//! The card's YAML: what model hubs read.

use std::fmt::Write as _;

use serde_json::json;

use super::Facts;

/// The front matter with its fences. Every text is a JSON string, which YAML reads too.
pub(super) fn front(facts: &Facts<'_>) -> String {
    let mut out = String::from("---\nlibrary_name: fm-exp\npipeline_tag: image-classification\ntags:\n");
    let onnx = facts.beside.iter().any(|path| path.extension().is_some_and(|e| e == "onnx"));
    for tag in ["safetensors", "pytorch"].into_iter().chain(onnx.then_some("onnx")) {
        let _ = writeln!(out, "- {tag}");
    }
    let dataset = json!(facts.dataset());
    let _ = write!(
        out,
        "datasets:\n- {dataset}\nmetrics:\n- accuracy\n- f1\nmodel-index:\n- name: {}\n  results:\n  \
         - task:\n      type: image-classification\n    dataset:\n      name: {dataset}\n      type: {dataset}\n      \
         split: test\n    metrics:\n",
        json!(facts.name)
    );
    let shown = [("accuracy", "accuracy", "accuracy"), ("f1", "macro F1", "macro_f1")];
    let more = [("loss", "cross-entropy", "loss"), ("ece", "calibration error", "calibration_error")];
    for (kind, name, key) in shown.into_iter().chain(more) {
        if let Some(value) = facts.test(key) {
            let _ = writeln!(out, "    - type: {kind}\n      name: {name}\n      value: {value:.6}");
        }
    }
    out.push_str("---\n");
    out
}
