//! `report --playable`: its scripts, run by Node.js, against predictions.csv. How the page works in a browser,
//! `scripts/playable_check.sh` shows.

use std::process::Command;

use crate::made::{Place, command, run};

#[test]
fn a_page_plays_what_the_runs_predict() {
    let place = Place::new();
    for (arch, name) in [("cnn", "a"), ("8C3.same.bn-8R3-16R3.s2-GAP", "b")] {
        place.run(&["--arch", arch, "--epochs", "4", "--name", name]).succeeds();
    }
    let ran = run(command().arg("report").arg(place.out()).arg("--playable"));
    assert!(ran.succeeds().out.contains("playable.html: "), "{}", ran.out);
    let html = std::fs::read_to_string(place.out().join("report/playable.html")).unwrap();
    assert!(html.len() <= 400_000, "{}", html.len());
    for piece in ["http:", "https:", "@import", " src=", "{{"] {
        assert!(!html.contains(piece), "{piece}");
    }
    assert_eq!(html.matches("the same class for 30 of 30 test images").count(), 2);
    played(&place, &html);

    // What cannot be is told.
    let report = |flags: &[&str]| run(command().arg("report").arg(place.out()).args(flags));
    report(&["--playable", "--playable-kb", "30"])
        .fails(2, &["kB with 2 networks, and may take 30", "--networks"]);
    report(&["--networks", "2"]).fails(2, &["--playable"]);
    assert!(report(&["--playable", "--networks", "1"]).succeeds().out.contains("playable.html"));
    for name in ["a", "b"] {
        std::fs::remove_file(place.out().join(name).join("model.safetensors")).unwrap();
    }
    report(&["--playable"]).fails(7, &["none of the runs has its model.safetensors"]);
    std::fs::rename(place.data(), place.data().with_extension("moved")).unwrap();
    report(&["--playable"]).fails(3, &["the runs' data set is not at hand"]);
}

/// Classifies the test images with the page's own scripts.
#[expect(clippy::disallowed_methods, reason = "a file of a test needs no crash safety")]
fn played(place: &Place, html: &str) {
    if Command::new("node").arg("--version").output().is_err() {
        eprintln!("skipped: there is no Node.js to run the page's scripts");
        return;
    }
    let between = |from: &str, to: &str| {
        let start = html.find(from).unwrap() + from.len();
        &html[start..start + html[start..].find(to).unwrap()]
    };
    let data = between(r#"<script type="application/json" id="data">"#, "</script>");
    // Up to what needs a page.
    let scripts = between("<script>\n", "(async () => {\nconst $ =");
    let images = std::fs::read(place.data().join("t10k-images-idx3-ubyte")).unwrap();
    let images = &images[16..];
    let script = format!(
        "{scripts}\nfmPlay.load({data}).then((play) => {{\n  const images = {images:?};\n  const said = [];\n\
         for (let i = 0; i < images.length; i += 784) said.push(fmPlay.classify(play, Uint8Array.from(images.slice(i, i + 784))));\n\
         const nearest = fmPlay.nearest(play, play.images[3].bytes, 1)[0];\n\
         console.log(JSON.stringify([said, nearest.image.row === play.images[3].row && nearest.away === 0]));\n}});\n"
    );
    let file = place.out().join("play.js");
    std::fs::write(&file, script).unwrap();
    let ran = Command::new("node").arg(&file).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let (said, near): (Vec<Vec<Vec<f64>>>, bool) = serde_json::from_slice(&ran.stdout).unwrap();
    assert!(near);
    for (network, name) in ["a", "b"].into_iter().enumerate() {
        let mut table = csv::Reader::from_path(place.out().join(name).join("predictions.csv")).unwrap();
        let headers = table.headers().unwrap().clone();
        let column = |name: &str| headers.iter().position(|h| h == name);
        let (predicted, p) = (column("predicted").unwrap(), column("p_predicted").unwrap());
        for (row, said) in table.records().zip(&said) {
            let row = row.unwrap();
            let (class, expected): (usize, f64) = (row[predicted].parse().unwrap(), row[p].parse().unwrap());
            let off = (said[network][class] - expected).abs();
            assert!(off < 0.02, "{name}: {} for {expected}", said[network][class]);
        }
    }
    std::fs::remove_file(file).unwrap();
}
