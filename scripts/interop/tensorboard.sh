#!/usr/bin/env bash
# Lets TensorBoard read what `--tensorboard` writes: of a run, of one that was interrupted and resumed, and of one that
# pretrains an encoder first. scripts/interop/tensorboard_check.py compares every scalar with epochs.csv.
#
#   scripts/interop/tensorboard.sh
#   FM_EXP=PATH            another binary than the release build
#
# Installs TensorBoard into .venv-tensorboard the first time (80 MB).
set -euo pipefail
cd "$(dirname "$0")/../.."

. scripts/lib/wheels.sh
wheels .venv-tensorboard scripts/interop/requirements-tensorboard.txt
. scripts/lib/program.sh
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
train() { "$FM_EXP" train --tensorboard --device cpu --out "$out" --quiet "$@" >/dev/null; }

train --arch 4C3-MP2-4C3-MP2--8 --epochs 3 --average ema:0.99 --name plain
train --arch 4C3-MP2-4C3-MP2--8 --epochs 2 --pretrain autoencoder --pretrain-epochs 1 --name pretrained
# Killed in its second epoch or after it, then resumed: epochs that are trained again count once.
again=(--arch 4C3-MP2-4C3-MP2--8 --epochs 4 --checkpoint-every 3 --name resumed)
"$FM_EXP" train --tensorboard --device cpu --out "$out" --quiet "${again[@]}" >/dev/null &
rows() { { wc -l <"$out/resumed/epochs.csv"; } 2>/dev/null || echo 0; }
until [ "$(rows)" -ge 3 ]; do sleep 0.02; done
kill -9 $!
wait $! 2>/dev/null || true
train "${again[@]}" --resume
.venv-tensorboard/bin/python scripts/interop/tensorboard_check.py "$out"/{plain,pretrained,resumed}
