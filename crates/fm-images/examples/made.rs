//! Writes a small made data set, for scripts that train and look at something else than the result.
//!
//! `cargo run -p fm-images --example made -- DIRECTORY [TRAIN TEST]`: 60 training and 30 test images of 28×28 in three
//! classes, each bright in a band of its own; or as many as TRAIN and TEST say.

use std::path::PathBuf;

use fm_images::idx;

const SIDE: usize = 28;

fn main() -> std::io::Result<()> {
    let Some(dir) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: made DIRECTORY [TRAIN TEST]");
        std::process::exit(2);
    };
    let count = |at, usual| std::env::args().nth(at).and_then(|n| n.parse().ok()).unwrap_or(usual);
    std::fs::create_dir_all(&dir)?;
    for (which, n) in [("train", count(2, 60)), ("t10k", count(3, 30))] {
        let pixels: Vec<u8> = (0..n * SIDE * SIDE)
            .map(|at| {
                let (image, row) = (at / (SIDE * SIDE), at / SIDE % SIDE);
                let is_band = row * 3 / SIDE == image % 3;
                (at * 31 % 40 + if is_band { 160 } else { 20 }) as u8
            })
            .collect();
        let labels: Vec<u8> = (0..n).map(|image| (image % 3) as u8).collect();
        put(&dir.join(format!("{which}-images-idx3-ubyte")), &idx::encode_images(&pixels, n, SIDE, SIDE))?;
        put(&dir.join(format!("{which}-labels-idx1-ubyte")), &idx::encode_labels(&labels))?;
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "made data needs no crash safety")]
fn put(path: &std::path::Path, bytes: &[u8]) -> std::io::Result<()> {
    std::fs::write(path, bytes)
}
