#!/usr/bin/env bash
# Looks for bytes that the parsers cannot take: IDX files with libFuzzer, checkpoints with random tests.
#
#   scripts/fuzz.sh [SECONDS]        for each of the two, 60 by default
#   FUZZ_RUNS=N scripts/fuzz.sh      N executions of the IDX target, whatever the time, and no checkpoints
#
# Needs `rustup toolchain install nightly` and `cargo install cargo-fuzz`. A crash is written to
# crates/fm-images/fuzz/artifacts/idx/, with the command that plays it again.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-60}
command -v cargo-fuzz >/dev/null || { echo "fuzz: error: no cargo-fuzz; cargo install cargo-fuzz" >&2; exit 1; }
rustup run nightly rustc --version >/dev/null 2>&1 ||
  { echo "fuzz: error: no nightly compiler; rustup toolchain install nightly" >&2; exit 1; }

if [ -n "${FUZZ_RUNS:-}" ]; then limit=-runs=$FUZZ_RUNS; else limit=-max_total_time=$seconds; fi
mkdir -p crates/fm-images/fuzz/corpus/idx
# No sanitizer: a header may ask for 1 GiB, which address sanitizing would fill byte by byte each time, and
# the target checks memory itself. -O and debug assertions stay on.
(cd crates/fm-images && cargo +nightly fuzz run --sanitizer none idx fuzz/corpus/idx fuzz/seeds/idx -- \
  "$limit" -max_len=4096 -print_final_stats=1)
[ -z "${FUZZ_RUNS:-}" ] || exit 0

# The checkpoint's decoder gets random tests: as many rounds of them as fit.
end=$((SECONDS + seconds)) rounds=0
while [ "$SECONDS" -lt "$end" ]; do
  PROPTEST_CASES=20000 cargo test --quiet -p fm-train --lib checkpoint::tests >/dev/null
  rounds=$((rounds + 1))
done
echo "fuzz: $rounds times 20,000 cases of each of the checkpoint's random tests"
