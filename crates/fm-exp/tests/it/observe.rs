//! `fm-exp observe`, and the seeds of single purposes.

use crate::made::{Place, command, run};

fn observe(place: &Place, flags: &[&str]) -> crate::made::Ran {
    run(command().arg("observe").arg(place.out()).args(flags))
}

/// Trains with the flags and gives the bytes of the model's tensors.
fn model(place: &Place, name: &str, flags: &[&str]) -> Vec<u8> {
    place.run(&[&["--engine", "fused", "--name", name], flags].concat()).succeeds();
    let file = std::fs::read(place.out().join(name).join("model.safetensors")).unwrap();
    // Before them are the header's length and the header, which says which run it was.
    let header = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    file[8 + header..].to_vec()
}

#[test]
fn each_purpose_draws_from_its_own_seed() {
    let place = Place::new();
    // Without a split, three seeds are all that is drawn from.
    let usual = ["--protocol", "notebook", "--epochs", "1", "--augment", "flip,shift2"];
    let with = |name: &str, flags: &[&str]| model(&place, name, &[&usual[..], flags].concat());
    let whole = with("whole", &["--seed", "3"]);
    let apart = ["--seed", "5", "--seed-init", "3", "--seed-order", "3", "--seed-augment", "3"];
    assert!(with("apart", &apart) == whole);
    for key in ["--seed-init", "--seed-order", "--seed-augment"] {
        assert!(with(key.trim_start_matches('-'), &["--seed", "3", key, "4"]) != whole, "{key}");
    }
    // Of what the initial weights are, the order says nothing.
    let initial = model(&place, "initial", &["--seed", "3"]);
    assert!(model(&place, "other-order", &["--seed", "3", "--seed-order", "9"]) == initial);
    assert!(model(&place, "other-init", &["--seed", "3", "--seed-init", "9"]) != initial);
    // Dropout draws from the seed of the order.
    let dropout = ["--arch", "4C3-MP2-D50--8", "--protocol", "notebook", "--epochs", "1", "--seed"];
    let with = |name: &str, flags: &[&str]| model(&place, name, &[&dropout[..], flags].concat());
    assert!(with("d1", &["1", "--seed-init", "2"]) == with("d2", &["2", "--seed-order", "1"]));
    place.run(&["--seed-init", "9223372036854775808"]).fails(2, &["--seed-init must be from 0 to"]);
}

#[test]
fn the_distribution_of_seeds_its_sources_and_votes() {
    let place = Place::new();
    let sweep = |flags: &[&str]| {
        let mut command = command();
        command.args(["sweep", "--arch", "4C3-MP2--8", "--device", "cpu", "--engine", "fused", "--epochs"]);
        command.args(["1,2", "--dataset"]).arg(place.data()).arg("--out").arg(place.out()).args(flags);
        run(&mut command)
    };
    sweep(&["--seeds", "0..5", "--average", "mean:2,ema:0.9"]).succeeds();
    let crossed = sweep(&["--seed-init", "0..2", "--seed-order", "4,7..8"]);
    assert!(crossed.succeeds().err.contains("0; seed-init 0..2; seed-order 4,7,8"), "{}", crossed.err);

    let out = place.data().join("observed");
    let said = observe(&place, &["--votes", "4", "--out", out.to_str().unwrap()]);
    let text = &said.succeeds().out;
    for piece in [
        "4C3-MP2--8: 6 seeds, test accuracy ",
        "4C3-MP2--8, weights mean:2: 6 seeds, ",
        "4C3-MP2--8, weights ema:0.9: 6 seeds, ",
        "votes     1 ",
        "3 seed-init by 3 seed-order, scored after epoch 1, 2: ",
        "  both together ",
        "  epoch ",
    ] {
        assert!(text.contains(piece), "{piece} in {text}");
    }
    let lines = |file: &str| std::fs::read_to_string(out.join(file)).unwrap().lines().count();
    assert_eq!((lines("accuracies.csv"), lines("votes.csv"), lines("components.csv")), (19, 13, 5));
    assert!(out.join("accuracies-1.png").exists() && out.join("votes.svg").exists());

    let json: serde_json::Value = serde_json::from_str(&observe(&place, &["--json"]).succeeds().out).unwrap();
    assert_eq!(json[0]["distribution"]["seeds"], 6);
    // Of six runs the vote of all is one.
    assert_eq!(json[0]["distribution"]["votes"][5]["sd"], serde_json::Value::Null);
    let parts: f64 =
        json[0]["crossed"]["parts"].as_array().unwrap().iter().map(|p| p["variance"].as_f64().unwrap()).sum();
    assert!((parts - json[0]["crossed"]["variance"].as_f64().unwrap()).abs() < 1e-12);

    // A run that is missing is named, not guessed.
    let without = ["--where", "name!=4C3-MP2--8-2ep-seed0-seed-init1-seed-order8"];
    observe(&place, &without).fails(7, &["1 run of 3 by 3 missing"]);
    observe(&place, &["--votes", "0"]).fails(2, &["--votes"]);
    observe(&place, &["--where", "arch=cnn"]).fails(7, &["meets every --where"]);

    // A packed file keeps no averages.
    run(command().arg("pack").arg(place.out())).succeeds();
    let packed = place.out().join("runs.npz");
    let said = run(command().arg("observe").arg(&packed));
    assert!(
        said.succeeds().out.contains("4C3-MP2--8: 6 seeds, ") && !said.out.contains("mean:2"),
        "{}",
        said.out
    );
    assert!(said.err.contains("averaged weights of 6 runs left out"), "{}", said.err);

    // Nor one that has not ended.
    std::fs::remove_file(place.out().join("4C3-MP2--8-2ep-seed5/DONE")).unwrap();
    let said = observe(&place, &[]);
    assert!(said.succeeds().out.contains("4C3-MP2--8: 5 seeds, "), "{}", said.out);
    assert!(said.err.contains("1 unfinished run left out: ") && said.err.contains("seed5"), "{}", said.err);
}
