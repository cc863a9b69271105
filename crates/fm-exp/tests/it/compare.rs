//! `compare` on runs made here.

use std::path::Path;

use serde_json::Value;

use crate::made::{Place, Ran, command, run, write};

/// Two seeds of each architecture, of three epochs, scored after the first.
fn runs() -> Place {
    let place = Place::new();
    for arch in ["cnn", "encoder-mlp"] {
        for seed in ["0", "1"] {
            let name = format!("{arch}-3ep-seed{seed}");
            let run = ["--arch", arch, "--seed", seed, "--epochs", "3", "--score-at", "1", "--name", &name];
            place.run(&run).succeeds();
        }
    }
    place
}

fn compare(flags: &[&str], dirs: &[&Path]) -> Ran {
    run(command().arg("compare").args(dirs).args(flags))
}

#[test]
fn groups_numbers_and_a_sentence() {
    let place = runs();
    let out = place.out();
    let ran = compare(&["--json"], &[&out]);
    let all: Value = serde_json::from_str(&ran.succeeds().out).unwrap();
    let groups = all["groups"].as_array().unwrap();
    assert_eq!(groups.iter().map(|g| &g["name"]).collect::<Vec<_>>(), ["cnn", "encoder-mlp"]);
    let accuracy = |name: &str| {
        let summary = std::fs::read(out.join(name).join("summary.json")).unwrap();
        serde_json::from_slice::<Value>(&summary).unwrap()["test"]["accuracy"].as_f64().unwrap()
    };
    let mean = f64::midpoint(accuracy("cnn-3ep-seed0"), accuracy("cnn-3ep-seed1"));
    assert!((groups[0]["measures"]["accuracy"]["mean"].as_f64().unwrap() - mean).abs() < 1e-12);
    assert_eq!(groups[0]["measures"]["recall 2"]["n"], 2);
    let pair = &all["pairs"][0];
    assert_eq!(
        (&pair["first"], &pair["paired_by_seed"], &pair["comparisons"]),
        (&"cnn".into(), &true.into(), &1.into())
    );
    assert_eq!(pair["mcnemar"].as_array().unwrap().len(), 2);
    let verdict = pair["verdict"].as_str().unwrap();
    let text = compare(&[], &[&out]);
    assert!(text.succeeds().out.starts_with(verdict) && !text.out.contains("McNemar"), "{}", text.out);
    assert!(text.out.contains("\ngroup        seeds  accuracy "), "{}", text.out);
    // Both runs of the one against both of the other, on accuracy.
    let pairs = ["cnn-3ep-seed0", "cnn-3ep-seed1"].map(|a| {
        ["encoder-mlp-3ep-seed0", "encoder-mlp-3ep-seed1"].map(|b| {
            let (a, b) = (accuracy(a), accuracy(b));
            if b > a { 1.0 } else { f64::from(u8::from(b.to_bits() == a.to_bits())) / 2.0 }
        })
    });
    let share = pairs.iter().flatten().sum::<f64>() / 4.0;
    let superiority = &pair["superiority"];
    assert!((superiority["probability"].as_f64().unwrap() - share).abs() < 1e-12, "{superiority}");
    // These learn everything, so there is nothing to add.
    assert_eq!(pair["same_predictions"], true);
    assert!(
        text.out.contains(" predict the same: one class for every image, with each of 2 seeds\n"),
        "{}",
        text.out
    );
    // Recalls hold for all classes together; seconds are not tested, and no interval holds what is impossible.
    let difference = |measure: &str| pair["differences"][measure].clone();
    assert_eq!(difference("recall 2")["together"], 3);
    assert_eq!(difference("training seconds")["p"], Value::Null);
    for group in groups {
        for (name, measure) in group["measures"].as_object().unwrap() {
            let ends = &measure["interval"];
            let high = if name.starts_with("recall") { 1.0 } else { f64::INFINITY };
            assert!(ends[0].as_f64().unwrap() >= 0.0 && ends[1].as_f64().unwrap() <= high, "{name}: {ends}");
        }
    }
    let details = compare(&["-v"], &[&out]);
    assert!(
        details.succeeds().out.starts_with(verdict) && details.out.contains("McNemar"),
        "{}",
        details.out
    );
    // What temperature scaling makes of each run stands with its group.
    for measure in
        ["calibration error", "Brier score", "temperature", "scaled loss", "scaled calibration error"]
    {
        assert_eq!(groups[0]["measures"][measure]["n"], 2, "{measure}");
    }

    let table = compare(&["--csv"], &[&out]);
    let lines: Vec<&str> = table.succeeds().out.split_inclusive('\n').collect();
    assert!(lines.iter().all(|line| line.ends_with("\r\n") && !line.contains("\\u{")), "{lines:?}");
    let mut rows = csv::Reader::from_reader(table.out.as_bytes());
    assert_eq!(rows.headers().unwrap().get(4), Some("n"));
    let rows: Vec<csv::StringRecord> = rows.records().map(Result::unwrap).collect();
    assert_eq!(rows.iter().filter(|row| &row[0] == "verdict").count(), 1);
    assert_eq!(rows.iter().filter(|row| &row[0] == "group" && &row[3] == "accuracy").count(), 2);

    // What was scored on the way is a run of that length.
    let early: Value =
        serde_json::from_str(&compare(&["--json", "--epochs", "1"], &[&out]).succeeds().out).unwrap();
    assert_ne!(early["groups"][0]["measures"]["loss"], groups[0]["measures"]["loss"]);
    compare(&["--epochs", "2"], &[&out]).fails(7, &["no finished run of 2 epochs"]);
}

#[test]
fn single_runs_arms_and_places() {
    let place = runs();
    let out = place.out();
    let (a, b) = (out.join("cnn-3ep-seed0"), out.join("encoder-mlp-3ep-seed1"));
    let single = compare(&[], &[&a, &b]);
    assert!(single.succeeds().out.contains("two or more seeds of each"), "{}", single.out);
    assert!(!single.out.contains("trained once each"), "{}", single.out);
    let single = compare(&["-v"], &[&a, &b]);
    assert!(
        single.succeeds().out.contains("one seed has no intervals")
            && !single.out.contains("mean difference")
    );
    place.run(&["--arch", "encoder-mlp", "--seed", "0", "--epochs", "3", "--encoder", "frozen"]).succeeds();
    let arms = compare(&["--json"], &[&out]);
    let all: Value = serde_json::from_str(&arms.succeeds().out).unwrap();
    let names: Vec<&str> =
        all["groups"].as_array().unwrap().iter().map(|g| g["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["cnn", "encoder-mlp joint", "encoder-mlp frozen on random"]);
    assert!(all["pairs"][0]["comparisons"] == 3 && all["pairs"].as_array().unwrap().len() == 3);
    // Nothing is shown to differ: one letter.
    let ranking = all["ranking"].as_array().unwrap();
    assert!(ranking.len() == 3 && ranking.iter().all(|group| group["letters"] == "a"), "{ranking:?}");
    let reference = compare(&["--json", "--reference", "cnn", "--margin", "5"], &[&out]);
    let reference: Value = serde_json::from_str(&reference.succeeds().out).unwrap();
    let pairs = reference["pairs"].as_array().unwrap();
    assert!(
        pairs.len() == 2 && pairs.iter().all(|p| p["first"] == "cnn" && p["comparisons"] == 2),
        "{pairs:?}"
    );
    assert!((pairs[0]["margin"].as_f64().unwrap() - 0.05).abs() < 1e-12);
    compare(&["--reference", "mlp"], &[&out])
        .fails(2, &["there is no group 'mlp': there are cnn; encoder-mlp joint"]);
    compare(&["--margin", "0"], &[&out]).fails(2, &["must be percentage points above 0"]);

    // A seed that one lacks ends the pairing, and all runs count; another patience is another experiment.
    place.run(&["--arch", "cnn", "--seed", "2", "--epochs", "3", "--name", "cnn-3ep-seed2"]).succeeds();
    let more = compare(&["--json"], &[&out]);
    let more: Value = serde_json::from_str(&more.succeeds().out).unwrap();
    assert_eq!(
        (&more["pairs"][0]["paired_by_seed"], &more["groups"][0]["measures"]["accuracy"]["n"]),
        (&false.into(), &3.into())
    );
    place
        .run(&["--arch", "cnn", "--seed", "3", "--epochs", "3", "--patience", "2", "--name", "cnn-3ep-seed3"])
        .succeeds();
    let other = compare(&["--json"], &[&out]);
    assert!(other.succeeds().out.contains(r#""name": "cnn, patience 2""#), "{}", other.out);
    std::fs::remove_dir_all(out.join("cnn-3ep-seed3")).unwrap();

    // The same configuration in two places: told apart by the place.
    let again = out.join("again");
    place.run(&["--arch", "cnn", "--epochs", "3", "--score-at", "1", "--name", "again"]).succeeds();
    let both = compare(&[], &[&a, &again]);
    assert!(both.succeeds().out.contains(&format!("cnn in {}", a.display())), "{}", both.out);
    assert!(
        both.out.contains(" predict the same: one class for every image, with this seed"),
        "{}",
        both.out
    );

    compare(&[], &[&out]).fails(7, &["cnn has two runs with seed 0", "again", "--where 'name!="]);
    compare(&["--where", "name!=again"], &[&out]).succeeds();
    std::fs::remove_dir_all(&again).unwrap();

    std::fs::remove_file(a.join("DONE")).unwrap();
    let ran = compare(&[], &[&out]);
    assert!(ran.succeeds().err.contains("1 unfinished run left out: "), "{}", ran.err);
    compare(&[], &[&a]).fails(7, &["none of the runs is finished"]);
    compare(&[], &[&place.data()]).fails(7, &["no finished run in"]);
    compare(&[], &[Path::new("nowhere")]).fails(4, &["cannot read nowhere"]);
}

#[test]
fn lengths_are_chosen_by_validation_and_runs_by_their_keys() {
    let place = runs();
    let out = place.out();
    let ran = compare(&["--json", "--epochs", "best-val"], &[&out]);
    let all: Value = serde_json::from_str(&ran.succeeds().out).unwrap();
    let mut lengths = Vec::new();
    for group in all["groups"].as_array().unwrap() {
        let arch = group["name"].as_str().unwrap().split(',').next().unwrap();
        let mean = |at: &str| {
            let of = |seed: u32| {
                let path = out.join(format!("{arch}-3ep-seed{seed}/{at}summary.json"));
                let summary: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
                summary["val"]["accuracy"].as_f64().unwrap()
            };
            f64::midpoint(of(0), of(1))
        };
        let (early, own) = (mean("at-1/"), mean(""));
        // The shorter one of equals.
        let expected = if own > early { 3 } else { 1 };
        let chosen = &group["length_chosen"];
        assert_eq!(chosen["epochs"], expected, "{chosen}");
        assert!((chosen["of"][0][1].as_f64().unwrap() - early).abs() < 1e-12, "{chosen}");
        lengths.push(expected);
        let text = compare(&["--epochs", "best-val"], &[&out]);
        let sentence = format!(": {expected} epochs, chosen of 1, 3 by mean validation accuracy (");
        assert!(text.succeeds().out.contains(&sentence), "{}", text.out);
    }
    let page = place.data().join("page");
    run(command().arg("report").arg(&out).args(["--epochs", "best-val", "--out"]).arg(&page)).succeeds();
    let html = std::fs::read_to_string(page.join("report.html")).unwrap();
    assert_eq!(html.matches(", chosen of 1, 3 by mean validation accuracy (").count(), 2);
    // The test scores are those of the length.
    let same = compare(&["--json", "--epochs", &lengths[0].to_string()], &[&out]);
    let same: Value = serde_json::from_str(&same.succeeds().out).unwrap();
    assert_eq!(same["groups"][0]["measures"], all["groups"][0]["measures"]);
    assert_eq!(same["groups"][0]["length_chosen"], Value::Null);
    compare(&["--epochs", "best-val", "--on", "val"], &[&out]).fails(2, &["chooses by validation scores"]);
    compare(&["--epochs", "best"], &[&out]).fails(2, &["must be a number of epochs, or best-val"]);
    place.run(&["--arch", "cnn", "--seed", "2", "--epochs", "2"]).succeeds();
    compare(&["--epochs", "best-val", "--where", "arch=cnn"], &[&out])
        .fails(7, &["scored at no common length", "--score-at"]);

    let names = |flags: &[&str]| {
        let ran = compare(&[&["--json"], flags].concat(), &[&out]);
        let all: Value = serde_json::from_str(&ran.succeeds().out).unwrap();
        let groups = all["groups"].as_array().unwrap().iter();
        groups.map(|g| (g["name"].as_str().unwrap().to_owned(), g["seeds"].to_string())).collect::<Vec<_>>()
    };
    let group = |name: &str, seeds: &str| (name.to_owned(), seeds.to_owned());
    assert_eq!(names(&["--where", "arch=cnn", "--where", "epochs=3"]), [group("cnn", "[0,1]")]);
    assert_eq!(
        names(&["--where", "arm=joint", "--where", "seed=1"]),
        [group("cnn", "[1]"), group("encoder-mlp", "[1]")]
    );
    let either = ["--where", "seed=1", "--where", "seed=2", "--where", "arch!=encoder-mlp"];
    assert_eq!(names(&either), [group("cnn, 2 epochs", "[2]"), group("cnn, 3 epochs", "[1]")]);
    compare(&["--where", "seed=9"], &[&out]).fails(7, &["no run in", "meets every --where"]);
    compare(&["--where", "colour=red"], &[&out]).fails(2, &["there is no key 'colour'"]);
    compare(&["--where", "arch"], &[&out]).fails(2, &["must be KEY=VALUE"]);
}

#[test]
fn runs_on_other_test_sets_are_not_compared() {
    let (place, other) = (runs(), Place::new());
    other.labels("t10k", &(0..30).map(|i| (i + 1) % 3).collect::<Vec<u8>>());
    other.run(&["--arch", "encoder-mlp", "--epochs", "3"]).succeeds();
    compare(&[], &[&place.out(), &other.out()]).fails(7, &["different test sets", "one data set"]);
    // Nor where the images of one were left out of its predictions.
    let path = place.out().join("cnn-3ep-seed0/predictions.csv");
    let text = std::fs::read_to_string(&path).unwrap();
    write(&path, text.lines().take(11).fold(String::new(), |all, line| all + line + "\r\n").as_bytes());
    compare(&[], &[&place.out()]).fails(7, &["different test sets"]);
    std::fs::remove_file(&path).unwrap();
    compare(&[], &[&place.out()]).fails(7, &["has no predictions.csv"]);
}

#[test]
fn packed_runs_compare_and_report_as_their_directories_do() {
    let place = runs();
    let out = place.out();
    let said = |flags: &[&str]| compare(flags, &[&out]).succeeds().out.clone();
    let report = || {
        run(command().arg("report").arg(&out)).succeeds();
        std::fs::read_to_string(out.join("report/report.html")).unwrap()
    };
    let (text, json, early, page) = (said(&[]), said(&["--json"]), said(&["--epochs", "1"]), report());
    let packed = run(command().arg("pack").arg(&out));
    assert!(packed.succeeds().out.starts_with("4 runs in "), "{}", packed.out);
    for entry in std::fs::read_dir(&out).unwrap() {
        let dir = entry.unwrap().path();
        if dir.join("config.toml").exists() {
            std::fs::remove_dir_all(dir).unwrap();
        }
    }
    assert_eq!((said(&[]), said(&["--json"]), said(&["--epochs", "1"])), (text.clone(), json, early));
    assert_eq!(report(), page);
    assert_eq!(compare(&[], &[&out.join("runs.npz")]).succeeds().out, text);

    // One of them by its name; another beside the packed ones; and all packed again.
    let one = compare(&[], &[&out.join("cnn-3ep-seed0"), &out.join("encoder-mlp-3ep-seed1")]);
    assert!(one.succeeds().out.contains("two or more seeds of each"), "{}", one.out);
    place.run(&["--arch", "cnn", "--seed", "2", "--epochs", "3", "--name", "cnn-3ep-seed2"]).succeeds();
    assert!(said(&["-v"]).contains("cnn (3 seeds)"));
    assert!(run(command().arg("pack").arg(&out)).succeeds().out.starts_with("5 runs in "));
    run(command().arg("pack").arg(place.data())).fails(7, &["no finished run in", "holds runs"]);
}
