//! `export --card`: what it says against the run's own files. That a model hub's library reads it,
//! `scripts/interop/card.sh` shows.

use crate::made::{Place, command, run};

/// The text between two pieces.
fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let start = text.find(from).unwrap_or_else(|| panic!("{from} in {text}")) + from.len();
    &text[start..start + text[start..].find(to).unwrap()]
}

#[test]
fn a_card_says_what_the_run_s_files_say() {
    let place = Place::new();
    place.file("classes.txt", b"T-shirt: \"top\"\ndisc\n- square\n");
    place
        .run(&["--arch", "cnn", "--epochs", "2", "--lr", "0.0005", "--score-at", "1", "--name", "a"])
        .succeeds();
    let dir = place.out().join("a");
    let (path, onnx) = (dir.join("README.md"), dir.join("net.onnx"));
    let ran = run(command().arg("export").arg(&dir).arg("--card").arg(&path).arg("--onnx").arg(&onnx));
    assert!(ran.succeeds().out.contains("README.md: "), "{}", ran.out);
    let card = std::fs::read_to_string(&path).unwrap();
    let summary: serde_json::Value =
        serde_json::from_slice(&std::fs::read(dir.join("summary.json")).unwrap()).unwrap();

    let front = card.strip_prefix("---\n").unwrap().split_once("\n---\n").unwrap().0;
    let accuracy = summary["test"]["accuracy"].as_f64().unwrap();
    for piece in [
        "pipeline_tag: image-classification",
        "- onnx",
        "datasets:\n- \"data\"",
        "- name: \"a\"\n  results:\n  - task:\n      type: image-classification\n",
        &format!("    - type: accuracy\n      name: accuracy\n      value: {accuracy:.6}\n"),
    ] {
        assert!(front.contains(piece), "{piece} in {front}");
    }
    // Every text is quoted or plain: no line is anything but a key, an item, or a key with a value.
    for line in front.lines() {
        let item = line.trim_start().trim_start_matches("- ");
        let (key, value) = item.split_once(':').unwrap_or((item, ""));
        assert!(key.chars().all(|c| c.is_alphanumeric() || "-_\"".contains(c)), "{line}");
        assert!(!value.trim().contains(": "), "{line}");
    }

    let confusion = std::fs::read_to_string(dir.join("confusion.csv")).unwrap();
    assert!(confusion.contains("disc"));
    let data = summary["data_sha256"].as_str().unwrap();
    let run_id = summary["run_id"].as_str().unwrap();
    for piece in [
        "`cnn`, which is `32C3-MP2-64C3-MP2-64C3-MP2--128`: 64451 parameters",
        "`[n, 1, 28, 28]` (grey)",
        "Classes by label: T-shirt: \"top\", disc, - square.",
        &format!("contents `{data}`; one training image in twelve validated"),
        "joint, 2 epochs, batches of 8, learning rate 0.0005",
        &format!("| test (30) | {accuracy:.4} |"),
        "on the way after epochs 1:",
        &format!("| run | `{run_id}` |"),
        "| command | `fm-exp ",
        "`net.onnx`: the network for ONNX Runtime",
        "Expected calibration error on the test set",
        "one run with one seed",
    ] {
        assert!(card.contains(piece), "{piece} in {card}");
    }
    // Three classes have six ways to be wrong, all of which are named.
    let named = between(&card, "## Mistakes\n", "\nLowest recall")
        .lines()
        .filter_map(|line| line.split(" | ").nth(2));
    let wrong: u64 = named.filter_map(|count| count.parse::<u64>().ok()).sum();
    assert_eq!(wrong, (30.0 * (1.0 - accuracy)).round() as u64);

    // Without scores on the way, the test set was scored once; without a run, there is nothing to tell.
    place.run(&["--epochs", "1", "--name", "b"]).succeeds();
    let card_of =
        |place: std::path::PathBuf| run(command().arg("export").arg(place).arg("--card").arg(&path));
    card_of(place.out().join("b")).succeeds();
    assert!(std::fs::read_to_string(&path).unwrap().contains("scored once, after training"));
    let bare = place.out().join("bare.safetensors");
    std::fs::copy(dir.join("model.safetensors"), &bare).unwrap();
    card_of(bare).fails(7, &["has no config.toml", "give the run's directory"]);
}
