#!/usr/bin/env bash
# From a fresh clone to a trained network: sets up, builds, trains, and says what came out.
#
#   scripts/quickstart.sh                                  cnn, 5 epochs: a first result within minutes
#   scripts/quickstart.sh --arch encoder-mlp --epochs 50   any flags of fm-exp
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh
if [ $# = 0 ]; then set -- --arch cnn --epochs 5 --overwrite; fi
# The build that the tests use too: what computes is optimised in it (Cargo.toml).
echo "quickstart: building (the first time about three minutes), then: fm-exp $*" >&2
cargo run --quiet -p fm-exp -- "$@"

cat <<'TEXT'

What to open: epochs.csv and confusion.csv in a spreadsheet, curves.png and confusion.png as pictures;
results/README.md explains every column.

What to try next:
  cargo run -p fm-exp -- --arch encoder-mlp --epochs 5
  cargo run -p fm-exp -- --arch 16C3.same.bn-MP2-32R3-GAP --epochs 5     a network of your own
  cargo run -p fm-exp -- --arch cnn --protocol notebook                  the notebook's experiment, 50 epochs
  cargo run -p fm-exp -- summary --arch cnn
  cargo run -p fm-exp -- --help
TEXT
