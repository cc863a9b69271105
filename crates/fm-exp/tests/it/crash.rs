//! `scripts/crash.sh`, a few kills of it: the script does the killing and the comparing.

use std::path::Path;
use std::process::Command;

use crate::made::{Place, run};

#[test]
fn row_33_killed_at_random_moments() {
    let place = Place::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut script = Command::new("bash");
    script.arg(root.join("scripts/crash.sh")).arg("5");
    script.env("FM_EXP", env!("CARGO_BIN_EXE_fm-exp")).env("FM_CRASH_DATA", place.data());
    let ran = run(&mut script);
    assert!(ran.succeeds().out.contains("5 kills"), "{}", ran.out);
}
