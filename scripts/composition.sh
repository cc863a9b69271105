#!/usr/bin/env bash
# Makes results/composition-cpu: what becomes of the encoder, as a controlled experiment. Five arms for
# seeds 0 to 2: 55,000 training images, 20 epochs (after 5 of pretraining where there is any), the test set
# scored once after the last. About half an hour on two cores, most of it the autoencoders' training; goes
# on where it stopped.
#
#   scripts/composition.sh [DIRECTORY]      FM_EXP names another binary than the release build
set -euo pipefail
cd "$(dirname "$0")/.."

out=${1:-results/composition-cpu}
if [ -z "${FM_EXP:-}" ]; then
  scripts/setup.sh
  cargo build --release --quiet -p fm-exp
fi
FM_EXP=${FM_EXP:-target/release/fm-exp}
train() { # seed, then the arm's flags
  "$FM_EXP" --device cpu --arch encoder-mlp --epochs 20 --out "$out" --resume \
    --quiet --seed "$@"
}
for seed in 0 1 2; do
  train "$seed"
  train "$seed" --encoder frozen
  train "$seed" --encoder frozen --pretrain autoencoder
  train "$seed" --encoder frozen --pretrain classifier
  train "$seed" --pretrain autoencoder
done
"$FM_EXP" pack "$out"
