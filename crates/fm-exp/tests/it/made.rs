//! Made data sets, and running the binary on them.

use std::path::{Path, PathBuf};
use std::process::Command;

use fm_data::idx;

/// Flags of a composition: a frozen encoder that an autoencoder trained for an epoch.
pub(crate) const COMPOSED: [&str; 8] =
    ["--arch", "encoder-mlp", "--encoder", "frozen", "--pretrain", "autoencoder", "--pretrain-epochs", "1"];

/// Exit code, stdout and stderr.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// Exit code and a piece of stderr as expected, or a panic that shows all.
    #[track_caller]
    pub(crate) fn fails(&self, code: i32, pieces: &[&str]) {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.out, self.err);
        for piece in pieces {
            assert!(self.err.contains(piece), "expected {piece:?} in stderr:\n{}", self.err);
        }
        assert!(!self.err.contains("panicked"), "{}", self.err);
    }

    #[track_caller]
    pub(crate) fn succeeds(&self) -> &Self {
        assert_eq!(self.code, 0, "stdout: {}\nstderr: {}", self.out, self.err);
        self
    }
}

/// The binary, without what the environment of the tests may say.
pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fm-exp"));
    for (key, _) in std::env::vars_os() {
        if key.to_string_lossy().starts_with("FM_") {
            command.env_remove(key);
        }
    }
    command
}

pub(crate) fn run(command: &mut Command) -> Ran {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) }
}

/// A directory with a data set in `data` and room for results.
pub(crate) struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    /// 60 training and 30 test images of 28×28 in three classes.
    pub(crate) fn new() -> Self {
        let place = Self { dir: tempfile::tempdir().unwrap() };
        std::fs::create_dir(place.data()).unwrap();
        place.images("train", 60, 28, 28);
        place.labels("train", &(0..60).map(|i| i % 3).collect::<Vec<u8>>());
        place.images("t10k", 30, 28, 28);
        place.labels("t10k", &(0..30).map(|i| i % 3).collect::<Vec<u8>>());
        place
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub(crate) fn out(&self) -> PathBuf {
        self.dir.path().join("out")
    }

    /// `train` or `t10k` images: class `i % 3` is bright in a band of its own.
    pub(crate) fn images(&self, which: &str, n: usize, height: usize, width: usize) {
        let offset = if which == "train" { 0 } else { 7 };
        let pixels: Vec<u8> = (0..n)
            .flat_map(|i| (0..height * width).map(move |p| (i, p)))
            .map(|(i, p)| {
                let band = p / width * 3 / height;
                let noise = (i * 31 + p * 17 + offset) % 40;
                (noise + if band == i % 3 { 160 } else { 20 }) as u8
            })
            .collect();
        self.file(&format!("{which}-images-idx3-ubyte"), &idx::encode_images(&pixels, n, height, width));
    }

    pub(crate) fn labels(&self, which: &str, labels: &[u8]) {
        self.file(&format!("{which}-labels-idx1-ubyte"), &idx::encode_labels(labels));
    }

    pub(crate) fn file(&self, name: &str, bytes: &[u8]) {
        write(&self.data().join(name), bytes);
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.data().join(name)).unwrap()
    }

    pub(crate) fn remove(&self, name: &str) {
        std::fs::remove_file(self.data().join(name)).unwrap();
    }

    /// Trains on this place's data for no epochs, or as `flags` say.
    pub(crate) fn command(&self, flags: &[&str]) -> Command {
        let mut command = command();
        command.args(["--device", "cpu", "--threads", "1", "--batch-size", "8"]);
        command.arg("--dataset").arg(self.data()).arg("--out").arg(self.out()).args(flags);
        if !flags.contains(&"--epochs") {
            command.args(["--epochs", "0"]);
        }
        command
    }

    pub(crate) fn run(&self, flags: &[&str]) -> Ran {
        run(&mut self.command(flags))
    }
}

#[expect(clippy::disallowed_methods, reason = "made data needs no crash safety")]
pub(crate) fn write(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).unwrap();
}
