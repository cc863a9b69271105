//! `sweep run --until`: three endings with their exit codes, and the same one however the runs come about.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use crate::made::{Place, Ran, command, run, write};

/// One learning rate that hardly moves and two that learn, over images enough that their choice matters little.
fn plan(place: &Place, rates: &str, seeds: &str) -> PathBuf {
    place.images("train", 240, 28, 28);
    place.labels("train", &(0..240u32).map(|i| (i % 3) as u8).collect::<Vec<u8>>());
    place.images("t10k", 300, 28, 28);
    place.labels("t10k", &(0..300u32).map(|i| (i % 3) as u8).collect::<Vec<u8>>());
    let common =
        ["--set", "device=cpu", "--set", "engine=fused", "--batch-size", "8", "--arch", "4C3-MP2--16"];
    let grid = ["--epochs", "2", "--lr", rates, "--seeds", seeds];
    let ran = run(command().args(["sweep", "plan", "--dataset"]).arg(place.data()).args(common).args(grid));
    let path = place.data().join("plan.json");
    write(&path, ran.succeeds().out.as_bytes());
    path
}

fn until(question: &str, plan: &Path, out: &Path, flags: &[&str]) -> Ran {
    let mut sweep = command();
    sweep.args(["sweep", "run", "--until", question, "--plan"]).arg(plan).arg("--out").arg(out);
    run(sweep.args(flags))
}

fn table(out: &Path) -> String {
    std::fs::read_to_string(out.join("until.csv")).unwrap()
}

/// The names that an unknown one is answered with.
const SLOW: &str = "4C3-MP2--16, learning rate 0.0000001";
const GOOD: &str = "4C3-MP2--16, learning rate 0.01";

#[test]
fn the_same_seed_settles_it_for_any_jobs_shards_and_deaths() {
    let place = Place::new();
    let plan = plan(&place, "1e-7,1e-2", "0..11");
    let question = format!("{GOOD} vs {SLOW}: 5 points, alpha 0.05, at most 12 seeds");
    let one = place.out().join("one");
    let ran = until(&question, &plan, &one, &[]);
    let said = ran.succeeds().out.clone();
    assert!(said.starts_with(&format!("{GOOD} beats {SLOW} by ")), "{said}");
    let expected = table(&one);
    let looks = expected.lines().count() - 1;
    assert!((4..12).contains(&looks) && expected.trim_end().ends_with(",better"), "{expected}");
    assert_eq!(expected.matches(",better").count(), 1, "the first seed that settles it ends it");
    let done = |out: &Path| {
        std::fs::read_dir(out).unwrap().filter(|e| e.as_ref().unwrap().path().join("DONE").exists()).count()
    };
    assert!(done(&one) < 24, "no seed is trained for nothing, but those under way");

    // The same command trains nothing, and says the same; in JSON too.
    assert_eq!(until(&question, &plan, &one, &["--jobs", "3"]).succeeds().out, said);
    let json = until(&question, &plan, &one, &["--json"]);
    let json: serde_json::Value = serde_json::from_str(&json.succeeds().out).unwrap();
    assert_eq!((json["answer"].as_str(), json["seeds"].as_u64()), (Some("better"), Some(looks as u64)));
    assert!(json["interval"][0].as_f64().unwrap() > 0.0 && json["looks"].as_array().unwrap().len() == looks);

    // Three at a time, killed twice.
    let three = place.out().join("three");
    for pause in [700, 1200] {
        let mut sweep = command();
        sweep.args(["sweep", "run", "--jobs", "3", "--until", &question, "--plan"]).arg(&plan);
        let mut child =
            sweep.arg("--out").arg(&three).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(pause));
        let _ = child.kill();
        child.wait().unwrap();
    }
    let mut last = until(&question, &plan, &three, &["--jobs", "3"]);
    while last.code == 75 {
        std::thread::sleep(Duration::from_millis(100));
        last = until(&question, &plan, &three, &["--jobs", "3"]);
    }
    last.succeeds();
    assert_eq!(table(&three), expected);

    // The second half of the seeds first, all of them: none is settled without those between.
    let shards = place.out().join("shards");
    let odd = until(&question, &plan, &shards, &["--shard", "1/2", "--jobs", "2"]);
    odd.fails(9, &["not settled yet: 0 of 12 seeds are complete", "other shards"]);
    assert!(!shards.join("until.csv").exists());
    until(&question, &plan, &shards, &["--shard", "0/2"]).succeeds();
    assert_eq!(table(&shards), expected);
    assert_eq!(
        until(&question, &plan, &shards, &["--shard", "1/2"]).succeeds().out.lines().next(),
        said.lines().next()
    );
}

#[test]
fn smaller_and_undecided_have_codes_of_their_own() {
    let place = Place::new();
    let plan = plan(&place, "1e-7,1e-2", "0..5");
    let out = place.out();
    let wide = format!("{SLOW} vs {GOOD}: 99 points, at most 2 seeds");
    let ran = until(&wide, &plan, &out, &[]);
    assert_eq!(ran.code, 21, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("undecided after all 2 seeds") && ran.out.contains("too few"), "{}", ran.out);
    // Two networks that never learn differ by nothing but their first weights.
    let same = plan_of_equals(&place);
    let ran = until(
        "4C3-MP2--16, learning rate 0.0000001 vs 4C3-MP2--16, learning rate 0.0000002: 5 points",
        &same,
        &out,
        &["--json"],
    );
    assert_eq!(ran.code, 20, "{}{}", ran.out, ran.err);
    let json: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((json["answer"].as_str(), json["exit_code"].as_u64()), (Some("smaller"), Some(20)));
}

fn plan_of_equals(place: &Place) -> PathBuf {
    plan(place, "1e-7,2e-7", "0..5")
}

#[test]
fn what_cannot_be_settled_is_refused_or_named() {
    let place = Place::new();
    let plan = plan(&place, "1e-2,1e30", "0..2");
    let out = place.out();
    until("cnn vs mlp", &plan, &out, &[]).fails(2, &["no ':'", "say it like"]);
    until("cnn vs mlp: 1 points", &plan, &out, &[])
        .fails(2, &["no group 'cnn', it has 4C3-MP2--16, learning rate"]);
    until(&format!("{GOOD} vs {GOOD}: 1 points"), &plan, &out, &[]).fails(2, &["compared with itself"]);
    let diverging = format!("{GOOD} vs 4C3-MP2--16, learning rate 1000000000000000000000000000000: 1 points");
    until(&format!("{diverging}, at most 9 seeds"), &plan, &out, &[])
        .fails(2, &["the plan has 3 seeds, fewer than 9", "--seeds 0..8"]);
    // A seed that fails is not passed over: that would choose among seeds.
    until(&diverging, &plan, &out, &[]).fails(9, &["0 of 3 seeds are complete", "a seed cannot be left out"]);
    assert!(!out.join("until.csv").exists());
}
