#!/usr/bin/env bash
# Makes results/reference-cpu: both of the notebook's experiments (all 60,000 training images, 50 epochs,
# the last epoch scored once) for seeds 0 to 9. About 25 minutes on two cores; goes on where it stopped.
#
#   scripts/reference.sh [DIRECTORY]      FM_EXP names another binary than the release build
set -euo pipefail
cd "$(dirname "$0")/.."

out=${1:-results/reference-cpu}
. scripts/lib/program.sh
for seed in {0..9}; do
  for arch in cnn encoder-mlp; do
    "$FM_EXP" --device cpu --arch "$arch" --protocol notebook --epochs 50 \
      --seed "$seed" --out "$out" --resume --quiet
  done
done
"$FM_EXP" pack "$out"
