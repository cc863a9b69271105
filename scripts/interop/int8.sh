#!/usr/bin/env bash
# What 8-bit integers cost: trains cnn with several seeds, exports each as C with --int8 and scores its arithmetic on all
# test images (in NumPy: scripts/interop/int8.py); prints each pair and the mean difference with its 95 % interval.
#
#   scripts/interop/int8.sh [SEEDS [EPOCHS]]      10 seeds of 1 epoch, unless said otherwise
#   FM_EXP=PATH                                   the binary [default: target/release/fm-exp]
#   DATA=DIR                                      where Fashion-MNIST is [default: Debian's place]
set -euo pipefail
cd "$(dirname "$0")/../.."
seeds=${1:-10} epochs=${2:-1} fm_exp=${FM_EXP:-target/release/fm-exp} data=${DATA:-/usr/share/datasets/fashion-mnist}
. scripts/lib/wheels.sh
wheels .venv-onnx scripts/interop/requirements.txt
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
for ((seed = 0; seed < seeds; seed++)); do
  "$fm_exp" --arch cnn --epochs "$epochs" --seed "$seed" --out "$out" --name "$seed" --quiet >/dev/null
  "$fm_exp" export "$out/$seed" --c "$out/c$seed" --int8 --quiet >/dev/null
done
.venv-onnx/bin/python scripts/interop/int8.py "$out" "$data"/t10k-images-idx3-ubyte* "$data"/t10k-labels-idx1-ubyte*
