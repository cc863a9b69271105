#!/usr/bin/env bash
# Makes results/composition-cpu: what becomes of the encoder, as a controlled experiment. Five arms with seeds 0 to 9, one
# engine, 55,000 training images, 25 epochs of training in all: where there is pretraining, 5 of them. Every fifth epoch's
# weights are scored too, so that validation images can choose each arm's length. About half an hour on two cores; it
# resumes where it stopped.
#
#   scripts/composition.sh [DIRECTORY]      FM_EXP names another binary than the release build
set -euo pipefail
cd "$(dirname "$0")/.."

out=${1:-results/composition-cpu}
. scripts/lib/program.sh
train() { # seed, then the arm's flags
  "$FM_EXP" --device cpu --engine fused --arch encoder-mlp --out "$out" --resume --quiet --seed "$@"
}
whole="--epochs 25 --score-at 5,10,15,20"
after_pretraining="--epochs 20 --pretrain-epochs 5 --score-at 5,10,15"
# Word splitting is meant.
# shellcheck disable=SC2086
for seed in $(seq 0 9); do
  train "$seed" $whole
  train "$seed" $whole --encoder frozen
  train "$seed" $after_pretraining --encoder frozen --pretrain autoencoder
  train "$seed" $after_pretraining --encoder frozen --pretrain classifier
  train "$seed" $after_pretraining --pretrain autoencoder
done
"$FM_EXP" compare "$out" --csv >"$out/compare.csv"
"$FM_EXP" compare "$out" --epochs best-val --csv >"$out/compare-best-val.csv"
# What is published keeps the predictions of each run's end: those of all lengths take 15 MB.
published=$(mktemp -d)
cp -r "$out"/encoder-mlp-* "$published"
rm "$published"/*/at-*/predictions.csv
"$FM_EXP" pack "$published"
mv "$published/runs.npz" "$out/runs.npz"
rm -r "$published"
