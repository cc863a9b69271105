//! The card's Markdown: what people read.

use std::fmt::Write as _;

use fm_net::arch::ALIASES;
use fm_run::terminal::counted;
use toml::Value;

use super::Facts;

/// How many classes and confusions are named.
const NAMED: usize = 3;

/// Everything below the front matter.
pub(super) fn text(facts: &Facts<'_>) -> String {
    let sections = [network, training, scores, mistakes, calibration, using, provenance, limits];
    let mut out = format!("# {}\n\n", facts.name);
    out.push_str("This card was written by `fm-exp export --card` from the run's own files.\n");
    for section in sections {
        out.push('\n');
        section(facts, &mut out);
    }
    out
}

fn network(facts: &Facts<'_>, out: &mut String) {
    let network = &facts.trained.network;
    let arch = &network.arch;
    let params: usize = network.params().map(fm_net::TensorSpec::count).sum();
    let channels =
        if arch.channels == 1 { "grey".to_owned() } else { counted(arch.channels as u64, "channel") };
    let text = arch.to_string();
    let alias = ALIASES.iter().find(|(name, _)| text.split('@').next() == Some(name));
    let layers = alias.map_or_else(String::new, |(_, layers)| format!(", which is `{layers}`"));
    let _ = writeln!(
        out,
        "## Network\n\n`{text}`{layers}: {params} parameters. Input: images `[n, {}, {}, {}]` ({channels}), pixels from 0 to 1 \
         (byte / 255), no other normalisation. Output: logits `[n, {}]`; softmax makes them probabilities. \
         Classes by label: {}.",
        arch.channels,
        arch.height,
        arch.width,
        facts.classes().len(),
        facts.classes().join(", ")
    );
}

fn training(facts: &Facts<'_>, out: &mut String) {
    let spec = &facts.run.spec;
    let said = |key: &str| facts.summary[key].as_str().unwrap_or_default().to_owned();
    let validates = match spec.protocol.name() {
        "holdout" => "one training image in twelve validated and did not train",
        _ => "every training image trained, none validated",
    };
    let _ = writeln!(
        out,
        "## Training\n\nData: `{}`, SHA-256 of its files' contents `{}`; {validates}.\n\nRecipe: {}, {}, batches of {}, \
         learning rate {}, {}; seed {}.",
        facts.dataset(),
        facts.run.facts.data_sha256,
        said("arm"),
        counted(facts.summary["epochs_trained"].as_u64().unwrap_or(u64::from(spec.epochs)), "epoch"),
        spec.batch_size,
        spec.lr,
        match &said("recipe")[..] {
            "notebook" => "else the program's defaults".to_owned(),
            other => format!("recipe {other}"),
        },
        spec.seed
    );
    if let Some(epoch) = facts.summary["scored_epoch"].as_u64().filter(|_| spec.patience.is_some()) {
        let _ =
            writeln!(out, "The weights are those of epoch {epoch}, which had the lowest validation loss.");
    }
}

fn scores(facts: &Facts<'_>, out: &mut String) {
    let images = facts.confusion.total();
    let _ = writeln!(out, "## Scores\n\n| images | accuracy | loss | macro F1 |\n|---|--:|--:|--:|");
    let cell = |value: Option<f64>| value.map_or_else(String::new, |v| format!("{v:.4}"));
    let val = |what: &str| facts.summary["val"][what].as_f64();
    if val("accuracy").is_some() {
        let _ = writeln!(out, "| validation | {} | {} | |", cell(val("accuracy")), cell(val("loss")));
    }
    let test = ["accuracy", "loss", "macro_f1"].map(|what| cell(facts.test(what)));
    let _ = writeln!(out, "| test ({images}) | {} |", test.join(" | "));
    match &facts.scored_at[..] {
        [] => out.push_str("\nThe test set was scored once, after training.\n"),
        epochs => {
            let epochs: Vec<String> = epochs.iter().map(ToString::to_string).collect();
            let _ = writeln!(
                out,
                "\nThe test set was scored after training, and on the way after epochs {}: whoever chose among these by \
                 test scores has seen the test set.",
                epochs.join(", ")
            );
        }
    }
}

fn mistakes(facts: &Facts<'_>, out: &mut String) {
    let (classes, rows) = (facts.classes(), facts.confusion.rows());
    let off = |(i, row): (usize, &Vec<u64>)| -> Vec<(u64, usize, usize)> {
        row.iter().enumerate().filter(|&(j, &n)| i != j && n > 0).map(|(j, &n)| (n, i, j)).collect()
    };
    let mut wrong: Vec<_> = rows.iter().enumerate().flat_map(off).collect();
    wrong.sort_by_key(|&(n, i, j)| (std::cmp::Reverse(n), i, j));
    out.push_str("## Mistakes\n\n");
    if wrong.is_empty() {
        out.push_str("No test image is classified wrongly.\n");
    } else {
        out.push_str("The most frequent ones on the test set:\n\n| true | predicted | images | of the class |\n|---|---|--:|--:|\n");
    }
    for &(n, i, j) in wrong.iter().take(2 * NAMED) {
        let share = 100.0 * n as f64 / rows[i].iter().sum::<u64>() as f64;
        let _ = writeln!(out, "| {} | {} | {n} | {share:.1} % |", classes[i], classes[j]);
    }
    let recalls = classes.iter().zip(facts.confusion.per_class());
    let mut recalls: Vec<_> = recalls.filter_map(|(name, scores)| Some((scores.recall?, name))).collect();
    recalls.sort_by(|a, b| a.0.total_cmp(&b.0));
    let weakest =
        recalls.iter().take(NAMED).map(|(recall, name)| format!("{name} ({:.1} %)", 100.0 * recall));
    let _ = writeln!(out, "\nLowest recall: {}.", weakest.collect::<Vec<_>>().join(", "));
}

fn calibration(facts: &Facts<'_>, out: &mut String) {
    let scaled = &facts.summary["temperature_scaled"];
    let Some(error) = facts.test("calibration_error") else { return };
    let brier = facts.test("brier").unwrap_or_default();
    let _ = writeln!(
        out,
        "## Calibration\n\nExpected calibration error on the test set {:.2} % (15 bins), Brier score {brier:.4}.",
        100.0 * error
    );
    if let Some((temperature, error)) =
        scaled["temperature"].as_f64().zip(scaled["calibration_error"].as_f64())
    {
        let _ = writeln!(
            out,
            "With logits divided by {temperature:.3}, the temperature that the validation images ask for: {:.2} %. The \
             weights are not scaled.",
            100.0 * error
        );
    }
}

fn using(facts: &Facts<'_>, out: &mut String) {
    let arch = &facts.trained.network.arch;
    let _ = writeln!(
        out,
        "## Use\n\nWith fm-exp:\n```\nfm-exp predict model.safetensors picture.png\n```\nWith PyTorch, where \
         `fm-exp summary --torch --arch {arch} >network.py` has written the module:\n```python\nfrom \
         safetensors.torch import load_file\nfrom network import Net\n\nmodel = Net()\n\
         model.load_state_dict(load_file(\"model.safetensors\"))\nmodel.eval()\n```"
    );
    for path in &facts.beside {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let what = match path.extension().and_then(|e| e.to_str()) {
            Some("onnx") => "the network for ONNX Runtime: input `image`, output `logits`",
            Some("h") => "the functions of the C code, with what they take",
            _ => continue,
        };
        let _ = writeln!(out, "\n`{name}`: {what}.");
    }
}

fn provenance(facts: &Facts<'_>, out: &mut String) {
    let _ = writeln!(out, "## Provenance\n\n| | |\n|---|---|\n| run | `{}` |", facts.run.run_id());
    for (key, value) in &facts.run.provenance {
        let value = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        if key != "run-id" && key != "data-sha256" {
            let _ = writeln!(out, "| {key} | `{}` |", value.replace('|', "\\|").replace('`', "'"));
        }
    }
    out.push_str(
        "\n`fm-exp --config config.toml` trains it again, and `fm-exp verify` compares every number.\n",
    );
}

fn limits(facts: &Facts<'_>, out: &mut String) {
    let arch = &facts.trained.network.arch;
    let _ = writeln!(
        out,
        "## Limits\n\n- This is one run with one seed. Other seeds give other scores; a difference from another model is no \
         evidence without several seeds of each.\n- The scores hold for images like those of `{}`: {}x{} pixels, and taken \
         the same way. Pictures from elsewhere were not tested.\n- Every picture is given one of the {} classes, also one \
         that belongs to none.\n- Neither robustness nor fairness was examined: do not decide about people with it.\n- \
         The card states no licence: add `license:` above, and heed that of the data.",
        facts.dataset(),
        arch.height,
        arch.width,
        facts.classes().len()
    );
}
